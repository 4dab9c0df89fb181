"""Rows of corpora for long documents: where the files of a repository lie, and what they hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.labels.tables import column_names, identity, language_of, read_rows
from beam_seed.long_context.assemble import CodeFile
from beam_seed.packing import split_by
from beam_seed.records import Rejected

# What one worker holds of a repository at a time. Larger ones (the Linux kernel has 1.3 GB) are assembled in pieces of this size, in the
# order of their rows, which is by path in our corpora; no sequence crosses from one piece to the next.
PIECE_BYTES = 256 << 20

_LIGHT = ("source", "repo", "path", "size", "quality")
_WHOLE = ("id", "source", "repo", "path", "content", "language", "license", "quality")
_PAGES = {"repo": "host", "path": "url"}  # what names a page, where a corpus of pages has no repo and path


class Place(NamedTuple):
    """Rows of one repository in one table. Fields only: it travels between workers."""

    table: str
    rows: bytes  # little-endian int64, ascending
    files: int
    size: int  # bytes of text, as far as the table tells
    scored: int  # files that have a quality
    quality: float  # their sum
    source: str  # of the first row


class Repository(NamedTuple):
    """A repository and where its files lie."""

    repo: str
    source: str
    files: int
    size: int
    quality: float | None  # mean of the files that have one; None where none has
    places: list[tuple[str, bytes]]  # (table, rows)


class Turned(NamedTuple):
    """A repository that is not taken, as far as it lies in one table."""

    repository: Repository
    rejected: Rejected
    number: int  # of the table among those that hold the repository


def survey(table: str) -> Iterator[tuple[str, Place]]:
    """(repository, where its rows are) for each repository of a table; text is not read."""
    columns = [name for name in _LIGHT if name in column_names(table)]
    mean_size = 0 if "size" in columns else _mean_size(table)
    names: list[str] = []
    sizes: list[int] = []
    scores: list[float | None] = []
    sources: list[str] = []
    for _, values in read_rows(table, columns):
        names.append(values["repo"] or "")
        sizes.append(size if isinstance(size := values.get("size"), int) else mean_size)
        scores.append(_score(values.get("quality")))
        sources.append(values.get("source") or "")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    repositories = list(numbers)
    for number, rows in split_by(np.array([numbers[name] for name in names], np.int64)):
        told = [score for row in rows.tolist() if (score := scores[row]) is not None]
        size = sum(sizes[row] for row in rows.tolist())
        packed = rows.astype("<i8").tobytes()
        yield repositories[number], Place(table, packed, len(rows), size, len(told), math.fsum(told), sources[rows[0]])


def row_count(table: str) -> int:
    """Rows of a table, by its footer."""
    rows: int = _footer(table).num_rows
    return rows


def _footer(table: str) -> pq.FileMetaData:
    with storage.open_read(table) as file:
        return pq.ParquetFile(file).metadata


def _mean_size(table: str) -> int:
    """Bytes of text of a row, by the table's footer."""
    metadata = _footer(table)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    size: int = sum(column.total_uncompressed_size for column in columns if column.path_in_schema == "content")
    return size // max(1, metadata.num_rows)


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, float | int) and math.isfinite(value) else None


def gather(repo: str, places: Iterable[Place]) -> Repository:
    """One repository of what was found in each table."""
    ordered = sorted(places, key=lambda place: place.table)
    scored = sum(place.scored for place in ordered)
    mean = math.fsum(place.quality for place in ordered) / scored if scored else None
    files, size = (sum(getattr(place, name) for place in ordered) for name in ("files", "size"))
    return Repository(repo, ordered[0].source, files, size, mean, [(place.table, place.rows) for place in ordered])


def read_pieces(repository: Repository, piece_bytes: int = PIECE_BYTES) -> Iterator[list[CodeFile]]:
    """The files of a repository: all at once, or in pieces where it is larger than ``piece_bytes`` of text."""
    files: list[CodeFile] = []
    size = 0
    for table, packed in repository.places:
        for file in read_files(table, np.frombuffer(packed, "<i8").tolist()):
            length = len(file.content.encode())
            if files and size + length > piece_bytes:
                yield files
                files, size = [], 0
            files.append(file)
            size += length
    if files:
        yield files


def read_files(table: str, rows: Sequence[int] | None = None) -> Iterator[CodeFile]:
    """The rows of a table, or ``rows`` (ascending) of it, as files. A row without content is an empty file; without an id it gets one."""
    names = column_names(table)
    told = {name: name if name in names else _PAGES.get(name, "") for name in _WHOLE}
    present = [column for column in told.values() if column in names]
    for _, values in read_rows(table, present, rows):
        given: dict[str, Any] = {name: values.get(column) or "" for name, column in told.items() if name != "quality"}
        own = {"id": identity(given), "language": language_of(given), "quality": _score(values.get("quality"))}
        yield CodeFile(**(given | own))
