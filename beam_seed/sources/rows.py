"""Rows of a table, streamed: Parquet, lines of JSON, CSV; gzip and zstd. What is damaged is told by number, the rest survives."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed.sources import decompress
from beam_seed.sources.repository import ArchiveLimitError, Limits, is_machine_error

_BATCH_BYTES = 16 << 20  # of a Parquet column held at once
_BATCH_ROWS = 256  # reading by 256 rows is within 5 % of reading whole row groups (measured at 5 to 20 KB a row)
_UNBOUNDED = 1 << 62  # tables are streamed: what they unpack to needs no space


class Row(NamedTuple):
    number: int  # of the line or row, from 1
    values: dict[str, Any] | None  # None where ``error`` says why, or, where that is '', the line is over-long
    error: str
    size: int  # bytes of the line; 0 where unknown


def line_limit(limits: Limits) -> int:
    """Bytes of a line of JSON that holds a file of the largest size: escapes at most double ordinary text."""
    return 2 * limits.file_bytes + (64 << 10)


def column_names(file: BinaryIO, size: int, limits: Limits, parquet: bool) -> list[str]:
    """Names of the columns: of a Parquet file's schema, or of the first line of JSON that is an object."""
    if parquet:
        return list(pq.ParquetFile(file).schema_arrow.names)
    return next((list(row.values) for row in json_rows(file, size, limits) if row.values is not None), [])


def json_rows(file: BinaryIO, size: int, limits: Limits) -> Iterator[Row]:
    """Lines of JSON from a file of ``size`` bytes. Blank lines are passed over; damage ends the rows with one that tells."""
    unpacked = decompress.unpack(file, dataclasses.replace(limits, unpacked_bytes=_UNBOUNDED), size)
    number = 0
    try:
        for number, (line, length) in enumerate(split_lines(unpacked, line_limit(limits)), 1):
            if length > line_limit(limits):
                yield Row(number, None, "", length)
            elif line.strip():
                yield _json_row(number, line)
    except Exception as error:
        if is_machine_error(error):
            raise
        yield Row(number + 1, None, f"{type(error).__name__}: {error}; nothing after it is read", 0)


def _json_row(number: int, line: bytes) -> Row:
    try:
        values = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        return Row(number, None, f"{type(error).__name__}: {error}", len(line))
    if not isinstance(values, dict):
        return Row(number, None, f"expected a JSON object, found {type(values).__name__}", len(line))
    return Row(number, values, "", len(line))


def split_lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Lines without their end, and their length in bytes; of lines over ``max_bytes`` only the length, whatever it is."""
    pieces: list[bytes] = []
    length = 0
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            length += len(end)
            yield (b"".join([*pieces, end]) if length <= max_bytes else b""), length
            pieces, length = [], 0
        length += len(rest)
        if length <= max_bytes:
            pieces.append(rest)
        else:
            pieces = []
    if length:
        yield (b"".join(pieces) if length <= max_bytes else b""), length


def csv_rows(file: BinaryIO, size: int, limits: Limits) -> Iterator[Row]:
    """Rows of a CSV file with a header, values as text."""
    unpacked = decompress.unpack(file, dataclasses.replace(limits, unpacked_bytes=_UNBOUNDED), size)
    lines = (line.decode("utf-8-sig") + "\n" for line, _ in split_lines(unpacked, line_limit(limits)))
    for number, values in enumerate(csv.DictReader(lines), 1):
        yield Row(number, dict(values), "", 0)


def parquet_rows(file: BinaryIO, columns: Sequence[str], large: str, limits: Limits) -> Iterator[Row]:
    """Rows of a Parquet file with ``columns`` only; a damaged row group costs its own rows. ``large``: the column that holds the text.

    Raises what pyarrow raises where the file's footer cannot be read.
    """
    # As a dictionary, a text that a row group repeats a million times is held once.
    table = pq.ParquetFile(file, read_dictionary=[large])
    number = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        read = number
        try:
            for row in _group_rows(table, group, number, columns, limits):
                yield row
                read = row.number
        except Exception as error:
            if is_machine_error(error):
                raise
            yield Row(read + 1, None, f"row group {group}, rows {read + 1} to {number + rows}: {type(error).__name__}: {error}", 0)
        number += rows


def _group_rows(table: pq.ParquetFile, group: int, number: int, columns: Sequence[str], limits: Limits) -> Iterator[Row]:
    metadata = table.metadata.row_group(group)
    unpacked = metadata.total_byte_size
    if unpacked > limits.unpacked_bytes:
        raise ArchiveLimitError(f"archive-limits: unpacks to {unpacked} bytes; at most {limits.unpacked_bytes} are read")
    average = max(1, unpacked // max(1, metadata.num_rows))
    batch_rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES // average))
    for batch in table.iter_batches(batch_size=batch_rows, row_groups=[group], columns=list(columns)):
        for index in range(batch.num_rows):
            number += 1
            yield _parquet_row(batch, index, number)


def _parquet_row(batch: pa.RecordBatch, index: int, number: int) -> Row:
    # One row at a time: as Python objects a batch would take twice its size again, and a text that is not UTF-8 costs only itself.
    try:
        return Row(number, {name: batch.column(name)[index].as_py() for name in batch.schema.names}, "", 0)
    except (ValueError, OverflowError, pa.ArrowException) as error:
        return Row(number, None, f"{type(error).__name__}: {error}", 0)
