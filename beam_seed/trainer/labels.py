"""Labels as a scorer is trained and judged on them: Parquet tables with content, language, path and a rating from 0 to 10."""

from __future__ import annotations

import glob
import hashlib
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed.records import Document, document_id


class Label(NamedTuple):
    document: Document
    rating: float  # 0 to 10


def read_labels(patterns: Sequence[str]) -> list[Label]:
    """The labels in Parquet files, patterns or folders, in the order of the files' names.

    Needed columns: content, language, path, rating; ``repo`` where there is one. Raises FileNotFoundError where a pattern matches nothing,
    ValueError on a missing column or a rating outside of 0 to 10.
    """
    labels: list[Label] = []
    for pattern in patterns:
        files = sorted(glob.glob(os.path.join(pattern, "*.parquet") if os.path.isdir(pattern) else pattern))
        if not files:
            raise FileNotFoundError(f"{pattern} matches no file; expected Parquet files with content, language, path and rating")
        for file in files:
            labels += _labels_of(file)
    return labels


def _labels_of(file: str) -> list[Label]:
    table = pq.read_table(file)
    missing = [name for name in ("content", "language", "path", "rating") if name not in table.column_names]
    if missing:
        raise ValueError(f"{file} has the columns {table.column_names}; expected also {', '.join(missing)}")
    if "repo" not in table.column_names:
        table = table.append_column("repo", pa.array([""] * len(table)))
    return [_label(row, file) for row in table.select(["repo", "path", "language", "content", "rating"]).to_pylist()]


def _label(row: dict[str, str], file: str) -> Label:
    rating = float("nan" if row["rating"] is None else row["rating"])
    if math.isnan(rating) or not 0 <= rating <= 10:
        raise ValueError(f"{file} has the rating {rating} for {row['path']}; expected 0 to 10")
    content = row["content"]
    size = len(content.encode("utf-8", "surrogatepass"))
    repo, path = row["repo"] or "", row["path"]
    return Label(
        Document(document_id("", repo, path), "", repo, path, "", content, size, "", "", None, None, "", row["language"] or ""), rating
    )


def project_of(repo: str) -> str:
    """The project that a repository or package belongs to: its name without a version, so that two versions are one project."""
    return re.sub(r"[-_]v?\d.*$", "", repo)


def split(labels: Sequence[Label], held_out: float) -> tuple[list[Label], list[Label]]:
    """(training, held-out) labels: about the share ``held_out`` of the projects, by digest of their name.

    Whole projects are held out, because files of one project resemble each other; files without a repository are drawn one by one.
    """
    parts: tuple[list[Label], list[Label]] = ([], [])
    for label in labels:
        name = project_of(label.document.repo) or label.document.id
        draw = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64
        parts[draw < held_out].append(label)
    return parts
