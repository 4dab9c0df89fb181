"""Sampling in a Beam pipeline: what is shuffled are draws, digests and addresses; text is read by whoever needs it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa

from beam_seed import metrics
from beam_seed.labels.allocation import Quotas
from beam_seed.labels.sample import CANDIDATES, Candidate, Pool, candidates, merge_pools, pick, plan, pools
from beam_seed.packing import pack_table, unpack_table
from beam_seed.records import Document

# Copies of one content must meet: its digest decides where. Each part is one worker's work and holds a 64th of the files' draws, about
# 150 bytes each.
_PARTS = 64
_BATCH = 1 << 16  # candidates in a packed batch, 5 MB: enough that a part's share of it is worth an element

SHARD_ROWS = 512  # of a sample: what one worker labels as one task, minutes of it where a large model is asked


class Chosen(NamedTuple):
    """What ``ChooseFiles`` returns."""

    shards: Any  # PCollection[tuple[int, list[tuple[str, list[int]]]]]: number, and the rows of each table
    summary: Any  # PCollection[dict], one element: per language asked, available and taken; and what was not sampled from


@dataclass
class ChooseFiles(beam.PTransform):
    """Draw a sample from Parquet tables: PCollection[str] of paths -> Chosen. See ``labels.sample`` for how."""

    quotas: Quotas
    seed: int = 0
    per_project: int = 0  # files of one project in one language at most; 0 = any number

    def __post_init__(self) -> None:
        if not self.quotas.allocation and self.quotas.per_language < 1:
            raise ValueError(f"the quotas ask for {self.quotas}; expected an allocation, or a number of files per language")
        if self.per_project < 0:
            raise ValueError(f"per_project is {self.per_project}; expected 0 or a number above it")

    def expand(self, tables: beam.PCollection[str]) -> Chosen:
        found = tables | "Find candidates" >> beam.ParDo(_FindCandidates(self.quotas, self.seed)).with_outputs("tally", main="packed")
        chosen = (
            found.packed
            | "Bring copies together" >> beam.GroupByKey()
            | "Count copies once" >> beam.FlatMap(_pools, self.quotas, self.per_project)
            | "Take smallest draws" >> beam.CombinePerKey(functools.partial(merge_pools, per_project=self.per_project))
            | "List languages" >> beam.combiners.ToList()
        )
        tally = found.tally | "Add up tallies" >> beam.CombineGlobally(_sum_counters)
        shards = chosen | "Plan shards" >> beam.FlatMap(_plan) | "Spread shards" >> beam.Reshuffle()
        summary = chosen | "Summarise sample" >> beam.Map(_summary, self.quotas, beam.pvalue.AsSingleton(tally))
        return Chosen(shards, summary)


@dataclass
class SampleFiles(beam.PTransform):
    """Draw a sample from Parquet tables and read it: PCollection[str] of paths -> PCollection[Document]."""

    quotas: Quotas
    seed: int = 0
    per_project: int = 0

    def expand(self, tables: beam.PCollection[str]) -> beam.PCollection[Document]:
        chosen = tables | "Choose files" >> ChooseFiles(self.quotas, self.seed, self.per_project)
        return chosen.shards | "Read files" >> beam.FlatMap(lambda shard: pick(shard[1])).with_output_types(Document)


class _FindCandidates(beam.DoFn):
    def __init__(self, quotas: Quotas, seed: int):
        self._quotas = quotas
        self._seed = seed

    def process(self, path: str) -> Iterator[Any]:
        tally: Counter[str] = Counter()
        waiting: list[Candidate] = []
        found = 0
        for each in candidates(path, self._quotas, self._seed, tally):
            found += 1
            waiting.append(each)
            if len(waiting) == _BATCH:
                yield from _packed(waiting)
                waiting = []
        yield from _packed(waiting)
        passed_over = {name.replace("_", "-"): number for name, number in tally.items() if name != "rows"}
        metrics.count("candidates", tally["rows"], found, passed_over)
        yield beam.pvalue.TaggedOutput("tally", tally)


def _packed(found: list[Candidate]) -> Iterator[tuple[int, bytes]]:
    parts: dict[int, list[Candidate]] = {}
    for each in found:
        parts.setdefault(each.content[0] % _PARTS, []).append(each)
    for part, group in sorted(parts.items()):
        columns = [pa.array(values, field.type) for values, field in zip(zip(*group, strict=True), CANDIDATES, strict=True)]
        yield part, pack_table(pa.table(columns, schema=CANDIDATES))


def _pools(keyed: tuple[int, Iterable[bytes]], quotas: Quotas, per_project: int) -> Iterator[tuple[str, Pool]]:
    tables = map(unpack_table, keyed[1])
    found = (Candidate(*row) for table in tables for row in zip(*(column.to_pylist() for column in table.columns), strict=True))
    yield from pools(found, quotas, per_project).items()


def _sum_counters(counters: Iterable[Counter[str]]) -> Counter[str]:
    return sum(counters, Counter())


def _plan(chosen: list[tuple[str, Pool]]) -> Iterator[Any]:
    yield from plan((each for _, pool in chosen for each in pool.taken), SHARD_ROWS)


def _summary(chosen: list[tuple[str, Pool]], quotas: Quotas, tally: Counter[str]) -> dict[str, Any]:
    found = dict(chosen)
    languages = {
        name: {"asked": quotas.of(name), "available": found[name].available, "taken": len(found[name].taken)}
        if name in found
        else {"asked": quotas.of(name), "available": 0, "taken": 0}
        for name in sorted({*quotas.allocation, *found})
    }
    available = sum(each["available"] for each in languages.values())
    passed_over = {name: tally[name] for name in ("unusable", "without_language", "not_asked")}
    return {
        "rows": tally["rows"],
        "not_sampled": {**passed_over, "copies": tally["rows"] - sum(passed_over.values()) - available},
        "available": available,
        "taken": sum(each["taken"] for each in languages.values()),
        "languages": languages,
    }
