"""Quality of the rows of strangers' Parquet tables: which scores are wanted, which documents have none, and what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import metrics, storage
from beam_seed.curation.datasets import read_groups, read_table, write_batches
from beam_seed.curation.score import ScoredRow
from beam_seed.labels.tables import read_documents
from beam_seed.packing import unpack_tables
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat
from beam_seed.records import Document

FACTS = pa.schema([("language", pa.string()), ("size", pa.int64()), ("digest", pa.binary(32))])
"""What is worked out once for each row of a table: language, bytes of UTF-8, SHA-256."""

DROPPED = pa.schema(
    [
        ("row", pa.int64()),
        *((name, pa.string()) for name in ("repo", "path", "language", "rule")),  # rule: null where it could not be scored
        ("size", pa.int64()),  # bytes
        ("measured", pa.float32()),
        ("limit", pa.float64()),
        ("error", pa.string()),  # null where it was scored
    ]
)


class Table(NamedTuple):
    """One input file."""

    number: int
    path: str
    facts: str  # path of its FACTS, once they are written


def want(table: Table, form: InputFormat) -> pa.Table:
    """Write a table's FACTS; returns its WANTED."""
    parts = [cache.WANTED.empty_table()]

    def facts() -> Iterator[pa.Table]:
        for start, documents in _documents(table):
            own = [[getattr(document, name) for document in documents] for name in ("language", "size", "sha256", "path")]
            digests = [bytes.fromhex(digest) for digest in own[2]]
            parts.append(cache.wanted(table.number, range(start, start + len(documents)), digests, own[0], own[3], form))
            yield pa.table([own[0], own[1], digests], schema=FACTS)

    write_batches(table.facts, FACTS, facts())
    return pa.concat_tables(parts)


def _documents(table: Table) -> Iterator[tuple[int, list[Document]]]:
    """The rows in pieces, with the number of the first."""
    documents: list[Document] = []
    first = 0
    for row, document in read_documents(table.path):
        documents.append(document)
        if len(documents) == _PIECE:
            yield first, documents
            documents, first = [], row + 1
    yield first, documents


_PIECE = 1024  # documents that are held at once


def unknown(table: Table, recalled: Iterable[bytes], form: InputFormat) -> Iterator[tuple[int, bytes, Document] | list[ScoredRow]]:
    """(row, key, document) of the rows whose score is not among the packed RECALLED; last, a list of the rows whose score is."""
    told = unpack_tables(recalled, cache.RECALLED)
    known = dict(zip(told["row"].to_pylist(), told["score"].to_pylist(), strict=True))
    rows = [row for row in range(len(read_table(table.facts, ["size"]))) if row not in known]
    for row, document in read_documents(table.path, rows):
        yield row, cache.key_of(bytes.fromhex(document.sha256), document.language, document.path, form), document
    yield [ScoredRow(row, score, None) for row, score in known.items()]


def weights(table: Table, quality: pa.Table, by: str, per: str) -> list[tuple[str, int, float | None]]:
    """(group, weight, score) of each row, for a :class:`~beam_seed.quality.threshold.ScoreHistogram`."""
    facts = read_table(table.facts)
    groups = facts["language"].to_pylist() if per == "language" else [""] * len(facts)
    masses = facts["size"].to_pylist() if by == "bytes" else [1] * len(facts)
    return list(zip(groups, masses, quality["quality"].to_pylist(), strict=True))


def write_scored(
    table: Table, quality: pa.Table, thresholds: Mapping[str, float], per: str, scorer: str, kept: str, dropped: str
) -> dict[str, int]:
    """Write a table's rows to ``kept``, with columns quality and scorer, or tell in ``dropped`` why not; counts of files and bytes."""
    facts = read_table(table.facts)
    fates = _fates(facts, quality, thresholds, per)
    passed = [row for row, fate in enumerate(fates) if fate is None]
    schema = _kept_schema(table.path)
    write_batches(kept, schema, _kept_rows(table.path, schema, passed, quality["quality"], scorer))
    write_batches(dropped, DROPPED, [_dropped_rows(table.path, facts, fates)])
    sizes = facts["size"].to_pylist()
    failed = [row for row, fate in enumerate(fates) if fate and fate["error"] is not None]
    counts = {"read": range(len(fates)), "kept": passed, "failed": failed}
    rules = [fate["rule"] for fate in fates if fate and fate["error"] is None]
    metrics.count("score", len(facts), len(passed), rules, len(failed), (sum(sizes), sum(sizes[row] for row in passed)))
    return {f"{name}_{unit}": sum(sizes[row] if unit == "bytes" else 1 for row in rows) for name, rows in counts.items() for unit in UNITS}


UNITS = ("files", "bytes")


def _fates(facts: pa.Table, quality: pa.Table, thresholds: Mapping[str, float], per: str) -> list[dict[str, Any] | None]:
    """None for a row that is kept, else rule, measured, limit and error."""
    fates: list[dict[str, Any] | None] = []
    for language, row in zip(facts["language"].to_pylist(), quality.to_pylist(), strict=True):
        limit = thresholds.get(language if per == "language" else "")
        if row["error"] is not None:
            fates.append({"rule": None, "measured": None, "limit": None, "error": row["error"]})
        elif limit is not None and row["quality"] < limit:
            fates.append({"rule": "low-quality", "measured": row["quality"], "limit": limit, "error": None})
        else:
            fates.append(None)
    return fates


def _kept_schema(path: str) -> pa.Schema:
    with storage.open_read(path) as file:
        schema = pq.ParquetFile(file).schema_arrow.remove_metadata()
    own = [field for field in schema if field.name not in ("quality", "scorer")]  # of an earlier model, if they are there
    return pa.schema([*own, pa.field("quality", pa.float32()), pa.field("scorer", pa.string())])


def _kept_rows(path: str, schema: pa.Schema, passed: Sequence[int], scores: pa.ChunkedArray, scorer: str) -> Iterator[pa.Table]:
    numbers = np.array(passed, np.int64)
    for start, group in read_groups(path, rows=passed):
        here = numbers[(numbers >= start) & (numbers < start + len(group))]
        rows = group.take(pa.array(here - start))
        own = {"quality": scores.take(pa.array(here)), "scorer": pa.array([scorer] * len(here), pa.string())}
        yield pa.table([own[name] if name in own else rows[name] for name in schema.names], schema=schema)


def _dropped_rows(path: str, facts: pa.Table, fates: Sequence[dict[str, Any] | None]) -> pa.Table:
    names = read_table(path, ["repo", "path"]).to_pylist()
    told = facts.to_pylist()
    rows = [names[row] | told[row] | fate | {"row": row} for row, fate in enumerate(fates) if fate is not None]
    return pa.Table.from_pylist(rows, schema=DROPPED)


def summary(counts: Iterable[Mapping[str, int]], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """The counts of all tables together, and the thresholds (group -> quality)."""
    totals: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            totals[name] = totals.get(name, 0) + count
    return {"counts": totals, "thresholds": dict(sorted(thresholds.items()))}
