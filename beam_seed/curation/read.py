"""Stage 1: repositories to ``documents/``. The input is divided into buckets; one bucket is read by one worker."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import metrics, storage
from beam_seed.curation.datasets import (
    DOCUMENTS,
    FAILED,
    GROUP_BYTES,
    GROUP_ROWS,
    MAX_BUCKETS,
    REJECTED,
    Shard,
    read_table,
    shard_number,
    shard_path,
    table_of,
    write_table,
)
from beam_seed.curation.dropped import write_dropped
from beam_seed.records import Document, Failed, Rejected, document_id, reject
from beam_seed.report.tally import BOTH
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import MetadataIndex
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits
from beam_seed.sources.table import read_table as read_source_table
from beam_seed.sources.units import Unit

# Source code packed by gzip, bzip2 or zstd is about a quarter of its size.
_UNPACKED_RATIO = 4


class Bucket(NamedTuple):
    """What reading one bucket gave."""

    shards: list[Shard]
    files: int  # read, whatever became of them
    size: int  # bytes of them
    checksum: int  # sum of the first 32 bits of their ids, see report.tally.Total


class Spill(NamedTuple):
    """Rows of one table that belong to one bucket."""

    path: str


def bucket_count(units: Iterable[Unit], shard_bytes: int) -> int:
    """How many buckets hold about ``shard_bytes`` of text each."""
    total = sum(unit.size * (_UNPACKED_RATIO if unit.kind in ("archive", "table") else 1) for unit in units)
    return min(max(1, -(-total // shard_bytes)), MAX_BUCKETS)


def bucket_of(repo: str, buckets: int) -> int:
    """The bucket of a repository: a digest of its name, so that it depends neither on the other input nor on its order."""
    return int.from_bytes(hashlib.blake2b(repo.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % buckets


def spill_table(
    unit: Unit, columns: ColumnMap, limits: Limits, metadata: MetadataIndex, buckets: int, root: str
) -> Iterator[tuple[int, Spill]]:
    """Divide a table's rows among the buckets of their repositories, on disk, so that a repository's rows come together."""
    waiting: dict[int, list[Document | Rejected | Failed]] = {}
    size, number = 0, 0
    for item in read_source_table(unit, columns, limits, metadata):
        waiting.setdefault(bucket_of(item.repo, buckets), []).append(item)
        size += item.size
        if size >= GROUP_BYTES * 8:
            yield from _spill(unit, waiting, root, number)
            waiting, size, number = {}, 0, number + 1
    yield from _spill(unit, waiting, root, number)


_SPILLED = pa.schema(
    [
        field.with_nullable(True)
        for field in (
            *DOCUMENTS,
            *(REJECTED.field(name) for name in ("stage", "rule", "measured", "limit", "evidence")),
            FAILED.field("error"),
        )
    ]
)


def _spill(unit: Unit, waiting: Mapping[int, Sequence[Any]], root: str, number: int) -> Iterator[tuple[int, Spill]]:
    name = hashlib.blake2b(unit.path.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    for bucket, items in sorted(waiting.items()):
        rows = [item._asdict() for item in items]
        path = storage.join(root, "_work", "spill", f"{bucket:05d}-{name}-{number:05d}.parquet")
        write_table(path, pa.Table.from_pylist(rows, schema=_SPILLED))
        yield bucket, Spill(path)


def _unspill(spills: Sequence[Spill]) -> Iterator[Document | Rejected | Failed]:
    if not spills:
        return
    table = pa.concat_tables([read_table(path) for path in sorted(spill.path for spill in spills)])
    order = table.select(["repo", "source", "path"]).append_column("row", pa.array(range(len(table))))
    order = order.sort_by([("repo", "ascending"), ("source", "ascending"), ("path", "ascending"), ("row", "ascending")])
    previous, copies = "", 0
    for start in range(0, len(table), GROUP_ROWS):
        for row in table.take(order["row"][start : start + GROUP_ROWS]).to_pylist():
            item = _restore(row)
            if isinstance(item, Document) and item.id == previous:
                copies += 1  # an id of its own, since every record of the input has one
                own = document_id(item.source, item.repo, f"{item.path}\0{copies}")
                yield reject(item._replace(id=own), "read", "duplicate-member")
            else:
                yield item
                previous, copies = (item.id, 0) if isinstance(item, Document) else (previous, copies)


def _restore(row: Mapping[str, Any]) -> Document | Rejected | Failed:
    record: Any = Failed if row["error"] is not None else Rejected if row["rule"] is not None else Document
    return record(**{name: row[name] for name in record._fields})


class _ShardWriter:
    """Writes documents in order, starting a new shard when one is full."""

    def __init__(self, root: str, bucket: int, shard_bytes: int, schema: pa.Schema):
        self._root, self._bucket, self._shard_bytes, self._schema = root, bucket, shard_bytes, schema
        self.shards: list[Shard] = []
        self._open = contextlib.ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[Any] = []
        self._waiting_bytes = self._rows = self._size = 0

    def add(self, document: Any) -> None:
        self._waiting.append(document)
        self._waiting_bytes += document.size
        if self._waiting_bytes >= GROUP_BYTES or len(self._waiting) >= GROUP_ROWS:
            self._flush()
        if self._size >= self._shard_bytes:
            self.close()

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._open.close()
            self.shards.append(Shard(shard_number(self._bucket, len(self.shards)), self._rows, self._size))
            self._writer, self._rows, self._size = None, 0, 0

    def abandon(self, error: BaseException) -> None:
        self._open.__exit__(type(error), error, error.__traceback__)

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            path = shard_path(self._root, "documents", shard_number(self._bucket, len(self.shards)))
            out = self._open.enter_context(storage.open_write(path))
            self._writer = pq.ParquetWriter(out, self._schema, compression="zstd", compression_level=3)
        self._writer.write_table(table_of(self._waiting, self._schema), row_group_size=len(self._waiting))
        self._rows += len(self._waiting)
        self._size += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0


def read_bucket(
    bucket: int, units: Sequence[Unit], spills: Sequence[Spill], root: str, shard_bytes: int, limits: Limits, metadata: MetadataIndex
) -> Bucket:
    """Read the repositories of one bucket into shards of ``documents/``; what is not text goes to ``rejected/`` and ``failed/``."""
    return write_bucket(bucket, _items(units, spills, limits, metadata), root, shard_bytes)


def write_bucket(
    bucket: int, items: Iterable[Any], root: str, shard_bytes: int, schema: pa.Schema = DOCUMENTS, variant: str = BOTH
) -> Bucket:
    """Write what one bucket of input gave, documents in the order they come, to ``documents/``, ``rejected/`` and ``failed/``.

    items: Rejected, Failed, or named tuples with the fields of ``schema``, the columns of ``documents/``: id and size (bytes) among them.
    """
    writer = _ShardWriter(root, bucket, shard_bytes, schema)
    rejected: list[Rejected] = []
    failed: list[Failed] = []
    files = size = checksum = 0
    try:
        for item in items:
            files += 1
            size += item.size
            checksum += int(item.id[:8], 16)
            if isinstance(item, Rejected):
                rejected.append(item)
            elif isinstance(item, Failed):
                failed.append(item)
            else:
                writer.add(item)
        writer.close()
    except BaseException as error:
        writer.abandon(error)
        raise
    name = f"read-{bucket:05d}"
    write_dropped(root, name, table_of(rejected, REJECTED, variant=variant), table_of(failed, FAILED, variant=variant))
    kept = sum(shard.rows for shard in writer.shards), sum(shard.size for shard in writer.shards)
    metrics.count("documents", files, kept[0], [item.rule for item in rejected], len(failed), (size, kept[1]))
    return Bucket(writer.shards, files, size, checksum)


def _items(
    units: Sequence[Unit], spills: Sequence[Spill], limits: Limits, metadata: MetadataIndex
) -> Iterator[Document | Rejected | Failed]:
    for unit in sorted(units, key=lambda unit: (unit.repo, unit.path)):
        yield from read_unit(unit, limits, metadata)
    yield from _unspill(spills)
