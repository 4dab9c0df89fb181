"""Beam wiring of near deduplication: sign, cluster the candidates, verify them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from beam_seed.members import HASHED_SHARD_BITS, SHARD_BITS, hashed_address, is_published, preference
from beam_seed.near_dedup import connected_components as components
from beam_seed.near_dedup.candidates import CANDIDATES, candidate_table, judge
from beam_seed.near_dedup.lsh import Bands, band_hashes, bucket_edges, has_shingles, optimal_bands
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle, unique_sorted
from beam_seed.outcome import Outcome
from beam_seed.packing import U64, pack_columns, pack_table, split_by, unpack_columns, unpack_tables
from beam_seed.records import Document
from beam_seed.verdicts import BatchDocuments, apply_verdicts, check_partitions, check_window, split_verdicts

NUM_PERM = 128  # the peers' number, for comparable figures; 21 bands of 6 use 126 of them
# Measured: a chain of n files in the worst order takes log2(n) rounds: 8 for 300 files, 12 for 4,800. A round without work to do
# costs 0.07 s locally, a job that fails at its end costs all of it.
ROUNDS = 12
_CANDIDATE_PARTS = 256  # verification tasks of DeduplicateNear; each holds the candidates of 1/256 of the clusters
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class ClusterCandidates(beam.PTransform):
    """Signed members to their connected components: ``(address >> shard_bits, packed [address, cluster])``.

    Input: packed ``[members, 1 + bands]`` uint64 columns, address first. Only members that share a bucket with another one come
    out; a cluster is named by its smallest address. ``index``: the band index of corpora published earlier, a PCollection of
    ``(band * partitions + partition, packed [hash, address])``, which reaches the buckets as a multimap side input.

    partitions: parts of each band's hash space, and of the graph's nodes. rounds: how often large-star and small-star alternate;
    the pipeline fails if that is not enough.
    """

    bands: Bands
    partitions: int = 16
    rounds: int = ROUNDS
    shard_bits: int = SHARD_BITS
    index: Any = None

    def __post_init__(self) -> None:
        super().__init__()
        check_partitions(self.partitions)

    def expand(self, signed: Any) -> Any:
        index = self.index
        if index is None:
            index = signed.pipeline | "No index" >> beam.Create([], reshuffle=False).with_output_types(tuple[int, bytes])
        edges = (
            signed
            | "Split by band" >> beam.FlatMap(split_by_band, self.bands.bands, self.partitions).with_output_types(tuple[int, bytes])
            | "Group by band" >> beam.GroupByKey()
            | "Join buckets" >> beam.FlatMap(_join_buckets, beam.pvalue.AsMultiMap(index)).with_output_types(bytes)
        )
        return edges | "Connect" >> ConnectedComponents(self.partitions, self.rounds, self.shard_bits)


@dataclass
class ConnectedComponents(beam.PTransform):
    """Packed ``[edges, 2]`` to ``(node >> shard_bits, packed [node, smallest node of its component])``, every node once.

    Raises RuntimeError in the pipeline where ``rounds`` rounds do not suffice: a half-joined component would let duplicates through.
    """

    partitions: int = 16
    rounds: int = ROUNDS
    shard_bits: int = SHARD_BITS

    def __post_init__(self) -> None:
        super().__init__()
        check_partitions(self.partitions)

    def expand(self, edges: Any) -> Any:
        for number in range(1, self.rounds + 1):
            edges = edges | f"Large star {number}" >> _HalfRound(components.both_ways, components.large_star, self.partitions)
            edges = edges | f"Small star {number}" >> _HalfRound(components.larger_first, components.small_star, self.partitions)
        grouped = edges | "Regroup" >> _GroupByNode(components.both_ways, self.partitions)
        left = grouped | "Count unfinished" >> beam.MapTuple(lambda _, packed: components.unfinished(unpack_columns(packed, 2)))
        unfinished = left | "Sum unfinished" >> beam.CombineGlobally(sum)
        return grouped | "Name components" >> beam.FlatMap(
            _name_components, self.shard_bits, self.rounds, beam.pvalue.AsSingleton(unfinished)
        ).with_output_types(tuple[int, bytes])


@dataclass
class VerifyCandidates(beam.PTransform):
    """``(part, packed CANDIDATES)``, every cluster whole within one part, to ``(address >> shard_bits, packed VERDICTS)``.

    load: turns what was grouped back into the packed table, for callers that group references to spilled tables.
    """

    threshold: float
    bands: Bands
    shard_bits: int = SHARD_BITS
    load: Callable[[bytes], bytes] = bytes

    def expand(self, candidates: Any) -> Any:
        return (
            candidates
            | "Group clusters" >> beam.GroupByKey()
            | "Compare with kept"
            >> beam.FlatMap(_verify_part, self.threshold, self.bands, self.shard_bits, self.load).with_output_types(tuple[int, bytes])
        )


@dataclass
class DeduplicateNear(beam.PTransform):
    """Documents without those whose shingle Jaccard with a kept, preferred document reaches ``threshold`` (rule ``near-duplicate``).

    Documents are told apart by ``id``: the pipeline raises ValueError where two candidates have the same one.
    """

    threshold: float = 0.7
    num_perm: int = NUM_PERM

    def __post_init__(self) -> None:
        super().__init__()
        if not 0.0 < self.threshold < 1.0:
            raise ValueError(f"threshold is {self.threshold}; expected a Jaccard similarity between 0 and 1, such as 0.7")
        if self.num_perm < 2:
            raise ValueError(f"num_perm is {self.num_perm}; expected at least 2 permutations, such as {NUM_PERM}")

    def expand(self, documents: Any) -> Outcome:
        check_window(documents, "near_dedup")
        bands = optimal_bands(self.threshold, self.num_perm)
        signed = documents | "Sign" >> beam.ParDo(_SignDocuments(bands)).with_output_types(bytes)
        clusters = signed | ClusterCandidates(bands, shard_bits=HASHED_SHARD_BITS)
        candidates = documents | "Collect candidates" >> beam.ParDo(
            _CollectCandidates(), beam.pvalue.AsMultiMap(clusters)
        ).with_output_types(tuple[int, bytes])
        verdicts = candidates | VerifyCandidates(self.threshold, bands, HASHED_SHARD_BITS)
        return apply_verdicts(documents, verdicts, "near_dedup", "near-duplicate", self.threshold)


class _SignDocuments(BatchDocuments):
    def __init__(self, bands: Bands):
        self._bands = bands

    def pack(self, documents: list[Document], side_input: Any) -> Iterator[bytes]:
        signatures = sign(shingle([document_bytes(document.content) for document in documents]), self._bands.num_perm)
        addresses = np.array([hashed_address(document.id) for document in documents], dtype=np.uint64)
        signed = has_shingles(signatures)
        yield pack_columns(np.column_stack([addresses, band_hashes(signatures, self._bands)])[signed])


class _CollectCandidates(BatchDocuments):
    def pack(self, documents: list[Document], side_input: Any) -> Iterator[tuple[int, bytes]]:
        addresses = np.array([hashed_address(document.id) for document in documents], dtype=np.uint64)
        clusters = np.zeros(len(documents), dtype=np.uint64)
        found = np.zeros(len(documents), dtype=bool)
        for shard, rows in split_by(addresses >> np.uint64(HASHED_SHARD_BITS)):
            clusters[rows], found[rows] = lookup_clusters(addresses[rows], side_input[shard])
        chosen = [documents[row] for row in np.flatnonzero(found)]
        table = candidate_table(
            clusters[found],
            addresses[found],
            np.ones(len(chosen), dtype=np.int64),
            [preference(d.stars, d.created, d.repo, d.source) for d in chosen],
            [d.path for d in chosen],
            unique_sorted(shingle([document_bytes(d.content) for d in chosen])),
        )
        for part, rows in split_by(table["cluster"].to_numpy() % np.uint64(_CANDIDATE_PARTS)):
            yield part, pack_table(table.take(pa.array(rows)))


def document_bytes(content: str) -> bytes:
    """The bytes that are shingled: UTF-8, where a lone surrogate counts as the three bytes it would take."""
    return content.encode("utf-8", "surrogatepass")


def lookup_clusters(addresses: U64, packed: Iterable[bytes]) -> tuple[U64, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The cluster of each address, and whether it has one, from a shard's packed ``[address, cluster]``."""
    known = unpack_columns(packed, 2)
    known = known[np.argsort(known[:, 0])]
    if not len(known):
        return np.zeros(len(addresses), dtype=np.uint64), np.zeros(len(addresses), dtype=bool)
    at = np.minimum(np.searchsorted(known[:, 0], addresses), len(known) - 1)
    return known[at, 1], known[at, 0] == addresses


