"""Beam wiring of exact deduplication."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from beam_seed.exact_dedup.duplicates import digest_partition, find_duplicates
from beam_seed.members import HASHED_SHARD_BITS, MEMBERS, SHARD_BITS
from beam_seed.outcome import Outcome
from beam_seed.packing import pack_table, split_by, unpack_table, unpack_tables
from beam_seed.verdicts import PackMembers, apply_verdicts, check_partitions, check_window, split_verdicts


@dataclass
class FindExactDuplicates(beam.PTransform):
    """Packed MEMBERS tables to ``(address >> shard_bits, packed VERDICTS)``.

    partitions: parts of the digest space grouped separately; the members of one part must fit one worker's memory.
    """

    partitions: int = 16
    shard_bits: int = SHARD_BITS

    def __post_init__(self) -> None:
        super().__init__()
        check_partitions(self.partitions)

    def expand(self, members: Any) -> Any:
        return (
            members
            | "Split by digest" >> beam.FlatMap(_split_by_digest, self.partitions).with_output_types(tuple[int, bytes])
            | "Group by digest" >> beam.GroupByKey()
            | "Find equal digests" >> beam.FlatMap(_find_equal, self.shard_bits).with_output_types(tuple[int, bytes])
        )


@dataclass
class DeduplicateExact(beam.PTransform):
    """Documents without those whose SHA-256 a preferred document has too (rule ``exact-duplicate``).

    Documents are told apart by ``id``: the pipeline raises ValueError where two duplicates have the same one.
    """

    partitions: int = 16

    def __post_init__(self) -> None:
        super().__init__()
        check_partitions(self.partitions)

    def expand(self, documents: Any) -> Outcome:
        check_window(documents, "exact_dedup")
        members = documents | "Pack members" >> beam.ParDo(PackMembers()).with_output_types(bytes)
        verdicts = members | FindExactDuplicates(self.partitions, HASHED_SHARD_BITS)
        return apply_verdicts(documents, verdicts, "exact_dedup", "exact-duplicate", 1.0)


def _split_by_digest(packed: bytes, partitions: int) -> Iterator[tuple[int, bytes]]:
    members = unpack_table(packed)
    for partition, rows in split_by(digest_partition(members, partitions)):
        yield partition, pack_table(members.take(pa.array(rows)))


def _find_equal(group: tuple[int, Iterable[bytes]], shard_bits: int) -> Iterator[tuple[int, bytes]]:
    yield from split_verdicts(find_duplicates(unpack_tables(group[1], MEMBERS)), shard_bits)
