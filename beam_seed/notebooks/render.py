"""A notebook (``.ipynb``, nbformat 2 to 4) as one text of its Markdown and code cells, in the percent format of Jupytext.

The text is a program of the kernel's language: ``# %%`` begins a code cell, ``# %% [markdown]`` one whose lines are comments, so that
whatever measures programs (syntax, comments, imports) measures it too. Outputs are dropped: they are data that a program made, base64
images and tables mostly, and often thousands of times the size of what a person wrote. Attachments are dropped for the same reason.

Read as plain JSON, not by nbformat: four versions of one list of cells are simpler than its schema validation, which refuses much of what
lies in repositories, and strangers' files need limits that it does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

LANGUAGE = "Jupyter Notebook"
"""Linguist's name."""

MAX_CELLS = 10_000  # the longest course notebooks have some hundreds

# Comment marks of the kernels' languages; where a kernel tells none, it is Python, as it was before kernels were told.
_MARKS = {
    **dict.fromkeys(("c++", "c", "java", "javascript", "typescript", "scala", "kotlin", "go", "rust", "c#", "f#", "groovy", "swift"), "//"),
    **dict.fromkeys(("haskell", "sql", "lua"), "--"),
    **dict.fromkeys(("matlab", "octave", "tex"), "%"),
}

# An image written into the text itself: base64 of any length teaches nothing.
_DATA_URI = re.compile(r"data:[\w.+-]{1,100}/[\w.+-]{1,100};base64,[A-Za-z0-9+/=]{64,}")


class NotANotebookError(ValueError):
    """The text is no notebook; ``rule`` is one word for why: 'invalid-json', 'not-a-notebook', 'too-many-cells' or 'no-code'."""

    def __init__(self, rule: str, message: str):
        super().__init__(message)
        self.rule = rule


class Notebook(NamedTuple):
    text: str
    language: str  # of its kernel, lower case, as the notebook tells it
    cells: int  # rendered
    code_cells: int  # of them
    outputs: int  # dropped


def render(content: str) -> Notebook:
    """The text of a notebook. Raises NotANotebookError where it is none, has too many cells, or no code."""
    book = _parse(content)
    cells = _cells(book)
    if len(cells) > MAX_CELLS:
        raise NotANotebookError("too-many-cells", f"{len(cells):,} cells; expected at most {MAX_CELLS:,}")
    language = _language(book)
    mark = _MARKS.get(language, "#")
    parts: list[str] = []
    code_cells = outputs = 0
    for kind, source, dropped in _sources(cells):
        outputs += dropped
        text = _DATA_URI.sub("data:", source.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")
        if not text.strip():
            continue
        code_cells += kind == "code"
        parts.append(f"{mark} %%\n{text}\n" if kind == "code" else f"{mark} %% [{kind}]\n{_commented(text, mark)}\n")
    if not code_cells:
        raise NotANotebookError("no-code", f"{len(parts)} cells with text and none with code; expected code")
    return Notebook("\n".join(parts), language, len(parts), code_cells, outputs)


def _parse(content: str) -> dict[str, Any]:
    try:
        book = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotANotebookError("invalid-json", f"{type(error).__name__}: {error}") from None
    if not isinstance(book, dict):
        raise NotANotebookError("not-a-notebook", f"JSON of a {type(book).__name__}; expected an object with cells")
    return book


def _cells(book: dict[str, Any]) -> list[Any]:
    """nbformat 4 has cells, 2 and 3 have worksheets of them."""
    found = book.get("cells")
    if found is None and isinstance(book.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in book["worksheets"] if isinstance(sheet, dict)]
        found = [cell for cells in sheets if isinstance(cells, list) for cell in cells]
    if not isinstance(found, list):
        raise NotANotebookError("not-a-notebook", f"no list of cells among {sorted(book)[:8]}; expected 'cells' or 'worksheets'")
    return found


def _language(book: dict[str, Any]) -> str:
    metadata = book.get("metadata")
    for holder in ("kernelspec", "language_info"):
        told = metadata.get(holder) if isinstance(metadata, dict) else None
        name = (told.get("language") or (told.get("name") if holder == "language_info" else None)) if isinstance(told, dict) else None
        if isinstance(name, str) and name:
            return name.lower()[:40]
    return "python"


def _sources(cells: Sequence[Any]) -> Iterator[tuple[str, str, int]]:
    """(kind, source, number of outputs) of each cell that has one; what is no cell is left out."""
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        kind, source = cell.get("cell_type"), cell.get("source", cell.get("input"))
        text = "".join(part for part in source if isinstance(part, str)) if isinstance(source, list) else source
        if not isinstance(text, str) or not isinstance(kind, str):
            continue
        if kind == "heading":  # of nbformat 3
            level = cell.get("level")
            kind, text = "markdown", f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {text}"
        dropped = cell.get("outputs")
        yield kind if kind in ("code", "markdown") else "raw", text, len(dropped) if isinstance(dropped, list) else 0


def _commented(text: str, mark: str) -> str:
    return "\n".join(f"{mark} {line}".rstrip() for line in text.split("\n"))
