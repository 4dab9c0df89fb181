"""Decontamination of Parquet tables: their texts, and their rows without those that are dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_seed import metrics, storage
from beam_seed.curation.datasets import read_groups, text_views, write_batches, write_table
from beam_seed.decontamination.judge import RULE, STAGE, Texts
from beam_seed.labels.tables import UnreadableTableError

_ID = [pa.field("id", pa.string()), pa.field("row", pa.int64(), nullable=False)]  # row: of the input's file

REJECTED = pa.schema(
    [
        *_ID,
        *(pa.field(name, pa.string(), nullable=False) for name in ("stage", "rule")),
        pa.field("measured", pa.float64(), nullable=False),  # n-grams shared with benchmarks
        pa.field("limit", pa.float64(), nullable=False),
        pa.field("evidence", pa.string(), nullable=False),
    ]
)
FAILED = pa.schema([*_ID, pa.field("stage", pa.string(), nullable=False), pa.field("error", pa.string(), nullable=False)])


class Table(NamedTuple):
    """One file of the input."""

    number: int
    path: str


def check_columns(path: str, columns: Sequence[str]) -> None:
    """Raise ValueError where a table lacks one of ``columns``, or where one is no text."""
    with storage.open_read(path) as file:
        schema = pq.ParquetFile(file).schema_arrow
    for name in columns:
        if name not in schema.names:
            raise ValueError(f"{path} has no column {name!r}; found {schema.names}")
        kind = schema.field(name).type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(inner) or pa.types.is_large_string(inner)):
            raise ValueError(f"{path} has a column {name!r} of {kind}; expected text")


def table_texts(table: Table, columns: Sequence[str], repository: str) -> tuple[int, Iterator[Texts]]:
    """The texts of all rows. repository: the column that tells what a row is of; where a table has none, each row is of its own."""
    return table.number, _texts(table.path, columns, repository)


def _texts(path: str, columns: Sequence[str], repository: str) -> Iterator[Texts]:
    with storage.open_read(path) as file:
        has_repository = repository in pq.ParquetFile(file).schema_arrow.names
    wanted = [*columns, repository] if has_repository else list(columns)
    try:
        for start, group in read_groups(path, list(dict.fromkeys(wanted))):
            rows = range(start, start + len(group))
            names = group[repository].to_pylist() if has_repository else [f"{path}\0{row}" for row in rows]
            yield Texts(rows, [str(name) for name in names], [text_views(_filled(group[name])) for name in columns])
    except (pa.ArrowException, OSError) as error:
        told = " ".join(str(error).split())
        raise UnreadableTableError(f"{path} cannot be read: {told}; expected Parquet; remove it from the input or write it anew") from None


def _filled(column: Any) -> Any:
    return pc.fill_null(column.cast(pa.large_string()), "")


def write_split(table: Table, contaminated: pa.Table, kept: str, rejected: str, failed: str) -> dict[str, Any]:
    """Write a table's rows to ``kept``, and what is known of the others to ``rejected`` and ``failed``. Returns how many went where.

    contaminated: CONTAMINATED of the table.
    """
    gone = contaminated["row"].to_numpy()
    counts = {"read": 0, "kept": 0}
    with storage.open_read(table.path) as source:
        schema = pq.ParquetFile(source).schema_arrow.remove_metadata()
    write_batches(kept, schema, _survivors(table.path, gone, counts))
    ids = _ids(table.path, gone, "id" in schema.names)
    told = contaminated.append_column("id", ids).append_column("stage", pa.array([STAGE] * len(gone), pa.string()))
    broken = pc.is_valid(told["error"])
    dropped = told.filter(pc.invert(broken))
    rules = pa.array([RULE] * len(dropped), pa.string())
    dropped = dropped.append_column("rule", rules).append_column("limit", pa.array(np.zeros(len(dropped))))
    write_table(rejected, dropped.select(REJECTED.names).cast(REJECTED))
    write_table(failed, told.filter(broken).select(FAILED.names).cast(FAILED))
    lost = len(told) - len(dropped)
    metrics.count("decontaminate", counts["read"], counts["kept"], {RULE: len(dropped)}, lost)
    return counts | {"rejected": len(dropped), "failed": lost}


def _survivors(path: str, gone: Any, counts: dict[str, Any]) -> Iterator[pa.Table]:
    for start, group in read_groups(path):
        rows = np.setdiff1d(np.arange(len(group)), gone - start)
        counts["read"] += len(group)
        counts["kept"] += len(rows)
        yield group.take(pa.array(rows)).replace_schema_metadata()


def _ids(path: str, rows: Any, has_id: bool) -> pa.Array:
    if not has_id or not len(rows):
        return pa.nulls(len(rows), pa.string())
    return pa.concat_arrays(
        [
            group["id"].take(pa.array(rows[(rows >= start) & (rows < start + len(group))] - start)).cast(pa.string()).combine_chunks()
            for start, group in read_groups(path, ["id"], rows.tolist())
        ]
    )