def split_by_band(packed: bytes, bands: int, partitions: int) -> Iterator[tuple[int, bytes]]:
    """``[members, 1 + bands]`` to ``(band * partitions + partition, packed [hash, address])``."""
    signed = unpack_columns([packed], 1 + bands)
    for band in range(bands):
        hashes = signed[:, 1 + band]
        columns = np.stack([hashes, signed[:, 0]], axis=1)
        for partition, rows in split_by((hashes % np.uint64(partitions)).astype(np.int64)):
            yield band * partitions + partition, pack_columns(columns[rows])


def _join_buckets(group: tuple[int, Iterable[bytes]], index: Any) -> Iterator[bytes]:
    key, packed = group
    members = unpack_columns([*packed, *index[key]], 2)
    edges = bucket_edges(members[:, 0], members[:, 1], ~is_published(members[:, 1]))
    if len(edges):
        yield pack_columns(edges)


@dataclass
class _GroupByNode(beam.PTransform):
    arrange: Callable[[U64], U64]
    partitions: int

    def expand(self, edges: Any) -> Any:
        split = beam.FlatMap(_split_by_node, self.arrange, self.partitions).with_output_types(tuple[int, bytes])
        return edges | "Split" >> split | "Group" >> beam.GroupByKey()


@dataclass
class _HalfRound(beam.PTransform):
    arrange: Callable[[U64], U64]
    star: Callable[[U64], U64]
    partitions: int

    def expand(self, edges: Any) -> Any:
        return edges | _GroupByNode(self.arrange, self.partitions) | "Star" >> beam.FlatMap(_apply_star, self.star).with_output_types(bytes)


