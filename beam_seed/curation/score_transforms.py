"""Beam wiring of stage 4: check syntax, recall known scores, score and remember the rest. Keys and scores travel, never text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsMultiMap, AsSingleton

from beam_seed import metrics, storage
from beam_seed.curation.datasets import FAILED, QUALITY, Shard, shard_path, table_of, write_table
from beam_seed.curation.score import ScoredRow, SyntaxChecker, wanted_scores
from beam_seed.failures import limit_failures
from beam_seed.packing import pack_table, unpack_table, unpack_tables
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat, open_package
from beam_seed.quality.transforms import MAX_FAILED_SHARE, ScoreQuality
from beam_seed.records import Failed
from beam_seed.report.tally import BOTH
from beam_seed.verdicts import check_partitions

KeyedBytes = tuple[int, bytes]

UNSCORED = "_work/unscored"
"""Below the root of a job: the documents that could not be scored, which a job that fails for them names."""


@dataclass
class RecallScores(beam.PTransform):
    """(shard, packed WANTED) to (shard, packed RECALLED): what the cache's ``folder`` knows of a shard, in any number of pieces.

    partitions: parts that the keys are divided into; a worker holds the entries of one.
    """

    folder: str
    partitions: int = 16

    def __post_init__(self) -> None:
        super().__init__()
        check_partitions(self.partitions)

    def expand(self, wanted: Any) -> Any:
        known = (
            wanted.pipeline
            | "Cache" >> beam.Create([self.folder], reshuffle=False)
            | "List files" >> beam.FlatMap(cache.files)
            | "Spread files" >> beam.Reshuffle()
            | "Read files" >> beam.FlatMap(lambda path: self._divided(cache.read(path))).with_output_types(KeyedBytes)
        )
        asked = wanted | "Ask" >> beam.FlatMap(lambda keyed: self._divided(unpack_table(keyed[1]))).with_output_types(KeyedBytes)
        return (
            {"asked": asked, "known": known}
            | "Meet" >> beam.CoGroupByKey()
            | "Recall" >> beam.FlatMap(lambda group: _packed(cache.recall(**group[1]))).with_output_types(KeyedBytes)
        )

    def _divided(self, table: Any) -> Iterator[KeyedBytes]:
        return _packed(cache.divide(table, self.partitions))


def _packed(tables: Iterable[tuple[int, Any]]) -> Iterator[KeyedBytes]:
    return ((key, pack_table(table)) for key, table in tables)


@dataclass
class ScoreAndRemember(beam.PTransform):
    """Score what the cache does not know, and remember it: ``(known, documents)`` to (shard, packed QUALITY), one a shard.

    known: (shard, packed QUALITY), one a shard, of the rows that are not to be scored again. documents: ((shard, row, key), Document),
    those that are. The job fails, and nothing comes out, where more than ``MAX_FAILED_SHARE`` of both have no score: by then all scores
    are in the cache, and the documents without one, with their errors, in ``unscored``. Of the counters of the stage ``scores``,
    ``reused`` tells how many were known.
    """

    scorer: str
    accelerator: str
    folder: str  # of the cache
    unscored: str  # folder of FAILED

    def expand(self, inputs: tuple[Any, Any]) -> Any:
        known, documents = inputs
        # Here the limit is to more than is scored now: where a run is repeated, what failed before is all there is to score.
        scores = documents | "Score quality" >> ScoreQuality(self.scorer, max_failed_share=1, accelerator=self.accelerator)
        scored = scores.scores | "Remember" >> beam.ParDo(_Remember(self.folder))
        failed = scores.failed | "Tell failures" >> beam.ParDo(_TellFailures(self.unscored))
        reused = known | "Count known" >> beam.MapTuple(lambda _, packed: len(unpack_table(packed)))
        held = limit_failures(scored, failed, MAX_FAILED_SHARE, "scored", [reused], self.unscored)
        parts = {
            "known": known,
            "scored": scored,
            "failed": failed | "Pack failures" >> beam.MapTuple(lambda key, told: (key[0], ScoredRow(key[1], None, told.error))),
        }
        return parts | "Meet" >> beam.CoGroupByKey() | "Join" >> beam.Map(_join, AsSingleton(held)).with_output_types(KeyedBytes)


class _Remember(beam.DoFn):
    """((shard, row, key), score) to (shard, ScoredRow), once it is in the cache: what a job that fails has scored is not lost."""

    MAX_WAITING = 1024  # some seconds' work of one core

    def __init__(self, folder: str):
        self._folder = folder

    def start_bundle(self) -> None:
        self._waiting: dict[bytes, float] = {}

    def process(self, keyed: tuple[tuple[int, int, bytes], float]) -> Iterator[tuple[int, ScoredRow]]:
        (shard, row, key), score = keyed
        self._waiting[key] = score
        if len(self._waiting) >= self.MAX_WAITING:
            self.finish_bundle()
        yield shard, ScoredRow(row, score, None)

    def finish_bundle(self) -> None:
        cache.remember(self._folder, list(self._waiting), list(self._waiting.values()))
        self._waiting = {}


class _TellFailures(beam.DoFn):
    """((shard, row, key), Failed) to the same, once it is in a file of ``folder``."""

    def __init__(self, folder: str):
        self._folder = folder

    def start_bundle(self) -> None:
        self._waiting: list[tuple[tuple[int, int, bytes], Failed]] = []

    def process(self, keyed: tuple[tuple[int, int, bytes], Failed]) -> Iterator[tuple[tuple[int, int, bytes], Failed]]:
        self._waiting.append(keyed)
        yield keyed

    def finish_bundle(self) -> None:
        if self._waiting:
            # Named by what is in it: a bundle that is run again writes the same file.
            self._waiting.sort()
            name = hashlib.blake2b(repr([key for key, _ in self._waiting]).encode(), digest_size=16).hexdigest()
            table = table_of([failed for _, failed in self._waiting], FAILED, variant=BOTH)
            write_table(storage.join(self._folder, f"{name}.parquet"), table)


def _join(group: tuple[int, Mapping[str, Iterable[Any]]], _: None) -> KeyedBytes:
    shard, parts = group
    known = unpack_tables(parts["known"], QUALITY)
    scored, failed = ([ScoredRow(*row) for row in parts[name]] for name in ("scored", "failed"))
    rows = pa.concat_tables([known, table_of(scored + failed, QUALITY)]).sort_by("row")
    kept = len(rows) - rows["quality"].null_count
    metrics.count("scores", len(rows), kept, failed=len(rows) - rows["error"].null_count, more={"reused": len(known)})
    return shard, pack_table(rows)


@dataclass
class ScoreSurvivors(beam.PTransform):
    """Shards to the same shards, once ``syntax/`` and ``quality/`` are written for all that deduplication left in a variant.

    scorer: a model directory, '' for the one that comes with the package, None to score nothing. known: folder of the model's cached
    scores. duplicates: (shard number, packed DUPLICATES). make_checker: makes a worker's reader of shards, which says what of one is to
    be scored.
    """

    root: str
    scorer: str | None
    accelerator: str
    known: str
    partitions: int
    duplicates: Any
    make_checker: Callable[[], Any] = SyntaxChecker

    # Reshuffles for the reason that is told in duplicate_transforms: consumers of one collection that meet again further down.
    def expand(self, shards: Any) -> Any:
        duplicates = AsMultiMap(self.duplicates)
        form = None if self.scorer is None else open_package(self.scorer).input
        if form is None:
            recalled = shards.pipeline | "No scores" >> beam.Create([], reshuffle=False).with_output_types(KeyedBytes)
        else:
            wanted = (
                shards
                | "Shards to recall" >> beam.Reshuffle()
                | "Want" >> beam.Map(_want, self.root, form, duplicates).with_output_types(KeyedBytes)
            )
            recalled = wanted | "Recall scores" >> RecallScores(self.known, self.partitions)
        check_shards = _CheckSyntax(self.root, form, self.make_checker)
        check = beam.ParDo(check_shards, duplicates, AsMultiMap(recalled)).with_outputs("done", main="fresh")
        checked = shards | "Spread" >> beam.Reshuffle() | "Check syntax" >> check
        quality = checked.done | "Known" >> beam.MapTuple(lambda shard, known: (shard.number, known)).with_output_types(KeyedBytes)
        if self.scorer is not None:
            quality = (quality, checked.fresh) | "Score the rest" >> ScoreAndRemember(
                self.scorer, self.accelerator, self.known, storage.join(self.root, UNSCORED)
            )
        own = checked.done | "By shard" >> beam.MapTuple(lambda shard, _: (shard.number, shard))
        parts = {"shard": own, "quality": quality}
        return parts | "Meet" >> beam.CoGroupByKey() | "Write quality" >> beam.Map(_write_quality, self.root).with_output_types(Shard)


def _want(shard: Shard, root: str, form: InputFormat, duplicates: Mapping[int, Iterable[bytes]]) -> KeyedBytes:
    return shard.number, pack_table(wanted_scores(root, shard.number, list(duplicates[shard.number]), form))


def _write_quality(group: tuple[int, Mapping[str, Iterable[Any]]], root: str) -> Shard:
    number, parts = group
    write_table(shard_path(root, "quality", number), unpack_tables(parts["quality"], QUALITY))
    (shard,) = parts["shard"]
    return Shard(*shard)


class _CheckSyntax(beam.DoFn):
    """Shards to ((shard, row, key), document) of what is to be scored; 'done': (shard, packed QUALITY of what passed and is known)."""

    def __init__(self, root: str, form: InputFormat | None, make_checker: Callable[[], Any]):
        """``form``: of the scorer; None where nothing is scored."""
        self._root = root
        self._form = form
        self._make_checker = make_checker

    def setup(self) -> None:
        self._checker = self._make_checker()

    def process(self, shard: Shard, duplicates: Mapping[int, Iterable[bytes]], recalled: Mapping[int, Iterable[bytes]]) -> Iterator[Any]:
        table = unpack_tables(recalled[shard.number], cache.RECALLED)
        known = dict(zip(table["row"].to_pylist(), table["score"].to_pylist(), strict=True))
        reused = []
        for row, document in self._checker.check_shard(self._root, shard.number, list(duplicates[shard.number])):
            if row in known:
                reused.append(ScoredRow(row, known[row], None))
            elif self._form is not None:
                key = cache.key_of(bytes.fromhex(document.sha256), document.language, document.path, self._form)
                yield (shard.number, row, key), document
        yield beam.pvalue.TaggedOutput("done", (shard, pack_table(table_of(reused, QUALITY))))

    def teardown(self) -> None:
        self._checker.close()
