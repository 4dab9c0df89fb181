"""Beam wiring of stage 7."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton

from beam_seed import storage
from beam_seed.curation.datasets import Shard
from beam_seed.curation.summary import Run, Totals, illustrate, merge_totals, sum_totals, write_summary

# Tallies are a few kilobytes each; a task reads this many.
_TALLIES_PER_TASK = 256


@dataclass
class SumTallies(beam.PTransform):
    """PCollections whose items are made once their tallies are written, to the :class:`Totals` of all tallies of a run."""

    root: str

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, parts: tuple[Any, ...]) -> Any:
        return (
            parts[0].pipeline
            | "Start" >> beam.Create([self.root], reshuffle=False)
            | "Find tallies" >> beam.FlatMap(_find_tallies, *map(AsIter, parts))
            | "Spread tallies" >> beam.Reshuffle()
            | "Read tallies" >> beam.Map(merge_totals)
            | "Sum tallies" >> beam.CombineGlobally(sum_totals)
        )


@dataclass
class SummariseRun(beam.PTransform):
    """(buckets read, shards, parts of the corpora) to the manifest of the run, once everything is written.

    finished: stage -> PCollection of the one time at which it was published (None: by an earlier run).
    """

    run: Run
    finished: Mapping[str, Any]

    def expand(self, inputs: tuple[Any, Any, Any]) -> Any:
        buckets, shards, parts = inputs
        start = shards.pipeline | "Start" >> beam.Create([self.run.root], reshuffle=False)
        totals = (parts,) | "Totals" >> SumTallies(self.run.root)
        pictures = shards | "Spread" >> beam.Reshuffle() | "Illustrate" >> beam.Map(_illustrate, self.run, AsSingleton(totals))
        finished = {stage: AsSingleton(self.finished[stage]) for stage in self.run.stages}
        return start | "Write summary" >> beam.Map(_write, self.run, AsSingleton(totals), AsIter(pictures), AsIter(buckets), **finished)


def _find_tallies(root: str, *parts: Any) -> Iterator[list[str]]:
    _ = [list(each) for each in parts]  # what is waited for: every tally is written before the last part of a corpus
    paths = [info.path for info in storage.match(storage.join(storage.escape(root), "_work", "tally", "*.json"))]
    for start in range(0, len(paths), _TALLIES_PER_TASK):
        yield paths[start : start + _TALLIES_PER_TASK]


def _illustrate(shard: Shard, run: Run, totals: Totals) -> tuple[bytes, dict[str, str]]:
    return illustrate(run.root, shard.number, totals, run.job.excerpt)


def _write(_: str, run: Run, totals: Totals, pictures: Any, buckets: Any, **finished: float | None) -> dict[str, Any]:
    return write_summary(run, Totals(*totals), pictures, buckets, finished, time.time())
