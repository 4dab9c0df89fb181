"""The hand-written rules: few, because a model judges quality later; they drop what no model needs to look at.

In this order, the first that is violated decides:

========== ============================================== ========================= ==========================
rule       drops                                          measured                  limit
========== ============================================== ========================= ==========================
empty      nothing but white space                        characters, not white     1
too-large  data in source form                            bytes                     ``Limits.max_bytes``
generated  what a program wrote, by a marker in a comment line of the marker        ``Limits.marker_lines``
           near the top or by a lock file's name
minified   code without line breaks                       mean characters a line    ``Limits.mean_line`` ...
long-line  embedded data                                  characters of the longest ``Limits.longest_line`` ...
========== ============================================== ========================= ==========================
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from beam_seed.languages.registry import LANGUAGES, Language
from beam_seed.records import Document, Judgement, Rejected, reject

STAGE = "rules"

# Languages where one line is a paragraph, a row or a record, so that length says little about who wrote it.
LOOSE_LANGUAGES = frozenset(
    {
        "HTML",
        "JSON",
        "Java Server Pages",
        "Literate Agda",
        "Literate CoffeeScript",
        "Literate Haskell",
        "Markdown",
        "RMarkdown",
        "SQL",
        "TeX",
        "Wolfram Language",
        "XSLT",
        "YAML",
        "reStructuredText",
    }
)

# Package managers write these; JSON has no comment that could say so.
LOCK_FILES = frozenset({"package-lock.json", "npm-shrinkwrap.json"})


@dataclass(frozen=True)
class Limits:
    """The limits of the rules. Shares are of 10,400 real files of all languages, at most 800 of each."""

    max_bytes: int = 1_000_000  # three files are larger; of package sources, half in a thousand: bundles, tables, amalgamations
    marker_lines: int = 50  # a marker follows the licence header, which is up to 40 lines long
    mean_line: float = 200.0  # 99.7 % of code stays below; above are minified JavaScript and CSS and a few macro tables
    mean_line_loose: float = 1_000.0  # paragraphs on one line: 99.9 % of such files average below 500
    minified_from: int = 1_000  # characters; a short file of one line is not minified, and costs little
    longest_line: int = 5_000  # 99.8 % of code that is not minified stays below 2,000; beyond are embedded tables and source maps
    longest_line_loose: int = 100_000  # none was longer; pages and prose embed images in their text

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} is {value!r}; expected a number above 0, leave it out for its default")


def judge_rules(documents: list[Document], limits: Limits | None = None) -> list[Judgement]:
    """One judgement for each document, in order: the document itself, or Rejected by the first rule it violates."""
    limits = limits or Limits()
    return [apply_rules(document, limits) for document in documents]


def apply_rules(document: Document, limits: Limits) -> Document | Rejected:
    """The document, or its rejection by the first violated rule."""
    if not document.content or document.content.isspace():
        return reject(document, STAGE, "empty", 0.0, 1.0)
    if document.size > limits.max_bytes:
        return reject(document, STAGE, "too-large", float(document.size), float(limits.max_bytes))
    return _generated(document, limits) or _long_lines(document, limits) or document


def _long_lines(document: Document, limits: Limits) -> Rejected | None:
    loose = document.language in LOOSE_LANGUAGES
    content = document.content
    end = "\n" if "\n" in content else "\r"
    mean_limit = limits.mean_line_loose if loose else limits.mean_line
    if len(content) >= limits.minified_from:
        lines = content.count(end) + (not content.endswith(end))
        if len(content) / lines > mean_limit:
            return reject(document, STAGE, "minified", len(content) / lines, mean_limit, json.dumps({"lines": lines}))
    longest_limit = limits.longest_line_loose if loose else limits.longest_line
    if not _has_longer_line(content, end, longest_limit):
        return None
    lengths = [len(line) for line in content.split(end)]
    evidence = json.dumps({"line": lengths.index(max(lengths)) + 1})
    return reject(document, STAGE, "long-line", float(max(lengths)), float(longest_limit), evidence)


def _has_longer_line(content: str, end: str, limit: int) -> bool:
    """Whether a line has more than ``limit`` characters, in hops of up to ``limit``: nearly free where there is none."""
    start = 0
    while len(content) - start > limit:
        position = content.rfind(end, start, start + limit + 1)
        if position == -1:
            return True
        start = position + 1
    return False


# --- generated ---

# 50 lines of at most 120 characters; one long line must not be searched to its end.
_HEAD_CHARACTERS = 6_000

# Every marker below contains one of these, lower-cased; looking for them first costs a twentieth of the pattern.
_HINTS = ("generated", "do not edit", "do not modify", "do not change", "parser, made", "meta object code")

# Matched against the text of one comment line. Prose about generated code is common ("... the tables generated by foo"), so
# a marker must open the comment as a sentence does, or say that this very file is generated.
_MARKER = re.compile(
    r"^(?:Generated|GENERATED|(?:Code|File|Source|Form|\S+\.\S+) generated)(?: automatically)?"
    r" (?:by|from|with|using|on|file|code|source|protocol)\b(?!:)"
    r"|^(?:CODE GENERATED|GENERATED CODE)\b"
    r"|^(?:Auto-?[gG]enerated|AUTO-?GENERATED|Automatically [gG]enerated|AUTOMATICALLY GENERATED|Machine[- ][gG]enerated)\b(?! doc)"
    r"|^auto-?generated$"
    r"|^@generated\b"
    r"|(?i:\bthis (?:\S+ )?(?:file|code|source|module|script|header|class|document|page|parser|program)(?: \S+)? (?:is|was|has been)"
    r" (?:(?:an? )?(?:auto|machine)-?|(?:an? )?(?:automatically|programmatically|machine) )?(?:generated|"
    r"auto-?generated)\b(?! (?:if|when|only|for|at run)))"
    r"|(?i:\bdo not (?:edit|modify|change)(?:,? (?:this|the) (?:generated )?file| (?:by hand|manually|directly|it by hand)|[!.]*$))"
    r"|\bDO NOT (?:EDIT|MODIFY)\b(?! (?:BELOW|ABOVE|ANY|UNTIL|UNLESS|THIS (?:LINE|SECTION|BLOCK|PART|COMMENT|HEADER)))"
    r"|^A (?:Bison|Berkeley Yacc) parser, made (?:by|from)|^A lexical scanner generated by flex|^Meta object code from reading"
)


def _generated(document: Document, limits: Limits) -> Rejected | None:
    if document.path.rpartition("/")[2] in LOCK_FILES:
        return reject(document, STAGE, "generated", evidence=json.dumps({"name": document.path.rpartition("/")[2]}))
    lines = document.content[:_HEAD_CHARACTERS].split("\n", limits.marker_lines)[: limits.marker_lines]
    head = "\n".join(lines).lower()
    if not any(hint in head for hint in _HINTS):
        return None
    for number, text in _comment_lines(lines, document.language):
        if _MARKER.search(text):
            evidence = json.dumps({"marker": text[:120]})
            return reject(document, STAGE, "generated", float(number), float(limits.marker_lines), evidence)
    return None


class _Marks(NamedTuple):
    line: tuple[str, ...]
    word: re.Pattern[str] | None  # marks of letters, which must be words of their own
    block: tuple[tuple[str, str], ...]


def _marks(languages: Sequence[Language]) -> _Marks:
    line = {mark for language in languages for mark in language.line_comments}
    words = sorted(mark for mark in line if mark.isalpha())
    # Fortran's single letters are comments in the first column only.
    word = re.compile("|".join(rf"{'' if len(mark) == 1 else '[ ]*'}{mark}\b" for mark in words), re.IGNORECASE) if words else None
    block = sorted({marks for language in languages for marks in language.block_comments})
    return _Marks(tuple(sorted(line - set(words))), word, tuple(block))


_MARKS = {language.name: _marks([language]) for language in LANGUAGES}
_ANY_MARKS = _marks([language for language in LANGUAGES if language.name != "Fortran"])


def _comment_lines(lines: list[str], language: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and bare text of each line that starts in, or with, a comment."""
    marks = _MARKS.get(language, _ANY_MARKS)
    closing = None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if closing is None:
            opened = next((block for block in marks.block if text.startswith(block[0])), None)
            word = marks.word.match(line) if marks.word else None
            if opened is not None:
                text, closing = text[len(opened[0]) :], opened[1]
            elif word is not None:
                text = line[word.end() :]
            elif not text.startswith(marks.line):
                continue
        if closing is not None and closing in text:
            text, closing = text.partition(closing)[0], None
        yield number, text.strip(" \t\r*#/;%!-=~.<>")
