"""The datasets between two stages: where their files lie, what columns they have, how they are read and written."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.records import Document

GROUP_BYTES = 8 << 20  # of text in a row group: what every step holds in memory at once, several times over
GROUP_ROWS = 4096

# zstd level 3 writes source code at the speed of the other steps; higher levels gain a few per cent of size.
_COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 3}

DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("revision", pa.string(), nullable=False),
        pa.field("content", pa.large_string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("stars", pa.int64()),
        pa.field("forks", pa.int64()),
        pa.field("created", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
    ]
)

MEASURES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),  # '' where unsupported
        pa.field("detected_by", pa.string(), nullable=False),
        pa.field("stage", pa.string()),  # null where the document passed
        pa.field("rule", pa.string()),  # null where it passed or failed
        pa.field("measured", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("evidence", pa.string()),
        pa.field("error", pa.string()),  # not null where a step failed on it
        pa.field("digest", pa.binary(32), nullable=False),  # SHA-256 of the content
        pa.field("bands", pa.binary()),  # little-endian uint64 band hashes; null where there is nothing to compare
    ]
)

PIECES = pa.schema(  # the rows of one repository in one shard
    [
        pa.field("repo", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("preference", pa.string(), nullable=False),
        pa.field("shard", pa.int64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),  # rows [start, end)
        pa.field("end", pa.int64(), nullable=False),
        pa.field("files", pa.int64(), nullable=False),  # of them, those that passed the rules
        pa.field("digest", pa.binary(32), nullable=False),  # sum of file digests, see exact_dedup.duplicates
        pa.field("signature", pa.binary(), nullable=False),  # little-endian uint32; the element-wise minimum
    ]
)

DUPLICATES = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),  # 'file' or 'repository'
        pa.field("start", pa.int64(), nullable=False),  # rows [start, end) of the shard
        pa.field("end", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),  # 'kept' on rows of kept ones that stand for others
        pa.field("kept", pa.uint64(), nullable=False),  # address of the one it stands behind, see beam_seed.members
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),  # on 'kept' rows, how many it stands for
        pa.field("evidence", pa.string(), nullable=False),
    ]
)

SYNTAX = pa.schema(  # one row for each document of the shard that is still in a variant
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("passed", pa.bool_(), nullable=False),
        pa.field("error_share", pa.float64()),  # null = unchecked
        pa.field("limit", pa.float64()),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("error", pa.string()),  # the check could not be run
    ]
)

QUALITY = pa.schema(  # one row for each document that passed the syntax check
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("quality", pa.float32()),
        pa.field("error", pa.string()),  # the scorer could not be run
    ]
)

VERDICTS = pa.schema(  # one row for each document, as in documents/
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("file_level", pa.bool_(), nullable=False),  # in the variant
        pa.field("repo_level", pa.bool_(), nullable=False),
        pa.field("file_cluster_size", pa.int32(), nullable=False),
        pa.field("repo_cluster_size", pa.int32(), nullable=False),
        pa.field("syntax_error_share", pa.float32()),
        pa.field("quality", pa.float32()),
    ]
)

CORPUS = pa.schema(
    [
        *(
            DOCUMENTS.field(name)
            for name in ("id", "source", "repo", "path", "revision", "content", "language", "size", "sha256", "license")
        ),
        *(DOCUMENTS.field(name) for name in ("stars", "forks", "created")),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("syntax_error_share", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("scorer", pa.string(), nullable=False),
    ]
)

_WHO = [pa.field(name, pa.string(), nullable=False) for name in ("id", "source", "repo", "path")]
_WHAT = [pa.field("size", pa.int64(), nullable=False), pa.field("language", pa.string(), nullable=False)]

REJECTED = pa.schema(
    [
        *_WHO,
        *_WHAT,
        pa.field("variant", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("measured", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("evidence", pa.string(), nullable=False),
    ]
)

FAILED = pa.schema(
    [
        *_WHO,
        *_WHAT,
        pa.field("variant", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("error", pa.string(), nullable=False),
    ]
)

# A shard's number is its bucket's and its part's: 16,384 buckets of up to 1,024 parts.
_PART_BITS = 10
MAX_PARTS = 1 << _PART_BITS
MAX_BUCKETS = 1 << 14


class Shard(NamedTuple):
    """One file of ``documents/``; the files of the later stages carry its number too."""

    number: int
    rows: int
    size: int  # bytes of text


def shard_number(bucket: int, part: int) -> int:
    """Number of a bucket's part. Raises ValueError where a bucket has too many parts for 24 bits."""
    if part >= MAX_PARTS:
        raise ValueError(
            f"bucket {bucket} of the input needs more than {MAX_PARTS} shards: one repository or table is too large for the shard size; "
            "expected at most 1,024 shards; raise --shard-bytes"
        )
    return bucket << _PART_BITS | part


