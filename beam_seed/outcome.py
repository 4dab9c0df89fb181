"""What every filter returns, and the one DoFn that turns a pure judge into a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import coders
from apache_beam.utils.windowed_value import WindowedValue

from beam_seed import metrics
from beam_seed.judge import Judge, judge_all
from beam_seed.records import Document, Failed, Judgement, Rejected

for _record in (Document, Rejected, Failed):
    coders.registry.register_row(_record)  # deterministic, and twice as fast as pickling


class Outcome(NamedTuple):
    """The three outputs of a filter: together they are the whole input, each document in exactly one."""

    kept: Any  # PCollection[Document]
    rejected: Any  # PCollection[Rejected]
    failed: Any  # PCollection[Failed]


def tagged(judgement: Judgement, value: Any) -> Any:
    """``value``, the judgement itself or a windowed one, as an element of the output it belongs to."""
    if isinstance(judgement, Rejected):
        return beam.pvalue.TaggedOutput("rejected", value)
    return beam.pvalue.TaggedOutput("failed", value) if isinstance(judgement, Failed) else value


class _JudgeDocuments(beam.DoFn):
    # Batches amortise what a judge pays per call (a hop to a parser process, a compiled kernel); both limits
    # bound what one worker thread holds.
    MAX_DOCUMENTS = 256
    MAX_BYTES = 8 << 20

    def __init__(self, make_judge: Callable[[], Judge], stage: str):
        self._make_judge = make_judge
        self._stage = stage

    def setup(self) -> None:
        self._judge = self._make_judge()

    def start_bundle(self) -> None:
        self._waiting: list[tuple[Document, Any, Any]] = []
        self._bytes = 0

    def process(self, document: Document, timestamp: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        self._waiting.append((document, timestamp, window))
        self._bytes += document.size
        if len(self._waiting) >= self.MAX_DOCUMENTS or self._bytes >= self.MAX_BYTES:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._flush()

    def teardown(self) -> None:
        close = getattr(getattr(self, "_judge", None), "close", None)
        if close is not None:
            close()

    def _flush(self) -> Iterator[Any]:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        documents = [document for document, _, _ in waiting]
        with metrics.busy(f"judge/{self._stage}"):
            judgements = judge_all(self._judge, documents, self._stage)
        metrics.count_judgements(f"judge/{self._stage}", documents, judgements)
        for judgement, (_, timestamp, window) in zip(judgements, waiting, strict=True):
            yield tagged(judgement, WindowedValue(judgement, timestamp, (window,)))


def filter_documents(documents: Any, make_judge: Callable[[], Judge], stage: str, kind: type = Document) -> Outcome:
    """Apply the judge that ``make_judge`` builds on each worker to a PCollection of documents.

    kind: their class, Document or a registered row that has its fields.
    """
    split = documents | f"Judge by {stage}" >> beam.ParDo(_JudgeDocuments(make_judge, stage)).with_output_types(
        kind, rejected=Rejected, failed=Failed
    ).with_outputs("rejected", "failed", main="kept")
    return Outcome(split.kept, split.rejected, split.failed)


def merge(outcomes: Iterable[Outcome], kept: Any) -> Outcome:
    """One outcome of filters applied in a row: the last one's ``kept``, everyone's ``rejected`` and ``failed``."""
    steps = list(outcomes)
    return Outcome(
        kept,
        tuple(step.rejected for step in steps) | "Flatten rejected" >> beam.Flatten(),
        tuple(step.failed for step in steps) | "Flatten failed" >> beam.Flatten(),
    )
