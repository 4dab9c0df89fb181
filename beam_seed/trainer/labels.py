"""Labels as a scorer is trained and judged on them: Parquet tables with content, language, path and a rating from 0 to 10."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed.records import Document, make_document

NEEDED = ("content", "language", "path", "rating")
_File = tuple[str, str | io.BytesIO]  # its name, and what to read it from
OPTIONAL = ("repo", "oracle", "model", "prompt_version")


class Oracle(NamedTuple):
    """Who gave a rating, as the label table says; '' where it does not."""

    oracle: str = ""
    model: str = ""
    prompt_version: str = ""


class Label(NamedTuple):
    document: Document
    rating: float  # 0 to 10
    oracle: Oracle = Oracle()


def read_labels(patterns: Sequence[str]) -> list[Label]:
    """The labels in Parquet files, patterns or folders, local or ``gs://``, in the order of the files' names.

    Needed columns: content, language, path, rating; ``repo``, ``oracle``, ``model`` and ``prompt_version`` where there are any.
    Raises FileNotFoundError where a pattern matches nothing, ValueError on a file that is no Parquet, a missing column, a content that is
    no text or a rating outside of 0 to 10.
    """
    labels: list[Label] = []
    for pattern in patterns:
        files = _objects(pattern) if pattern.startswith("gs://") else _local_files(pattern)
        if not files:
            raise FileNotFoundError(f"{pattern} matches no file; expected Parquet files with {', '.join(NEEDED)}")
        for name, file in files:
            labels += _labels_of(name, file)
    return labels


def _local_files(pattern: str) -> list[_File]:
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "*.parquet")
    return [(name, name) for name in sorted(glob.glob(pattern))]


def _objects(pattern: str) -> list[_File]:
    # Not by Beam's file systems: a trainer's machine needs no Beam.
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage

    bucket, _, name = pattern.removeprefix("gs://").partition("/")
    wanted = [name, name.rstrip("/") + "/*.parquet"]
    found: list[_File] = []
    try:
        for blob in storage.Client().list_blobs(bucket, prefix=re.split(r"[*?\[]", name, maxsplit=1)[0]):  # sorted by name
            if any(blob.name.count("/") == each.count("/") and fnmatch.fnmatchcase(blob.name, each) for each in wanted):
                found.append((f"gs://{bucket}/{blob.name}", io.BytesIO(blob.download_as_bytes())))
    except (GoogleAPIError, GoogleAuthError) as error:
        raise FileNotFoundError(f"{pattern} cannot be read ({error}); expected Parquet files with {', '.join(NEEDED)}") from error
    return found


def _labels_of(name: str, file: str | io.BytesIO) -> list[Label]:
    try:
        table = pq.read_table(file)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{name} is no Parquet file ({error}); expected one with {', '.join(NEEDED)}") from error
    if missing := [column for column in NEEDED if column not in table.column_names]:
        raise ValueError(f"{name} has the columns {table.column_names}; expected also {', '.join(missing)}")
    known = [column for column in (*NEEDED, *OPTIONAL) if column in table.column_names]
    try:
        rows = table.select(known).to_pylist()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} has text that is no UTF-8 ({error}); expected a table that was written as UTF-8") from error
    return [_label(row, name) for row in rows]


def _label(row: dict[str, Any], file: str) -> Label:
    repo, path, language = (str(row.get(column) or "") for column in ("repo", "path", "language"))
    content, rating = row["content"], row["rating"]
    if not isinstance(content, str):
        raise ValueError(f"{file} has {type(content).__name__} as content of {path}; expected text")
    if not isinstance(rating, int | float) or not 0 <= rating <= 10:
        raise ValueError(f"{file} has the rating {rating!r} for {path}; expected 0 to 10")
    return Label(
        make_document(repo, path, content, language=language),
        float(rating),
        Oracle(*(str(row.get(column) or "") for column in Oracle._fields)),
    )


def project_of(repo: str) -> str:
    """The project that a repository or package belongs to: its name without a version, so that two versions are one project."""
    return re.sub(r"[-_]v?\d.*$", "", repo)


def project_name(label: Label) -> str:
    """The project of a label's file; a file without a repository is a project of its own."""
    return project_of(label.document.repo) or label.document.id


def oracles(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """Who rated how many of the files, most first."""
    counts = Counter(label.oracle for label in labels)
    return [{**oracle._asdict(), "files": count} for oracle, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]


def split(labels: Sequence[Label], held_out: float) -> tuple[list[Label], list[Label]]:
    """(training, held-out) labels: about the share ``held_out`` of the projects, by digest of their name.

    Whole projects are held out, because files of one project resemble each other; files without a repository are drawn one by one.
    The same project falls on the same side in every label set.
    """
    parts: tuple[list[Label], list[Label]] = ([], [])
    for label in labels:
        name = project_name(label).encode("utf-8", "surrogatepass")
        draw = int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64
        parts[draw < held_out].append(label)
    return parts