def shard_path(root: str, dataset: str, number: int) -> str:
    """Path of a shard's file in a dataset, such as ``ROOT/measures/00003-0001.parquet``."""
    return storage.join(root, dataset, f"{number >> _PART_BITS:05d}-{number & (MAX_PARTS - 1):04d}.parquet")


def write_table(path: str, table: pa.Table) -> None:
    """Write one Parquet file, atomically and with bytes that depend on the table alone."""
    with storage.open_write(path) as out:
        pq.write_table(table, out, **_COMPRESSION)


@contextlib.contextmanager
def table_writer(path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """The writer of one Parquet file, which appears under ``path`` when the block ends without an exception."""
    with storage.open_write(path) as out, pq.ParquetWriter(out, schema, **_COMPRESSION) as writer:
        yield writer


def write_batches(path: str, schema: pa.Schema, batches: Iterable[pa.Table]) -> None:
    """Write one Parquet file, one row group for each table."""
    with table_writer(path, schema) as writer:
        for batch in batches:
            writer.write_table(batch, row_group_size=max(len(batch), 1))


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of one Parquet file. Columns of documents that the file lacks are filled with nothing (null or '')."""
    with storage.open_read(path) as file:
        return _filled(pq.ParquetFile(file).read(columns=list(columns) if columns else None), columns)


def _filled(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    for name in columns or ():
        if name not in table.column_names:
            field = DOCUMENTS.field(name)
            table = table.append_column(field, pa.array([None if pa.types.is_integer(field.type) else ""] * len(table), field.type))
    return table


def read_groups(path: str, columns: Sequence[str] | None = None, rows: Sequence[int] | None = None) -> Iterator[tuple[int, pa.Table]]:
    """Row groups with the number of their first row; with ``rows`` (ascending), only the groups that hold one of them.

    A group of more than 8 MiB (ours are smaller, those of a stranger's table may be anything) comes in several pieces.
    Columns of documents that the file lacks are filled with nothing (null or '').
    """
    with storage.open_read(path) as file:
        parquet = pq.ParquetFile(file)
        start, wanted = 0, iter(rows) if rows is not None else None
        upcoming = next(wanted, None) if wanted is not None else None
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            if wanted is None or (upcoming is not None and upcoming < end):
                size = parquet.metadata.row_group(group).total_byte_size
                step = max(1, (end - start) * GROUP_BYTES // max(size, GROUP_BYTES))
                present = [name for name in columns if name in parquet.schema_arrow.names] if columns else None
                offset = start
                for batch in parquet.iter_batches(step, row_groups=[group], columns=present):
                    yield offset, _filled(pa.Table.from_batches([batch]), columns)
                    offset += len(batch)
            while wanted is not None and upcoming is not None and upcoming < end:
                upcoming = next(wanted, None)
            start = end


def text_views(column: pa.ChunkedArray) -> list[memoryview]:
    """The UTF-8 bytes of each text of a column without nulls, not copied."""
    views: list[memoryview] = []
    for chunk in column.chunks:
        large = chunk.cast(pa.large_string())
        offsets = np.frombuffer(large.buffers()[1], dtype=np.int64)[large.offset : large.offset + len(large) + 1].tolist()
        data = memoryview(large.buffers()[2] or b"")
        views += [data[start:end] for start, end in itertools.pairwise(offsets)]
    return views


def table_of(records: Sequence[Any], schema: pa.Schema, **constants: Any) -> pa.Table:
    """Records (named tuples) as a table; ``constants`` are columns that hold one value."""
    columns = {}
    for field in schema:
        values = [constants[field.name]] * len(records) if field.name in constants else [getattr(record, field.name) for record in records]
        columns[field.name] = pa.array(values, field.type)
    return pa.table(columns, schema=schema)


def read_documents(path: str, rows: Sequence[int] | None = None) -> Iterator[tuple[int, list[Document]]]:
    """Row groups of a shard as documents, with the number of their first row."""
    for start, table in read_groups(path, Document._fields, rows):
        columns = [table[name].to_pylist() for name in Document._fields]
        yield start, list(map(Document._make, zip(*columns, strict=True)))
