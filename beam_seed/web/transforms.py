"""Beam wiring of the web job. What travels is small (file names, shards, digests, verdicts); text stays in files."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsMultiMap

from beam_seed import metrics, storage
from beam_seed.curation.datasets import Shard
from beam_seed.curation.decide import Kept
from beam_seed.curation.read import Bucket, write_bucket
from beam_seed.curation.transforms import DecideShards, Packed
from beam_seed.exact_dedup.transforms import FindExactDuplicates
from beam_seed.near_dedup.lsh import Bands
from beam_seed.records import Failed, Rejected
from beam_seed.web import category_model, relevance
from beam_seed.web.addresses import address_members, same_addresses
from beam_seed.web.archive import read_archive
from beam_seed.web.categories import load_table
from beam_seed.web.datasets import PAGES
from beam_seed.web.decide import decide_shard, limits_of, score_histogram
from beam_seed.web.heuristics import Limits
from beam_seed.web.job import VARIANT
from beam_seed.web.measure import Models, measure_shard
from beam_seed.web.records import Page


@dataclass
class ReadArchives(beam.PTransform):
    """``(bucket, its archives)`` to what was read of each bucket, once its shards of ``documents/`` are written."""

    root: str
    limits: Limits
    shard_bytes: int

    def expand(self, buckets: Any) -> Any:
        return buckets | "Spread archives" >> beam.Reshuffle() | "Read archives" >> beam.Map(self._read).with_output_types(Bucket)

    def _read(self, bucket: tuple[int, Sequence[str]]) -> Bucket:
        number, paths = bucket
        with metrics.busy("documents"):
            return write_bucket(number, self._records(paths), self.root, self.shard_bytes, PAGES, VARIANT)

    def _records(self, paths: Sequence[str]) -> Iterator[Page | Rejected | Failed]:
        for path in paths:
            with storage.open_read(path) as stream:
                yield from read_archive(stream, path, self.limits)


@dataclass
class FindSameAddresses(beam.PTransform):
    """Shards of ``documents/`` to ``(shard number, packed VERDICTS)`` on pages of one canonical address."""

    root: str
    partitions: int

    def expand(self, shards: Any) -> Any:
        members = shards | "Pack addresses" >> beam.Map(lambda shard: address_members(self.root, shard.number)).with_output_types(bytes)
        return members | "Find same addresses" >> FindExactDuplicates(self.partitions)


@dataclass
class MeasurePages(beam.PTransform):
    """Shards of ``documents/`` to the same shards, once their ``measures/`` are written.

    relevance, categories: folders of models, '' for none. addresses: of FindSameAddresses.
    """

    root: str
    relevance: str
    categories: str
    bands: Bands
    addresses: Any

    # A Reshuffle of its own for the consumer with side inputs, for the reason that is told in curation.duplicate_transforms.
    def expand(self, shards: Any) -> Any:
        spread = shards | "Spread shards" >> beam.Reshuffle()
        return spread | "Measure" >> beam.Map(self._measure, AsMultiMap(self.addresses)).with_output_types(Shard)

    def _measure(self, shard: Shard, addresses: Mapping[int, Iterable[bytes]]) -> Shard:
        models = _models(self.relevance, self.categories)
        with metrics.busy("measures"):
            measure_shard(self.root, shard.number, same_addresses(addresses[shard.number]), models, self.bands)
        return shard


@functools.lru_cache(maxsize=1)  # once for each worker process, not for each shard
def _models(relevance_folder: str, category_folder: str) -> Models:
    return Models(
        relevance.open_model(relevance_folder) if relevance_folder else None,
        category_model.open_model(category_folder) if category_folder else None,
    )


@dataclass
class DecidePages(DecideShards):
    """Scored shards to what each has left in the corpus, once ``verdicts/``, ``rejected/`` and ``failed/`` are written.

    table: path of a categories.yaml, '' for the package's. duplicates, contaminated: (shard number, packed DUPLICATES and
    CONTAMINATED).
    """

    root: str
    table: str
    near_threshold: float
    duplicates: Any
    contaminated: Any

    def _count(self, shard: Shard, duplicates: Packed, contaminated: Packed) -> bytes:
        measured = duplicates[shard.number], contaminated[shard.number]
        return score_histogram(self.root, shard.number, *measured, self.near_threshold)

    def _decide(self, shard: Shard, duplicates: Packed, contaminated: Packed, histogram: bytes) -> Iterator[Kept]:
        limits = limits_of(load_table(self.table), histogram)
        measured = duplicates[shard.number], contaminated[shard.number]
        with metrics.busy("verdicts"):
            kept = decide_shard(self.root, shard.number, *measured, self.near_threshold, limits)
        yield from kept
