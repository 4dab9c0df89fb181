"""Beam wiring of decontamination. The index of the benchmarks is a side input; what is shuffled are n-grams that were found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsSingleton

from beam_seed.decontamination.benchmarks import find_benchmarks
from beam_seed.decontamination.index import Ids, Limits, common_grams, unpack_index
from beam_seed.decontamination.judge import (
    STAGE,
    Texts,
    boilerplate_votes,
    decide_hits,
    find_hits,
    index_of,
    judge_contamination,
    repository_hash,
    search_or_none,
    votes,
)
from beam_seed.judge import judge_all
from beam_seed.outcome import Outcome, tagged
from beam_seed.packing import U64, pack_columns, pack_table, split_by, unpack_columns, unpack_table
from beam_seed.records import Document, Failed, Rejected
from beam_seed.verdicts import BatchDocuments, check_window

KeyedBytes = tuple[int, bytes]

_PARTITIONS = 16  # of the n-grams that are counted


def _check(benchmarks: Sequence[str]) -> None:
    if isinstance(benchmarks, str) or not benchmarks:
        raise ValueError(f"benchmarks is {benchmarks!r}; expected a list of PATH or PATH:field+field")
    find_benchmarks(benchmarks)


@dataclass
class IndexBenchmarks(beam.PTransform):
    """The beginning of a pipeline to one packed :class:`~beam_seed.decontamination.index.Index`: read once, by one worker."""

    benchmarks: Sequence[str]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        super().__init__()
        _check(self.benchmarks)

    def expand(self, begin: Any) -> Any:
        named = begin | "Benchmarks" >> beam.Create([list(self.benchmarks)], reshuffle=False)
        return named | "Build index" >> beam.Map(lambda names: index_of(names, self.limits).pack()).with_output_types(bytes)


@dataclass
class Decontaminate(beam.PTransform):
    """Reject documents that share an n-gram of words with a benchmark, see :mod:`beam_seed.decontamination.index`.

    benchmarks: ``PATH`` or ``PATH:field+field`` each, see :mod:`beam_seed.decontamination.benchmarks`. The documents are in the global
    window, because what is boilerplate is a matter of all of them; they are searched twice, or once with ``Limits(common=0)``.
    """

    benchmarks: Sequence[str]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        super().__init__()
        _check(self.benchmarks)

    def expand(self, documents: Any) -> Outcome:
        check_window(documents, STAGE)
        index = AsSingleton(documents.pipeline | "Index benchmarks" >> IndexBenchmarks(self.benchmarks, self.limits))
        voted = documents.pipeline | "No votes" >> beam.Create([], reshuffle=False).with_output_types(KeyedBytes)
        if self.limits.common:
            voted = documents | "Vote" >> beam.ParDo(_Vote(), index).with_output_types(KeyedBytes)
        common = AsSingleton(voted | "Find common" >> _FindCommon(self.limits.common))
        judge = beam.ParDo(_Judge(), index, common).with_output_types(Document, rejected=Rejected, failed=Failed)
        split = documents | "Judge by decontamination" >> judge.with_outputs("rejected", "failed", main="kept")
        return Outcome(split.kept, split.rejected, split.failed)


class _Vote(BatchDocuments):
    """Documents to the n-grams they have without a copy of a field, packed by partition."""

    def pack(self, documents: list[Document], side_input: bytes) -> Iterator[KeyedBytes]:
        index = unpack_index(side_input)
        found = zip(documents, search_or_none(documents, index), strict=True)
        yield from _by_partition(votes(((repository_hash(document.repo), own) for document, own in found), index))


class _Judge(BatchDocuments):
    def process(self, document: Document, index: bytes, common: bytes) -> Iterator[Any]:  # type: ignore[override]
        yield from super().process(document, (index, common))

    def pack(self, documents: list[Document], side_input: tuple[bytes, bytes]) -> Iterator[Any]:
        index, common = unpack_index(side_input[0]), _ids(side_input[1])
        for judgement in judge_all(lambda batch: judge_contamination(batch, index, common), documents, STAGE):
            yield tagged(judgement, judgement)


@dataclass
class FindContamination(beam.PTransform):
    """Tables, or what stands for them, to (key, packed CONTAMINATED), one each: which of their rows to drop.

    texts: a table's key and the texts of its rows, called on workers; text goes no further. index: see :class:`IndexBenchmarks`.
    """

    texts: Callable[[Any], tuple[int, Iterable[Texts]]]
    limits: Limits
    index: Any

    def expand(self, tables: Any) -> Any:
        index = AsSingleton(self.index)
        hits = tables | "Spread tables" >> beam.Reshuffle() | "Search" >> beam.Map(_search, self.texts, index).with_output_types(KeyedBytes)
        voted = hits | "Vote" >> beam.FlatMap(_vote, self.limits.common, index).with_output_types(KeyedBytes)
        common = AsSingleton(voted | "Find common" >> _FindCommon(self.limits.common))
        # A shuffle of its own for each consumer that has side inputs, for the reason told in curation.duplicate_transforms.
        return hits | "Hits to decide" >> beam.Reshuffle() | "Decide" >> beam.Map(_decide, index, common).with_output_types(KeyedBytes)


@dataclass
class _FindCommon(beam.PTransform):
    """(partition, packed votes) to the packed n-grams that more than ``limit`` repositories have; one element."""

    limit: int

    def expand(self, voted: Any) -> Any:
        return (
            voted
            | "By n-gram" >> beam.GroupByKey()
            | "Count repositories" >> beam.MapTuple(self._common).with_output_types(bytes)
            | "All common" >> beam.CombineGlobally(b"".join)
        )

    def _common(self, _: int, votes: Iterable[bytes]) -> bytes:
        return common_grams(unpack_columns(votes, 2), self.limit).astype("<i8").tobytes()


def _ids(packed: bytes) -> Ids:
    return np.sort(np.frombuffer(packed, dtype="<i8")).astype(np.int64)


def _by_partition(pairs: U64) -> Iterator[KeyedBytes]:
    for partition, rows in split_by(pairs[:, 0] % np.uint64(_PARTITIONS)):
        yield partition, pack_columns(pairs[rows])


def _search(table: Any, texts: Callable[[Any], tuple[int, Iterable[Texts]]], index: bytes) -> KeyedBytes:
    key, batches = texts(table)
    return key, pack_table(find_hits(batches, unpack_index(index)))


def _vote(hits: KeyedBytes, common: int, index: bytes) -> Iterator[KeyedBytes]:
    if common:
        yield from _by_partition(boilerplate_votes(unpack_table(hits[1]), unpack_index(index)))


def _decide(hits: KeyedBytes, index: bytes, common: bytes) -> KeyedBytes:
    return hits[0], pack_table(decide_hits(unpack_table(hits[1]), unpack_index(index), _ids(common)))