def _split_by_node(packed: bytes, arrange: Callable[[U64], U64], partitions: int) -> Iterator[tuple[int, bytes]]:
    edges = arrange(unpack_columns([packed], 2))
    keys = ((edges[:, 0] * _MIX) >> np.uint64(32)) % np.uint64(partitions)
    for key, rows in split_by(keys):
        yield key, pack_columns(edges[rows])


def _apply_star(group: tuple[int, Iterable[bytes]], star: Callable[[U64], U64]) -> Iterator[bytes]:
    edges = star(unpack_columns(group[1], 2))
    if len(edges):
        yield pack_columns(edges)


def _name_components(group: tuple[int, Iterable[bytes]], shard_bits: int, rounds: int, unfinished: int) -> Iterator[tuple[int, bytes]]:
    if unfinished:
        raise RuntimeError(
            f"connected components: after {rounds} rounds of large-star and small-star {unfinished} nodes are still in no star; "
            "expected none; raise the number of rounds"
        )
    named = components.roots(unpack_columns(group[1], 2))
    for key, rows in split_by(named[:, 0] >> np.uint64(shard_bits)):
        yield key, pack_columns(named[rows])


def _verify_part(
    group: tuple[int, Iterable[bytes]], threshold: float, bands: Bands, shard_bits: int, load: Callable[[bytes], bytes]
) -> Iterator[tuple[int, bytes]]:
    candidates = unpack_tables([load(each) for each in group[1]], CANDIDATES)
    yield from split_verdicts(judge(candidates, threshold, bands), shard_bits)
