"""Packed sequences to shards: the global shuffle is a sort by key, done bucket by bucket of the key's first bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed import storage
from beam_seed.curation.datasets import write_batches
from beam_seed.shards.format import SEQUENCES, ShardFile
from beam_seed.shards.sequences import KEYED, Counts, add, count, in_order
from beam_seed.shards.spill import read_spills
from beam_seed.shards.tables import overlapping, shard_range

# Tokens of a row group: what a reader that begins in the middle of a shard reads in vain at most, 4 MB.
_GROUP_TOKENS = 1 << 20

_BUCKETS_PER_SHARD = 16  # a shard reads up to two buckets too many: an eighth of it

NOTHING = Counts(0, {}, {})

DOCUMENTS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("language", pa.string()),  # null = unknown
        pa.field("license", pa.string()),
        pa.field("form", pa.string(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),  # bytes of text
        pa.field("tokens", pa.int64(), nullable=False),  # END included
        pa.field("quality", pa.float32()),
    ]
)
"""What statistics.pbtxt and schema.pbtxt are about: the documents that went in."""

CATEGORICAL = ("source", "language", "license", "form")


def bucket_bits(shards: int) -> int:
    """First bits of a key that say its bucket."""
    return (shards * _BUCKETS_PER_SHARD - 1).bit_length()


def buckets_of(keys: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.int64]:
    return (keys >> np.uint64(64 - bits)).astype(np.int64)


def described(documents: pa.Table) -> pa.Table:
    """Packed documents as their statistics see them."""
    columns = {name: documents[name] for name in DOCUMENTS.names}
    columns["language"] = pc.if_else(pc.equal(columns["language"], ""), pa.scalar(None, pa.string()), columns["language"])
    return pa.table({name: columns[name] for name in DOCUMENTS.names}, schema=DOCUMENTS)


def shard_name(number: int) -> str:
    return f"shards/{number:05d}.parquet"


def write_shard(
    root: str, shard: int, shards: int, spills: Sequence[str], counts: Sequence[int], length: int
) -> tuple[ShardFile, Counts] | None:
    """Write one shard from files of packed sequences; ``counts``: sequences of each bucket, of all files. None where it has none."""
    first, last = shard_range(shard, shards, sum(counts))
    if first == last:
        return None
    path = storage.join(root, *shard_name(shard).split("/"))
    found = NOTHING

    def groups() -> Iterator[pa.Table]:
        nonlocal found
        for group in _row_groups(_in_order(spills, counts, first, last), max(1, _GROUP_TOKENS // length)):
            found = add(found, count(group["pieces"].combine_chunks()))
            yield group

    write_batches(path, SEQUENCES, groups())
    return shard_file(root, shard_name(shard), last - first), found


def shard_file(root: str, name: str, sequences: int) -> ShardFile:
    """The manifest's entry of a file that is written."""
    size, digest = storage.digest(storage.join(root, *name.split("/")))
    return ShardFile(name, sequences, size, digest)


def _in_order(spills: Sequence[str], counts: Sequence[int], first: int, last: int) -> Iterator[pa.Table]:
    wanted = list(overlapping(counts, first, last))
    tables = read_spills(spills, [bucket for bucket, _, _ in wanted], KEYED)
    for (_, begin, end), table in zip(wanted, tables, strict=True):
        yield in_order(table).slice(begin, end - begin)


def _row_groups(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    waiting = SEQUENCES.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while len(waiting) >= rows:
            yield waiting.slice(0, rows).combine_chunks()
            waiting = waiting.slice(rows)
    if len(waiting):
        yield waiting.combine_chunks()
