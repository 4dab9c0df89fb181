"""The quality of a sample: the mean score of its changed files as the commit left them.

A file's place in its shard is ``SCORED_FILES`` times its sample's row, plus its own number among the sample's files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from beam_seed.commits.sample import SCORED_FILES
from beam_seed.curation.datasets import DUPLICATES, QUALITY, read_groups, read_table, shard_path, write_table
from beam_seed.curation.duplicates import dropped_rows
from beam_seed.curation.score import ScoredRow
from beam_seed.packing import unpack_tables
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat
from beam_seed.records import Document, make_document


def changed_documents(root: str, number: int, duplicates: Iterable[bytes]) -> Iterator[tuple[int, Document]]:
    """(place, changed file after the commit) of the samples that deduplication left."""
    gone = set(dropped_rows(unpack_tables(duplicates, DUPLICATES), "file").tolist())
    stages = read_table(shard_path(root, "measures", number), ["stage"])["stage"].to_pylist()
    rows = [row for row, stage in enumerate(stages) if stage is None and row not in gone]
    wanted = set(rows)
    for start, table in read_groups(shard_path(root, "documents", number), ["repo", "changed"], rows):
        for row, told in enumerate(table.to_pylist(), start):
            for place, file in enumerate(told["changed"] if row in wanted else (), row * SCORED_FILES):
                yield place, make_document(told["repo"], file["path"], file["text"], language=file["language"])


def key_of(document: Document, form: InputFormat) -> bytes:
    """The key of a document in the cache of scores."""
    return cache.key_of(bytes.fromhex(document.sha256), document.language, document.path, form)


def wanted_scores(root: str, number: int, duplicates: Iterable[bytes], form: InputFormat) -> pa.Table:
    """WANTED (see :mod:`beam_seed.quality.cache`) of the changed files of a shard, by place."""
    found = [(place, key_of(document, form)) for place, document in changed_documents(root, number, duplicates)]
    return pa.table([[number] * len(found), [place for place, _ in found], [key for _, key in found]], schema=cache.WANTED)


def split_known(
    root: str, number: int, duplicates: Iterable[bytes], recalled: pa.Table, form: InputFormat
) -> Iterator[ScoredRow | tuple[int, bytes, Document]]:
    """The changed files of a shard by place: the score of what was ``recalled`` (RECALLED), (place, key, document) of the others."""
    known: Mapping[int, float] = dict(zip(recalled["row"].to_pylist(), recalled["score"].to_pylist(), strict=True))
    for place, document in changed_documents(root, number, duplicates):
        yield ScoredRow(place, known[place], None) if place in known else (place, key_of(document, form), document)


def write_quality(root: str, number: int, scored: pa.Table) -> None:
    """Write ``quality/``: of each sample the mean of its files' scores; an error where none of them could be scored.

    scored: QUALITY of files by place.
    """
    by_row: dict[int, list[dict[str, Any]]] = {}
    for file in scored.sort_by("row").to_pylist():
        by_row.setdefault(file["row"] // SCORED_FILES, []).append(file)
    told = [ScoredRow(row, *_mean(files))._asdict() for row, files in by_row.items()]
    write_table(shard_path(root, "quality", number), pa.Table.from_pylist(told, schema=QUALITY))


def _mean(files: Iterable[Mapping[str, Any]]) -> tuple[float | None, str | None]:
    scores = [file["quality"] for file in files if file["quality"] is not None]
    return (sum(scores) / len(scores), None) if scores else (None, next(file["error"] for file in files))
