"""What a stage's inputs are known by: fingerprints of their tables, of the runs they come from, of the model that scored them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
from collections.abc import Sequence

import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.storage import FileInfo

_TAIL = 8  # bytes at a Parquet file's end: its footer's length, and its magic

_ABOVE = 3  # a run's manifest lies up to so many folders above the tables of its corpora


def fingerprints(tables: Sequence[FileInfo]) -> dict[str, str]:
    """Of one source: ``tables`` (their footers), ``manifest`` (of the runs that wrote them) and ``scorer``, where there are any."""
    footers = hashlib.sha256()
    scorers: set[str] = set()
    for info in tables:
        with storage.open_read(info.path) as file:
            scorers |= _scorers(pq.ParquetFile(file).metadata)
            file.seek(-_TAIL, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(-_TAIL - length, os.SEEK_END)
            footers.update(file.read(length))
    manifests = sorted({digest for info in tables if (digest := _manifest(info.path))})
    found = {"tables": footers.hexdigest(), "manifest": ",".join(manifests), "scorer": ",".join(sorted(scorers))}
    return {name: value for name, value in found.items() if value}


def _scorers(metadata: pq.FileMetaData) -> set[str]:
    """Values of the column scorer, as far as the footer's statistics tell: it holds one value, or ''."""
    found: set[str] = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema == "scorer" and column.statistics is not None and column.statistics.has_min_max:
                with contextlib.suppress(UnicodeDecodeError):  # of a stranger's table
                    found |= {str(column.statistics.min), str(column.statistics.max)}
    return found - {""}


def _manifest(path: str) -> str:
    """SHA-256 of the manifest.json next above a table; '' where there is none."""
    folder = path
    for _ in range(_ABOVE):
        folder = posixpath.dirname(folder)
        if folder and storage.exists(manifest := storage.join(folder, "manifest.json")):
            return storage.digest(manifest)[1]
    return ""
