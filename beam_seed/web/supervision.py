"""Labels for the classifiers: from an oracle where there is one, else from what pages tell of themselves (distant supervision)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.curation.datasets import read_groups
from beam_seed.fasttext_model.training import Line
from beam_seed.web.categories import strong_rule
from beam_seed.web.category_model import LABEL, features
from beam_seed.web.datasets import PAGES, read_pages
from beam_seed.web.relevance import OTHER, RELEVANT, TextFormat

MAX_CODE_SHARE = 0.05
"""A host is one without code where at most this share of its pages has code blocks: a game's manual may show one configuration file,
but pages without tags of a host that is about code are often about code too, and no negative examples."""


def has_labels(files: Iterable[str]) -> bool:
    """Whether the files have a column ``label``. Raises ValueError where only some have it."""
    labelled = set()
    for path in files:
        with storage.open_read(path) as file:
            labelled.add("label" in pq.ParquetFile(file).schema_arrow.names)
    if len(labelled) > 1:
        raise ValueError("some of the files have a column 'label' and some have not; expected it in all or in none")
    return labelled == {True}


RELEVANCE_COLUMNS = ("repo", "title", "content", "code_tags", "code_blocks")
CATEGORY_COLUMNS = tuple(PAGES.names)


def relevance_lines(files: Sequence[str], text: TextFormat) -> list[Line]:
    """Labelled pages for the relevance model, their code blocks taken out.

    With a column ``label`` (1 = relevant, 0 = not) those labels. Without, a page with code blocks is relevant, and a page without any
    code tag of a host without code is not; the others are left out, because nothing is known of them.
    """
    if has_labels(files):
        return [_labelled(row, text) for row in _rows(files, (*RELEVANCE_COLUMNS, "label"))]
    without_code = _hosts_without_code(files)
    lines = []
    for row in _rows(files, RELEVANCE_COLUMNS):
        if row["code_blocks"]:
            label = RELEVANT
        elif not row["code_tags"] and row["repo"] in without_code:
            label = OTHER
        else:
            continue
        lines.append(Line(row["repo"], label, text.line(row["title"], row["content"])))
    return lines


def _labelled(row: Mapping[str, Any], text: TextFormat) -> Line:
    if row["label"] not in (0, 1):
        raise ValueError(f"a page of {row['repo']} has label {row['label']!r}; expected 1 where it is relevant, 0 where it is not")
    return Line(row["repo"], RELEVANT if row["label"] else OTHER, text.line(row["title"], row["content"]))


def _hosts_without_code(files: Sequence[str]) -> set[str]:
    counts: dict[str, list[int]] = {}
    for row in _rows(files, ("repo", "code_blocks")):
        own = counts.setdefault(row["repo"], [0, 0])
        own[0] += 1
        own[1] += row["code_blocks"] > 0
    return {host for host, (pages, with_code) in counts.items() if with_code <= MAX_CODE_SHARE * pages}


def _rows(files: Sequence[str], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for path in files:
        for _, table in read_groups(path, columns):
            yield from table.to_pylist()


def category_lines(files: Sequence[str]) -> list[Line]:
    """Labelled pages for the category model.

    With a column ``label`` (a category's name) those labels; without, what a page's host, markup or generator tell. Pages of which they
    tell nothing are left out. What told is not among the features, see ``category_model.features``.
    """
    labelled = has_labels(files)
    lines = []
    for path in files:
        labels = [row["label"] for row in _rows([path], ["label"])] if labelled else []
        for start, pages in read_pages(path):
            for row, page in enumerate(pages, start):
                found = None if labelled else strong_rule(page.repo, page.generator, page.markup)
                name = labels[row] if labelled else found.category if found else None
                if name is not None:
                    lines.append(Line(page.repo, LABEL + name, features(page)))
    return lines
