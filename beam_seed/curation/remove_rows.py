"""Takedown from a corpus: the rows that tombstones name are dropped from just the files that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import metrics, storage
from beam_seed.curation.datasets import read_groups, write_batches
from beam_seed.shards.takedown import Tombstones
from beam_seed.special_tokens import REPO


class RemovedRow(NamedTuple):
    """One row that went."""

    file: str
    row: int  # of the file as it was
    repo: str
    path: str
    why: str


def remove_rows(path: str, tombstones: Tombstones, write: bool) -> list[RemovedRow]:
    """Drop the rows that are to go from a Parquet file, which is replaced atomically, or left alone where there is none.

    Rows have the columns repo, path and content; what is missing matches nothing.
    """
    found: list[RemovedRow] = []
    for start, table in read_groups(path, _present(path)):
        gone_here = list(_found(path, start, table, tombstones))
        metrics.count("remove", len(table), len(table) - len(gone_here), {"removed": len(gone_here)})
        found += gone_here
    if found and write:
        gone = {removed.row for removed in found}
        with storage.open_read(path) as file:
            schema = pq.ParquetFile(file).schema_arrow
        write_batches(path, schema, (kept for start, table in read_groups(path) if len(kept := _without(table, start, gone))))
    return found


def _present(path: str) -> list[str]:
    with storage.open_read(path) as file:
        names = pq.ParquetFile(file).schema_arrow.names
    return [name for name in ("repo", "path", "content") if name in names] or names[:1]


def _found(path: str, start: int, table: pa.Table, tombstones: Tombstones) -> Iterator[RemovedRow]:
    for offset, row in enumerate(table.to_pylist()):
        repo, name, content = (row.get(column) or "" for column in ("repo", "path", "content"))
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
        # Commits and repositories begin with a marker; the files in them count too.
        if why := tombstones.holds(repo, name, digest, content if content.startswith(REPO) else None):
            yield RemovedRow(path, start + offset, repo, name, why)


def _without(table: pa.Table, start: int, gone: set[int]) -> pa.Table:
    return table.filter(pa.array([start + offset not in gone for offset in range(len(table))]))


def update_manifest(folder: str, removal: dict[str, Any]) -> str:
    """Tell the manifest of the run that a corpus (``RUN/corpora/NAME``) belongs to; returns its path, '' where there is none."""
    parts = folder.rstrip("/").rsplit("/", 2)
    if len(parts) < 3 or parts[1] != "corpora" or not storage.exists(path := storage.join(parts[0], "manifest.json")):
        return ""
    manifest = storage.read_json(path)
    for entry in manifest.get("corpora", {}).get(parts[2], []):
        entry["size"], entry["sha256"] = storage.digest(storage.join(parts[0], *entry["path"].split("/")))
    manifest["removed"] = [*manifest.get("removed", []), removal]
    storage.write_json(path, manifest)
    return path
