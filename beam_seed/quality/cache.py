"""Scores of earlier runs, by what decides them, so that a grown corpus, or a run that was killed, is scored only where it is new.

A score is decided by the content, the prefix that stands before it, and the model. The key is a digest of the first two; the folder is the
model's. Entries are never changed: what a run adds is a file of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.packing import split_by, unpack_tables
from beam_seed.quality.package import InputFormat

KEY_BYTES = 16

KNOWN = pa.schema([pa.field("key", pa.binary(KEY_BYTES), nullable=False), pa.field("score", pa.float32(), nullable=False)])

WANTED = pa.schema(
    [
        pa.field("shard", pa.int64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("key", pa.binary(KEY_BYTES), nullable=False),
    ]
)

RECALLED = pa.schema([pa.field("row", pa.int64(), nullable=False), pa.field("score", pa.float32(), nullable=False)])


def folder(cache: str, fingerprint: str, accelerated: bool) -> str:
    """Where the scores of a model lie: a GPU computes in bfloat16 and so gives other scores than a CPU."""
    return storage.join(cache, "scores", f"{fingerprint}-{'bfloat16' if accelerated else 'float32'}")


def key_of(digest: bytes, language: str, path: str, form: InputFormat) -> bytes:
    """The key of a document: of the SHA-256 ``digest`` of its content, and of the prefix that a model with this input format gives it."""
    prefix = form.prefix_of(language, path).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(digest + prefix, digest_size=KEY_BYTES).digest()


def wanted(
    shard: int, rows: Sequence[int], digests: Sequence[bytes], languages: Sequence[str], paths: Sequence[str], form: InputFormat
) -> pa.Table:
    """WANTED of the documents in ``rows`` of a shard, whose digests, languages and paths follow."""
    keys = [key_of(*each, form) for each in zip(digests, languages, paths, strict=True)]
    return pa.table([[shard] * len(keys), list(rows), keys], schema=WANTED)


def divide(table: pa.Table, partitions: int) -> Iterator[tuple[int, pa.Table]]:
    """The rows of WANTED or KNOWN by partition of their keys."""
    first = np.frombuffer(b"".join(table["key"].to_pylist()), dtype=np.uint8).reshape(-1, KEY_BYTES)[:, :2]
    for partition, rows in split_by((first[:, 0].astype(np.int64) << 8 | first[:, 1]) % partitions):
        yield partition, table.take(pa.array(rows))


def recall(asked: Iterable[bytes], known: Iterable[bytes]) -> Iterator[tuple[int, pa.Table]]:
    """From packed WANTED and packed KNOWN of one partition: RECALLED by shard, of what is known."""
    entries = unpack_tables(known, KNOWN)
    if not len(entries):
        return
    # Two runs at the same time may have scored the same document: on a GPU, with another score.
    entries = entries.group_by("key").aggregate([("score", "min")]).rename_columns(["key", "score"])
    found = unpack_tables(asked, WANTED).join(entries, "key", join_type="inner")
    for shard, rows in split_by(found["shard"].to_numpy()):
        own = found.take(pa.array(rows)).sort_by("row")
        yield shard, own.select(RECALLED.names).cast(RECALLED)


def remember(place: str, keys: Sequence[bytes], scores: Sequence[float]) -> None:
    """Add entries to the folder ``place``. The file is named by its keys, so that the same entries are the same file."""
    if not keys:
        return
    table = pa.table([list(keys), list(scores)], schema=KNOWN).sort_by("key")
    name = hashlib.blake2b(b"".join(table["key"].to_pylist()), digest_size=16).hexdigest()
    with storage.open_write(storage.join(place, f"{name}.parquet")) as out:
        pq.write_table(table, out, compression="zstd")


def files(place: str) -> list[str]:
    """The files of the folder ``place``; none where there is no such folder."""
    return [info.path for info in storage.match(storage.join(storage.escape(place), "*.parquet"))]


def read(path: str) -> pa.Table:
    """KNOWN of one file; of a damaged file nothing, since a score that is not there is computed again."""
    try:
        with storage.open_read(path) as file:
            table = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError):
        return KNOWN.empty_table()
    return table if table.schema.equals(KNOWN) else KNOWN.empty_table()
