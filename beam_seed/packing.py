"""Columns as one ``bytes``: what is shuffled between workers is a few large packed batches, not millions of elements.

Measured on Beam's in-process runner: one element per (band, document) costs about 200 microseconds a document, a batch of
4,096 documents packed per band and partition 9 to 17.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

U64 = npt.NDArray[np.uint64]


def _shrunk(column: Any) -> Any:
    """A dictionary column without the entries that no row uses: the parts of a split batch must not each carry all of them."""
    chunk = column.combine_chunks()
    return chunk.dictionary_decode().dictionary_encode() if len(chunk.dictionary) > len(chunk) else column


def pack_table(table: pa.Table) -> bytes:
    """``table`` as an Arrow IPC stream."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field, _shrunk(table.column(index)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def unpack_table(packed: bytes) -> pa.Table:
    return pa.ipc.open_stream(packed).read_all()


def unpack_tables(packed: Iterable[bytes], schema: pa.Schema) -> pa.Table:
    """All packed tables as one; an empty one of ``schema`` where there is none."""
    tables = [unpack_table(each) for each in packed]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks() if tables else schema.empty_table()


def pack_columns(columns: U64) -> bytes:
    """A ``[rows, width]`` (or ``[rows]``) uint64 array as little-endian bytes."""
    return np.ascontiguousarray(columns, dtype="<u8").tobytes()


def unpack_columns(packed: Iterable[bytes], width: int) -> U64:
    """All packed arrays of one ``width`` as ``[rows, width]``."""
    return np.frombuffer(b"".join(packed), dtype="<u8").reshape(-1, width)


def split_by(keys: npt.NDArray[np.unsignedinteger | np.signedinteger]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Each distinct key, ascending, with the positions that hold it, ascending."""
    if not len(keys):
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    for start, end in zip(starts, np.append(starts[1:], len(keys)), strict=True):
        yield int(ordered[start]), order[start:end]
