"""Beam wiring of the commits job. What travels is small (units, ids of commits, shards, scores); text stays in files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsMultiMap, AsSingleton

from beam_seed import metrics, storage
from beam_seed.commits import decide, score
from beam_seed.commits.datasets import COMMITS, SAMPLES
from beam_seed.commits.figures import write_histories
from beam_seed.commits.measure import measure_shard
from beam_seed.commits.ranges import Range, Reading, full_name, plan_ranges, read_range
from beam_seed.commits.repository import list_histories
from beam_seed.commits.tokens import token_counter
from beam_seed.curation.datasets import MAX_BUCKETS, QUALITY, Shard, table_of
from beam_seed.curation.decide import Kept
from beam_seed.curation.read import Bucket, write_bucket
from beam_seed.curation.score import ScoredRow
from beam_seed.curation.score_transforms import UNSCORED, KeyedBytes, RecallScores, ScoreAndRemember
from beam_seed.judge import Judge
from beam_seed.near_dedup.lsh import Bands
from beam_seed.packing import pack_table, unpack_tables
from beam_seed.quality.cache import RECALLED
from beam_seed.quality.package import InputFormat, open_package
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.sources.metadata import metadata_index
from beam_seed.sources.units import Unit, distinct_names


@dataclass
class ReadHistories(beam.PTransform):
    """Input patterns to buckets of samples, once their shards of ``documents/`` and their part of ``histories/`` are written.

    Long histories are divided into ranges; ranges are spread over buckets by a digest of the repository's name and the range's number, as
    many buckets as there are ranges of full length in all. metadata: path of a table of repositories, '' for none. tokenizer: path of a
    ``tokenizer.json`` that tokens are counted with, '' to estimate them.
    """

    root: str
    metadata: str = ""
    reading: Reading = field(default_factory=Reading)
    tokenizer: str = ""
    shard_bytes: int = 32 << 20

    def __post_init__(self) -> None:
        super().__init__()
        if self.reading.range_commits < 1:
            raise ValueError(f"range_commits is {self.reading.range_commits}; expected at least 1, such as 5,000")

    def expand(self, patterns: Any) -> Any:
        units = (
            patterns
            | "List histories" >> beam.FlatMap(list_histories)
            | "Full names" >> beam.Map(self._full_name)
            | "By name" >> beam.GroupBy(lambda unit: unit.repo)
            | "Name apart" >> beam.FlatMapTuple(lambda _, namesakes: distinct_names(list(namesakes)))
        )
        ranges = units | "Spread units" >> beam.Reshuffle() | "Plan ranges" >> beam.FlatMap(self._plan).with_output_types(Range)
        count = AsSingleton(ranges | "Commits" >> beam.Map(lambda some: len(some.ids) // 20) | "Count" >> beam.CombineGlobally(sum))
        return (
            ranges
            | "Ranges apart" >> beam.Reshuffle()
            | "Key ranges" >> beam.Map(_keyed, count, self.reading.range_commits)
            | "Fill buckets" >> beam.GroupByKey()
            | "Read buckets" >> beam.MapTuple(self._read).with_output_types(Bucket)
        )

    def _full_name(self, unit: Unit) -> Unit:
        return full_name(unit, metadata_index(self.metadata))

    def _plan(self, unit: Unit) -> Iterator[Range]:
        return plan_ranges(unit, self.reading, metadata_index(self.metadata))

    def _read(self, bucket: int, ranges: Iterable[Range]) -> Bucket:
        counter, known = token_counter(self.tokenizer), metadata_index(self.metadata)
        ordered = sorted(ranges, key=lambda some: (some.unit.repo, some.unit.path, some.number))
        write_histories(self.root, bucket, ordered, self.reading.repositories)
        items = (item for some in ordered for item in read_range(some, self.reading, known, counter))
        with metrics.busy("documents"):
            return write_bucket(bucket, items, self.root, self.shard_bytes, SAMPLES, COMMITS.variants[0])


def _keyed(some: Range, commits: int, range_commits: int) -> tuple[int, Range]:
    buckets = min(max(1, -(-commits // range_commits)), MAX_BUCKETS)
    name = f"{some.unit.repo}\0{some.number}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") % buckets, some


@dataclass
class MeasureSamples(beam.PTransform):
    """Shards to the same shards, once their ``measures/`` are written.

    judges: each makes, on its worker, a judge that is given whole samples as documents and may reject them, such as for sharing text with
    a benchmark.
    """

    root: str
    bands: Bands
    judges: Sequence[Callable[[], Judge]] = ()

    def expand(self, shards: Any) -> Any:
        measure = beam.ParDo(_Measure(self.root, self.bands, self.judges)).with_output_types(Shard)
        return shards | "Spread shards" >> beam.Reshuffle() | "Measure" >> measure


class _Measure(beam.DoFn):
    def __init__(self, root: str, bands: Bands, judges: Sequence[Callable[[], Judge]]):
        self._root, self._bands, self._make_judges = root, bands, judges

    def setup(self) -> None:
        self._judges = [make() for make in self._make_judges]

    def process(self, shard: Shard) -> Iterator[Shard]:
        with metrics.busy("measures"):
            measure_shard(self._root, shard.number, self._bands, self._judges)
        yield shard


@dataclass
class ScoreChanges(beam.PTransform):
    """Shards to the same shards, once ``quality/`` is written: the mean score of each sample's changed files as the commit left them.

    scorer: a model directory, '' for the one that comes with the package, None to score nothing. known: folder of the model's cached
    scores. duplicates: (shard, packed DUPLICATES).
    """

    root: str
    scorer: str | None
    accelerator: str
    known: str
    partitions: int
    duplicates: Any

    # Reshuffles for the reason that is told in curation.duplicate_transforms: consumers of one collection that meet again further down.
    def expand(self, shards: Any) -> Any:
        own = shards | "By shard" >> beam.Map(lambda shard: (shard.number, shard))
        parts = {"shard": own} | ({} if self.scorer is None else {"quality": self._score(shards, self.scorer)})
        return parts | "Meet" >> beam.CoGroupByKey() | "Write quality" >> beam.Map(_write_quality, self.root).with_output_types(Shard)

    def _score(self, shards: Any, scorer: str) -> Any:
        form, duplicates = open_package(scorer).input, AsMultiMap(self.duplicates)
        wanted = (
            shards
            | "Shards to recall" >> beam.Reshuffle()
            | "Want" >> beam.Map(_want, self.root, form, duplicates).with_output_types(KeyedBytes)
        )
        recalled = AsMultiMap(wanted | "Recall scores" >> RecallScores(self.known, self.partitions))
        split = beam.ParDo(_SplitKnown(self.root, form), duplicates, recalled).with_outputs("known", main="fresh")
        files = shards | "Spread shards" >> beam.Reshuffle() | "Changed files" >> split
        score_rest = ScoreAndRemember(scorer, self.accelerator, self.known, storage.join(self.root, UNSCORED))
        return (files.known, files.fresh) | "Score the rest" >> score_rest


def _want(shard: Shard, root: str, form: InputFormat, duplicates: Mapping[int, Iterable[bytes]]) -> KeyedBytes:
    return shard.number, pack_table(score.wanted_scores(root, shard.number, duplicates[shard.number], form))


class _SplitKnown(beam.DoFn):
    """Shards to ((shard, place, key), document) of the files to be scored; 'known': (shard, packed QUALITY) of the others, one a shard."""

    def __init__(self, root: str, form: InputFormat):
        self._root, self._form = root, form

    def process(self, shard: Shard, duplicates: Mapping[int, Iterable[bytes]], recalled: Mapping[int, Iterable[bytes]]) -> Iterator[Any]:
        table = unpack_tables(recalled[shard.number], RECALLED)
        reused = []
        for file in score.split_known(self._root, shard.number, duplicates[shard.number], table, self._form):
            if isinstance(file, ScoredRow):
                reused.append(file)
            else:
                place, key, document = file
                yield (shard.number, place, key), document
        yield beam.pvalue.TaggedOutput("known", (shard.number, pack_table(table_of(reused, QUALITY))))


def _write_quality(group: tuple[int, Mapping[str, Iterable[Any]]], root: str) -> Shard:
    number, parts = group
    score.write_quality(root, number, unpack_tables(parts.get("quality", ()), QUALITY))
    (shard,) = parts["shard"]
    return Shard(*shard)


@dataclass
class DecideSamples(beam.PTransform):
    """Scored shards to what each has left, once ``verdicts/``, ``rejected/`` and ``failed/`` are written."""

    root: str
    limits: decide.Limits
    duplicates: Any

    def expand(self, shards: Any) -> Any:
        duplicates = AsMultiMap(self.duplicates)
        histogram = (
            shards
            | "Count scores" >> beam.Map(self._count, duplicates).with_output_types(bytes)
            | "Merge scores" >> beam.CombineGlobally(lambda packed: ScoreHistogram.merged(packed).to_bytes())
        )
        return shards | "Decide" >> beam.FlatMap(self._decide, duplicates, AsSingleton(histogram)).with_output_types(Kept)

    def _count(self, shard: Shard, duplicates: Mapping[int, Iterable[bytes]]) -> bytes:
        return decide.score_histogram(self.root, shard.number, duplicates[shard.number])

    def _decide(self, shard: Shard, duplicates: Mapping[int, Iterable[bytes]], histogram: bytes) -> Iterator[Kept]:
        threshold = ScoreHistogram.from_bytes(histogram).thresholds(self.limits.drop_lowest).get("")
        with metrics.busy("verdicts"):
            kept = decide.decide_shard(self.root, shard.number, duplicates[shard.number], threshold, self.limits)
        yield from kept
