"""Blocks of Markdown, written one after the other."""

from __future__ import annotations

from beam_seed.web.code_blocks import unescape

TEXT, ITEM, NESTED, CODE = 0, 1, 2, 3
"""Kinds of block: text, the first line of a list's item (items stand close together), text inside an item or quote, fenced code."""

Block = tuple[str, int]
Cell = list[Block]

BREAK = "\0"
"""A line break within a run of text; the text itself holds no NUL."""

MAX_PREFIX = 60
"""Characters of indentation and quote marks: deeper nesting is written at this depth."""
MAX_CELL = 1000  # characters: a cell with more is a part of the page's layout, no cell of a table
MAX_PADDING = 4  # a table of which less than a quarter of the cells are there is no table


class Writer:
    """Collects runs of text in ``parts`` and closes them into blocks.

    Code blocks stand at the margin, in lists and quotes too: there Markdown would add an indentation that is not the code's.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.parts: list[str] = []  # escaped text of the block that is being written
        self.prefix = ""  # before each line: the indentation of lists, the marks of quotes
        self.marker = ""  # before the next line instead of the prefix: an item's bullet
        self.heading = 0  # level of the heading that is being written

    def flush(self) -> int:
        """Close the run of text; its length in characters."""
        text = "".join(self.parts)
        self.parts.clear()
        if "&" in text:
            text = unescape(text)
        if BREAK in text:
            lines = [" ".join(line.split()) for line in text.split(BREAK)]
            text = "\n".join(line for line in lines if line)
        else:
            text = " ".join(text.split())
        if text:
            self._write(text)
        return len(text)

    def _write(self, text: str) -> None:
        if self.heading:
            text = "#" * self.heading + " " + text.replace("\n", " ")
        if not self.prefix and not self.marker:
            self.blocks.append((text, TEXT))
            return
        kind = ITEM if self.marker else NESTED
        lead, self.marker = self.marker or self.prefix, ""
        if "\n" in text:
            text = text.replace("\n", "\n" + self.prefix)
        self.blocks.append((lead + text, kind))

    def write_table(self, rows: list[list[Cell]]) -> None:
        """A table of text as one; a table that arranges other things as these things, row by row."""
        rows = [row for row in rows if any(row)]
        columns = max(map(len, rows), default=0)
        padded = columns * len(rows) <= MAX_PADDING * sum(map(len, rows))
        if columns < 2 or not padded or not all(_is_small(cell) for row in rows for cell in row):
            self.blocks.extend(block for row in rows for cell in row for block in cell)
        elif len(rows) == 1:
            self._write(" ".join(filter(None, map(_cell_text, rows[0]))))
        else:
            lines = [
                "| " + " | ".join([_cell_text(cell).replace("|", "\\|") for cell in row] + [""] * (columns - len(row))) + " |"
                for row in rows
            ]
            lines.insert(1, "|" + " --- |" * columns)
            self._write("\n".join(lines))


def _is_small(cell: Cell) -> bool:
    return all(kind != CODE for _, kind in cell) and sum(len(text) for text, _ in cell) <= MAX_CELL


def _cell_text(cell: Cell) -> str:
    return " ".join(text.replace("\n", " ") for text, _ in cell)


def join(blocks: list[Block]) -> str:
    """The document: blank lines between blocks, none between the items of a list, no heading at the end with nothing below it."""
    while blocks and blocks[-1][1] == TEXT and blocks[-1][0].startswith("#"):
        blocks.pop()
    pieces: list[str] = []
    before = TEXT
    for text, kind in blocks:
        pieces.append("\n" if kind == ITEM and before in (ITEM, NESTED) else "\n\n")
        pieces.append(text)
        before = kind
    return "".join(pieces[1:])
