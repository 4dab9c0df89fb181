"""Labels for a scorer from the rubric: files of a corpus, sampled evenly, each with its rating."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed.languages.detect import detect
from beam_seed.quality.rubric import rate
from beam_seed.trainer.labels import project_of

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("repo", "path", "language", "content")] + [("rating", pa.float32()), ("oracle", pa.string())]
)
"""Columns of a label table; ``rating`` is 0 to 10. ``repo`` is only read to keep projects apart."""


def label(tables: Sequence[str], files: int, per_project: int, per_language: int) -> pa.Table:
    """Rate a sample of the files in Parquet tables with columns repo, path, content (and language, else it is detected).

    Copies count once. The sample is by digest of repository and path: the same input gives the same sample, in the same order,
    however it is cut into tables. No project and no language gets more than its limit, so that none drowns the others.
    """
    chosen = _sample(sorted(_candidates(tables)), files, per_project, per_language)
    rows = [row for row in _rows(tables) if (key := _key(row)) in chosen and chosen.pop(key)]
    rows.sort(key=_key)
    return pa.Table.from_pylist(
        [{**row, "rating": rate(row["content"], row["language"]).rating, "oracle": "rubric"} for row in rows], SCHEMA
    )


def _rows(tables: Sequence[str]) -> Iterator[dict[str, Any]]:
    for table in tables:
        with pq.ParquetFile(table) as file:
            columns = [name for name in ("repo", "path", "content", "language") if name in file.schema_arrow.names]
            for batch in file.iter_batches(1024, columns=columns):
                for row in batch.to_pylist():
                    row["language"] = row.get("language") or detect(row["path"], row["content"]).language
                    if row["language"] and row["content"]:
                        yield row


def _key(row: dict[str, Any]) -> bytes:
    return hashlib.blake2b(f"{row['repo']}\0{row['path']}".encode(), digest_size=16).digest()


def _candidates(tables: Sequence[str]) -> Iterator[tuple[bytes, bytes, str, str]]:
    for row in _rows(tables):
        yield _key(row), hashlib.sha256(row["content"].encode()).digest(), project_of(row["repo"]), row["language"]


def _sample(candidates: list[tuple[bytes, bytes, str, str]], files: int, per_project: int, per_language: int) -> dict[bytes, bool]:
    chosen: dict[bytes, bool] = {}
    contents: set[bytes] = set()
    projects: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    for key, content, project, language in candidates:
        if content in contents or projects[project] == per_project or languages[language] == per_language or len(chosen) == files:
            continue
        contents.add(content)
        projects[project] += 1
        languages[language] += 1
        chosen[key] = True
    return chosen
