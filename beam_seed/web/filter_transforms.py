"""The steps of the web job as filters of their own, for pipelines of yours: pages in, Outcome(kept, rejected, failed) out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam import coders
from apache_beam.pvalue import AsSingleton, TaggedOutput

from beam_seed import storage
from beam_seed.judge import Judge
from beam_seed.outcome import Outcome, filter_documents, tagged
from beam_seed.quality.transforms import CountScores
from beam_seed.records import Failed, Rejected
from beam_seed.web import category_model, heuristics, measure, relevance
from beam_seed.web.archive import read_archive
from beam_seed.web.categories import load_table
from beam_seed.web.decide import category_fate, limits_of
from beam_seed.web.heuristics import Limits, judge_page
from beam_seed.web.measure import judge_relevance
from beam_seed.web.records import Page, reject_page

coders.registry.register_row(Page)  # deterministic, and twice as fast as pickling


@dataclass
class ReadPages(beam.PTransform):
    """PCollection of paths of WARC or WET files -> Outcome of Page: every capture of every archive, once, see ``archive.read_archive``.

    The heuristics are applied in the same pass. An archive is one worker's work.
    """

    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, paths: Any) -> Outcome:
        read = beam.ParDo(_ReadArchive(self.limits)).with_output_types(Page, rejected=Rejected, failed=Failed)
        split = paths | "Read archives" >> read.with_outputs("rejected", "failed", main="kept")
        return Outcome(split.kept, split.rejected, split.failed)


class _ReadArchive(beam.DoFn):
    def __init__(self, limits: Limits):
        self._limits = limits

    def process(self, path: str) -> Iterator[Any]:
        with storage.open_read(path) as stream:
            records: Iterator[Any] = read_archive(stream, path, self._limits)
            for record in records:
                yield tagged(record, record)


@dataclass
class FilterPages(beam.PTransform):
    """Reject pages of few words, error pages, damaged text and pages of links, see :mod:`beam_seed.web.heuristics`.

    For pages that did not come through ReadPages, or other limits than it had.
    """

    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, pages: Any) -> Outcome:
        return filter_documents(pages, functools.partial(_judge_by_limits, self.limits), heuristics.STAGE, Page)


def _judge_by_limits(limits: Limits) -> Judge:
    def judge(pages: Any) -> list[Any]:
        return [judge_page(page, limits) for page in pages]

    return judge


@dataclass
class RecallRelevant(beam.PTransform):
    """Keep pages with code tags, and of the others those that a model recalls (rules ``no-code-tags``, ``not-code-related``).

    model: folder of ``beam-seed train-relevance``, as the workers see it; '' = none, then only code tags tell.
    """

    model: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, pages: Any) -> Outcome:
        return filter_documents(pages, functools.partial(_judge_relevance_by, self.model), measure.STAGE, Page)


def _judge_relevance_by(folder: str) -> Judge:
    model = relevance.open_model(folder) if folder else None

    def judge(pages: Any) -> list[Any]:
        _, rejections = judge_relevance(pages, range(len(pages)), model)
        return [reject_page(page, **rejections[row]) if row in rejections else page for row, page in enumerate(pages)]

    return judge


@dataclass
class CategorisePages(beam.PTransform):
    """PCollection[Page] -> PCollection[(Page, category)]: by rules, by a model where one is given, by the path.

    The categories are ``categories.NAMES``. model: folder of ``beam-seed train-categories``; '' = none.
    """

    model: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, pages: Any) -> Any:
        batches = pages | "Batch pages" >> beam.BatchElements(min_batch_size=32, max_batch_size=256)
        return batches | "Categorise" >> beam.FlatMap(_categorise, self.model).with_output_types(tuple[Page, str])


def _categorise(pages: list[Page], folder: str) -> Iterator[tuple[Page, str]]:
    found = category_model.classify(pages, category_model.open_model(folder) if folder else None)
    yield from zip(pages, (each.category for each in found), strict=True)


@dataclass
class SelectByCategory(beam.PTransform):
    """Apply each category's threshold and sampling rate: PCollection[(Page, category, score)] -> Outcome.

    A share to drop, and rates solved for a target mix, are worked out over the whole input; see ``categories.yaml``. A score is in [0, 1];
    None is no score, and such pages are only sampled. Both passes read the input, so for large crawls use the job.

    table: path of a categories.yaml; '' = the package's.
    """

    table: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        load_table(self.table)

    def expand(self, scored: Any) -> Outcome:
        rows = scored | "Select scores" >> beam.MapTuple(lambda _, category, score: (category, 1, score))
        limits = rows | "Count scores" >> beam.CombineGlobally(CountScores()) | "Find limits" >> beam.Map(self._limits)
        split = scored | "Apply limits" >> beam.ParDo(_select, AsSingleton(limits)).with_output_types(Page, rejected=Rejected).with_outputs(
            "rejected", main="kept"
        )
        nothing = scored.pipeline | "None fail" >> beam.Create([], reshuffle=False).with_output_types(Failed)
        return Outcome(split.kept, split.rejected, nothing)

    def _limits(self, histogram: bytes) -> Any:
        return limits_of(load_table(self.table), histogram)


def _select(scored: tuple[Page, str, float | None], limits: Any) -> Iterator[Any]:
    page, category, score = scored
    fate = category_fate(page.id, category, score, limits)
    if fate is None:
        yield page
    else:
        yield TaggedOutput("rejected", reject_page(page, **fate)._replace(language=category))
