"""Labelling in a Beam pipeline: an oracle rates documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.transforms.window import GlobalWindows

from beam_seed.failures import check_share, limit_failures
from beam_seed.labels.handler import ChatHandler, RubricHandler, count
from beam_seed.labels.opinion import Opinion
from beam_seed.labels.oracles import Chat, Oracle, Rubric
from beam_seed.local_runner import local_processes
from beam_seed.records import Document

K = TypeVar("K")


class Labels(NamedTuple):
    """What ``LabelDocuments`` returns: every key of its input is in exactly one of the two."""

    labels: Any  # PCollection[tuple[K, Opinion]], each with a rating from 0 to 10
    failed: Any  # PCollection[tuple[K, Opinion]], each with an error, and the raw answer where there was one


@dataclass
class LabelDocuments(beam.PTransform, Generic[K]):
    """Let an oracle rate documents: PCollection[(K, Document)] -> Labels.

    Text goes no further than the worker that read it. The job fails when more than ``max_failed_share`` of the documents have no rating.
    A chat oracle's cost and rate limits hold for all processes together: each has its equal share. Bounded input in the global window only.
    """

    oracle: Oracle
    max_failed_share: float = 0.05  # of the documents; 0 = fail on the first one, 1 = never fail
    processes: int = 0  # that ask at once on a service runner, such as Dataflow's workers times their processes; 0 = told by a local runner

    def __post_init__(self) -> None:
        check_share(self.max_failed_share)
        if self.processes < 0:
            raise ValueError(f"processes is {self.processes}; expected 0 or a number above it")

    def expand(self, documents: beam.PCollection[tuple[K, Document]]) -> Labels:
        if not documents.windowing.is_default():
            raise ValueError(f"the input has windowing {documents.windowing}; expected the global window: label windows one at a time")
        handler = _handler(self.oracle, self.processes or local_processes(documents.pipeline.options))
        size = 16 * self.oracle.concurrency if isinstance(self.oracle, Chat) else _BatchDocuments.MAX_DOCUMENTS
        opinions = (
            documents
            | "Batch documents" >> beam.ParDo(_BatchDocuments(size))
            | "Ask oracle" >> RunInference(KeyedModelHandler(handler).with_no_batching())
        )
        split = opinions | "Split opinions" >> beam.ParDo(_split).with_outputs("failed", main="labels")
        limit_failures(split.labels, split.failed, self.max_failed_share, "labelled")
        return Labels(split.labels, split.failed)


def _handler(oracle: Oracle, processes: int) -> ChatHandler | RubricHandler:
    if isinstance(oracle, Rubric):
        return RubricHandler(oracle)
    if not processes and oracle.needs_processes:
        raise ValueError(
            "max_cost or requests_per_minute is set and the runner does not say how many processes will ask; "
            "expected processes, the most there can be: each gets its share"
        )
    return ChatHandler(oracle, processes or 1)


class _BatchDocuments(beam.DoFn):
    # Requests in flight run dry at a batch's end: with 16 batches' worth of them little of the time is lost. Both limits bound what waits.
    MAX_DOCUMENTS = 64
    MAX_BYTES = 8 << 20

    def __init__(self, size: int):
        self._size = size

    def start_bundle(self) -> None:
        self._waiting: list[tuple[Any, Document]] = []
        self._bytes = 0

    def process(self, keyed: tuple[Any, Document]) -> Iterator[list[tuple[Any, Document]]]:
        self._waiting.append(keyed)
        self._bytes += len(keyed[1].content)
        if len(self._waiting) >= self._size or self._bytes >= self.MAX_BYTES:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        yield from map(GlobalWindows.windowed_value_at_end_of_window, self._flush())

    def _flush(self) -> Iterator[list[tuple[Any, Document]]]:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if waiting:
            yield waiting


def _split(keyed: tuple[Any, Opinion]) -> Iterator[Any]:
    count(keyed[1])
    yield keyed if keyed[1].rating is not None else beam.pvalue.TaggedOutput("failed", keyed)
