"""Rows of strangers' Parquet tables as documents: what is missing is worked out, what cannot be used is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.curation.datasets import read_groups
from beam_seed.languages.detect import detect
from beam_seed.records import Document, document_id, make_document

NEEDED = ("repo", "path", "content")


class UnreadableTableError(RuntimeError):
    """A table that cannot be read, or not to its end."""


_TEXT = ("source", "repo", "path", "content", "language", "sha256")


def column_names(path: str) -> list[str]:
    """Columns of a Parquet file. Raises UnreadableTableError where it is none, or where a column that should hold text does not."""
    try:
        with storage.open_read(path) as file:
            schema = pq.ParquetFile(file).schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise UnreadableTableError(_unreadable(path, error)) from None
    for field in schema:
        inner = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name in _TEXT and not any(is_kind(inner) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)):
            raise UnreadableTableError(f"{path} has a column {field.name!r} of {field.type}; expected text")
    return list(schema.names)


def read_rows(path: str, columns: Sequence[str], rows: Sequence[int] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, values) of the rows, or of ``rows`` (ascending) alone; columns of documents that the table lacks are '' or None.

    Raises UnreadableTableError where the file is damaged.
    """
    try:
        for start, table in read_groups(path, columns, rows):
            numbers = np.arange(start, start + len(table))
            if rows is not None:
                numbers = np.intersect1d(numbers, rows)
                table = table.take(pa.array(numbers - start))
            values = zip(*(table[name].to_pylist() for name in columns), strict=True)
            yield from zip(numbers.tolist(), (dict(zip(columns, row, strict=True)) for row in values), strict=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableTableError(_unreadable(path, error)) from None


def _unreadable(path: str, error: BaseException) -> str:
    return f"{path} cannot be read: {' '.join(str(error).split())}; expected a Parquet file; remove it from the input or write it anew"


def identity(values: dict[str, Any]) -> str:
    """The id of a row's document, or one made of source, repository and path."""
    given = values["id"]
    return document_id(*(values[name] or "" for name in ("source", "repo", "path"))) if given in (None, "") else str(given)


def language_of(values: dict[str, Any]) -> str:
    """The language as the row tells it, else as name and content show; '' where that is none of ours."""
    return values["language"] or detect(values["path"], values["content"]).language or ""


def document_of(values: dict[str, Any]) -> Document:
    """The document of one row (all fields of Document): what it lacks is worked out. A row without content is an empty document."""
    values = values | {name: values[name] or "" for name in ("source", "repo", "path", "content")}
    made = make_document(values["repo"], values["path"], values["content"], source=values["source"], language=language_of(values))
    told: dict[str, Any] = {name: _if_is(str, values[name], "") for name in ("revision", "license", "created")}
    told |= {name: _if_is(int, values[name], None) for name in ("stars", "forks")}
    return made._replace(id=identity(values), **told)


def read_documents(path: str, rows: Sequence[int] | None = None) -> Iterator[tuple[int, Document]]:
    """(row, document) of a table's rows, or of ``rows`` (ascending). A row without content is a document without content."""
    for row, values in read_rows(path, Document._fields, rows):
        yield row, document_of(values)


def read_pages(path: str) -> Iterator[tuple[int, Document]]:
    """(row, document) of the pages of a table, their column ``category`` as their language: that is what they are judged by."""
    for row, values in read_rows(path, (*Document._fields, "category")):
        yield row, document_of(values | {"language": values["category"] or "other"})


def _if_is(kind: type, value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, kind) else otherwise
