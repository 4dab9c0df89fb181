"""Beam wiring of the curation stages but deduplication. What travels is small (units, shards, verdicts); text stays in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsMultiMap, AsSingleton

from beam_seed import metrics
from beam_seed.curation.assemble import CorpusRows, Part, assemble_part, plan
from beam_seed.curation.datasets import Shard
from beam_seed.curation.decide import Kept, Rule, decide_shard, score_histogram
from beam_seed.curation.measure import measure_shard
from beam_seed.curation.read import Bucket, bucket_count, bucket_of, read_bucket, spill_table
from beam_seed.near_dedup.lsh import Bands
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.records import Document
from beam_seed.report.job import Job
from beam_seed.rules.rules import Limits as RuleLimits
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import metadata_index
from beam_seed.sources.repository import Limits as ReadLimits
from beam_seed.sources.units import Unit, distinct_names

KeyedBytes = tuple[int, bytes]
Packed = Mapping[int, Sequence[bytes]]  # by shard number
Keyed = tuple[tuple[int, int], Document]  # ((shard, row), document)


@dataclass
class ReadRepositories(beam.PTransform):
    """Input patterns to buckets (what was read of each), once their shards of ``documents/`` are written.

    list_units: a pattern to its units, normally :func:`beam_seed.sources.units.list_units`.
    """

    root: str
    list_units: Callable[[str], list[Unit]]
    metadata: str
    columns: str
    limits: ReadLimits
    shard_bytes: int

    def expand(self, patterns: Any) -> Any:
        units = patterns | "List units" >> beam.FlatMap(self.list_units) | "By name" >> beam.GroupBy(lambda unit: unit.repo)
        units = units | "Name apart" >> beam.FlatMapTuple(lambda _, namesakes: distinct_names(list(namesakes)))
        count = AsSingleton(units | "Count buckets" >> beam.CombineGlobally(_CountBuckets(self.shard_bytes)))
        whole = units | "Whole units" >> beam.Filter(lambda unit: unit.kind != "table")
        tables = units | "Tables" >> beam.Filter(lambda unit: unit.kind == "table") | "Spread tables" >> beam.Reshuffle()
        keyed = whole | "Key units" >> beam.Map(lambda unit, count: (bucket_of(unit.repo, count), unit), count)
        spilled = tables | "Spill tables" >> beam.FlatMap(self._spill, count)
        return (
            {"units": keyed, "spills": spilled}
            | "Fill buckets" >> beam.CoGroupByKey()
            | "Read buckets" >> beam.Map(self._read).with_output_types(Bucket)
        )

    def _spill(self, unit: Unit, count: int) -> Iterator[Any]:
        yield from spill_table(unit, ColumnMap.parse(self.columns), self.limits, metadata_index(self.metadata), count, self.root)

    def _read(self, group: tuple[int, Mapping[str, Iterable[Any]]]) -> Bucket:
        bucket, inputs = group
        units, spills = list(inputs["units"]), list(inputs["spills"])
        with metrics.busy("documents"):
            return read_bucket(bucket, units, spills, self.root, self.shard_bytes, self.limits, metadata_index(self.metadata))


class _CountBuckets(beam.CombineFn):
    def __init__(self, shard_bytes: int):
        self._shard_bytes = shard_bytes

    def create_accumulator(self) -> list[Unit]:
        return []

    def add_input(self, units: list[Unit], unit: Unit) -> list[Unit]:
        return [*units, unit]

    def merge_accumulators(self, accumulators: Iterable[list[Unit]]) -> list[Unit]:
        return [unit for units in accumulators for unit in units]

    def extract_output(self, units: list[Unit]) -> int:
        return bucket_count(units, self._shard_bytes)


@dataclass
class MeasureDocuments(beam.PTransform):
    """Shards of ``documents/`` to the same shards, once their ``measures/`` and ``repositories/`` are written."""

    root: str
    limits: RuleLimits
    bands: Bands

    def expand(self, shards: Any) -> Any:
        return shards | "Spread shards" >> beam.Reshuffle() | "Measure" >> beam.Map(self._measure).with_output_types(Shard)

    def _measure(self, shard: Shard) -> Shard:
        with metrics.busy("measures"):
            measure_shard(self.root, shard.number, self.limits, self.bands)
        return shard


class DecideShards(beam.PTransform):
    """Base of what decides scored shards: all scores are counted, then each shard is decided by the counts of all."""

    duplicates: Any
    contaminated: Any

    def expand(self, shards: Any) -> Any:
        measured = AsMultiMap(self.duplicates), AsMultiMap(self.contaminated)
        histogram = (
            shards
            | "Count scores" >> beam.Map(self._count, *measured).with_output_types(bytes)
            | "Merge scores" >> beam.CombineGlobally(lambda packed: ScoreHistogram.merged(packed).to_bytes())
        )
        return shards | "Decide" >> beam.FlatMap(self._decide, *measured, AsSingleton(histogram)).with_output_types(Kept)

    def _count(self, shard: Shard, duplicates: Packed, contaminated: Packed) -> bytes:
        raise NotImplementedError

    def _decide(self, shard: Shard, duplicates: Packed, contaminated: Packed, histogram: bytes) -> Iterator[Kept]:
        raise NotImplementedError


@dataclass
class DecideVerdicts(DecideShards):
    """Scored shards to what each has left in each variant, once ``verdicts/``, ``rejected/`` and ``failed/`` are written.

    duplicates, contaminated: (shard number, packed DUPLICATES and CONTAMINATED).
    """

    root: str
    rule: Rule
    duplicates: Any
    contaminated: Any

    def _count(self, shard: Shard, duplicates: Packed, contaminated: Packed) -> bytes:
        return score_histogram(self.root, shard.number, duplicates[shard.number], contaminated[shard.number], self.rule)

    def _decide(self, shard: Shard, duplicates: Packed, contaminated: Packed, histogram: bytes) -> Iterator[Kept]:
        thresholds = ScoreHistogram.from_bytes(histogram).thresholds(self.rule.drop_lowest)
        measured = duplicates[shard.number], contaminated[shard.number]
        with metrics.busy("verdicts"):
            kept = decide_shard(self.root, shard.number, *measured, thresholds, self.rule)
        yield from kept


@dataclass
class AssembleCorpora(beam.PTransform):
    """What shards have left to the parts of the job's corpora, once written."""

    root: str
    target_bytes: int
    job: Job
    corpus_rows: CorpusRows

    def expand(self, kept: Any) -> Any:
        return (
            kept
            | "All shards" >> beam.combiners.ToList()
            | "Plan" >> beam.FlatMap(plan, self.target_bytes).with_output_types(Part)
            | "Spread parts" >> beam.Reshuffle()
            | "Assemble" >> beam.Map(self._assemble).with_output_types(Part)
        )

    def _assemble(self, part: Part) -> Part:
        with metrics.busy(f"corpora/{part.variant}"):
            assemble_part(self.root, part, self.job, self.corpus_rows)
        return part
