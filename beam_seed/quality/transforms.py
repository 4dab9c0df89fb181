"""Quality in a Beam pipeline: drop the documents with the lowest scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam

from beam_seed.outcome import Outcome
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.records import Document, Rejected, reject

STAGE = "quality"


class CountScores(beam.CombineFn):
    """Combine (group, weight, score or None) into the bytes of a ``ScoreHistogram``."""

    def create_accumulator(self) -> ScoreHistogram:
        return ScoreHistogram()

    def add_input(self, histogram: ScoreHistogram, row: tuple[str, int, float | None]) -> ScoreHistogram:
        return self.add_inputs(histogram, [row])

    def add_inputs(self, histogram: ScoreHistogram, rows: Iterable[tuple[str, int, float | None]]) -> ScoreHistogram:
        grouped: dict[str, list[tuple[int, float | None]]] = {}
        for group, weight, score in rows:
            grouped.setdefault(group, []).append((weight, score))
        for group, found in grouped.items():
            histogram.add([score for _, score in found], [weight for weight, _ in found], group)
        return histogram

    def merge_accumulators(self, histograms: Iterable[ScoreHistogram]) -> ScoreHistogram:
        merged = ScoreHistogram()
        for histogram in histograms:
            merged.merge(histogram)
        return merged

    def extract_output(self, histogram: ScoreHistogram) -> bytes:
        return histogram.to_bytes()


@dataclass
class DropLowest(beam.PTransform):
    """Drop the lowest-scored share of a corpus: ``scored | DropLowest(0.10)`` with PCollection[(Document, score)] -> Outcome.

    A document is rejected when its score is below the threshold that ``ScoreHistogram.threshold`` finds over the whole input, so never more
    than ``share`` goes; ties at the threshold stay. A score of None is no score: such documents are kept. Both passes read the input, so a
    runner that materialises it (every runner, in front of a side input) holds the text: for large corpora filter where the text is read.
    """

    share: float = 0.10  # of the scored files or bytes, 0 <= share < 1
    by: Literal["files", "bytes"] = "files"  # what the share is a share of
    per: Literal["all", "language"] = "all"  # one threshold for everything, or one for each language

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share is {self.share}; expected 0 <= share < 1, such as 0.1 for the lowest tenth")
        for name, value, known in (("by", self.by, ("files", "bytes")), ("per", self.per, ("all", "language"))):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; expected one of {known}")

    def expand(self, scored: beam.PCollection[tuple[Document, float | None]]) -> Outcome:
        histogram = scored | "Select scores" >> beam.Map(_row, self.by, self.per) | "Count scores" >> beam.CombineGlobally(CountScores())
        split = scored | "Compare with threshold" >> beam.ParDo(
            _drop_below, beam.pvalue.AsSingleton(histogram | "Find thresholds" >> beam.Map(_thresholds, self.share)), self.per
        ).with_output_types(Document, rejected=Rejected).with_outputs("rejected", main="kept")
        nothing = scored | "Fail nothing" >> beam.FlatMap(lambda _: ())
        return Outcome(split.kept, split.rejected, nothing)


def _group(document: Document, per: str) -> str:
    return document.language if per == "language" else ""


def _row(scored: tuple[Document, float | None], by: str, per: str) -> tuple[str, int, float | None]:
    document, score = scored
    return _group(document, per), document.size if by == "bytes" else 1, score


def _thresholds(histogram: bytes, share: float) -> dict[str, float]:
    return ScoreHistogram.from_bytes(histogram).thresholds(share)


def _drop_below(scored: tuple[Document, float | None], thresholds: dict[str, float], per: str) -> Iterator[Any]:
    document, score = scored
    threshold = thresholds.get(_group(document, per))
    if score is None or threshold is None or score >= threshold:
        yield document
    else:
        yield beam.pvalue.TaggedOutput("rejected", reject(document, STAGE, "low-quality", score, threshold))
