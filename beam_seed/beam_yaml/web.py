"""The transforms of ``provider.yaml`` for web pages. Nothing but wiring.

No ``from __future__ import annotations`` here, for the reason that :mod:`beam_seed.records` gives.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import apache_beam as beam
from apache_beam import coders

from beam_seed import storage
from beam_seed.outcome import Outcome
from beam_seed.web import filter_transforms as web
from beam_seed.web.heuristics import Limits
from beam_seed.web.records import Page


class Categorised(NamedTuple):
    """A Page, its category, and its quality in [0, 1]; None until ``MapToFields`` fills it in: such pages are only sampled."""

    id: str
    source: str
    repo: str
    path: str
    revision: str
    content: str
    size: int
    sha256: str
    license: str
    stars: Optional[int]  # noqa: UP045 (see beam_seed.records)
    forks: Optional[int]  # noqa: UP045
    created: str
    language: str
    url: str
    title: str
    charset: str
    page_language: str
    code_tags: int
    code_blocks: int
    words: int
    link_share: float
    generator: str
    markup: str
    category: str
    quality: Optional[float]  # noqa: UP045


coders.registry.register_row(Categorised)


def page_of(row: Any) -> Page:
    """A row of Beam YAML as a page. Raises ValueError where a field is missing."""
    fields: Mapping[str, Any] = row._asdict()
    missing = [name for name in Page._fields if name not in fields]
    if missing:
        raise ValueError(f"a row has no {', '.join(missing)}; expected the fields of a page, as ReadPages gives them")
    return Page(**{name: fields[name] for name in Page._fields})


class _PageFilter(beam.PTransform):
    """Rows of pages through one of our filters."""

    def __init__(self, transform: beam.PTransform):
        super().__init__()
        self._transform = transform

    def expand(self, rows: Any) -> dict[str, Any]:
        pages = rows | "Rows to pages" >> beam.Map(page_of).with_output_types(Page)
        outcome: Outcome = pages | self._transform
        return outcome._asdict()


class ReadPages(beam.PTransform):
    """Pages of WARC and WET files. input: files or globs, one or a list."""

    def __init__(self, input: Sequence[str], min_words: int = Limits().min_words):  # noqa: A002
        super().__init__()
        self._patterns = [input] if isinstance(input, str) else list(input)
        self._transform = web.ReadPages(Limits(min_words=min_words))

    def expand(self, root: Any) -> dict[str, Any]:
        paths = root | "Input" >> beam.Create([self._patterns], reshuffle=False) | "List" >> beam.FlatMap(_paths).with_output_types(str)
        outcome: Outcome = paths | "Spread" >> beam.Reshuffle() | self._transform
        return outcome._asdict()


def _paths(patterns: Sequence[str]) -> list[str]:
    found = sorted({info.path for pattern in patterns for info in storage.match(pattern)})
    if not found:
        raise ValueError(f"{', '.join(patterns)} match no file; expected WARC or WET files")
    return found


class FilterPages(_PageFilter):
    """Pages of enough words that are no error pages, damaged text or lists of links."""

    def __init__(self, min_words: int = Limits().min_words):
        super().__init__(web.FilterPages(Limits(min_words=min_words)))


class RecallRelevant(_PageFilter):
    """Pages with code, and of the others those that a model recalls. model: a folder of ``beam-seed train-relevance``, empty for none."""

    def __init__(self, model: str = ""):
        super().__init__(web.RecallRelevant(model))


class CategorisePages(beam.PTransform):
    """Rows of pages with ``category``, and ``quality`` empty. model: a folder of ``beam-seed train-categories``, empty for none."""

    def __init__(self, model: str = ""):
        super().__init__()
        self._transform: beam.PTransform = web.CategorisePages(model)

    def expand(self, rows: Any) -> Any:
        pages = rows | "Rows to pages" >> beam.Map(page_of).with_output_types(Page)
        named = pages | self._transform
        return named | "Add category" >> beam.MapTuple(_categorised).with_output_types(Categorised)


def _categorised(page: Page, category: str) -> Any:
    return Categorised(*page, category=category, quality=None)


class SelectByCategory(beam.PTransform):
    """Rows of ``CategorisePages`` by their category's threshold and sampling rate. table: path of a categories.yaml, empty for ours."""

    def __init__(self, table: str = ""):
        super().__init__()
        self._transform = web.SelectByCategory(table)

    def expand(self, rows: Any) -> dict[str, Any]:
        scored = rows | "Take apart" >> beam.Map(_scored).with_output_types(tuple[Page, str, Optional[float]])  # noqa: UP045
        outcome: Outcome = scored | self._transform
        return outcome._asdict()


def _scored(row: Any) -> tuple[Page, str, float | None]:
    return page_of(row), row.category, row.quality
