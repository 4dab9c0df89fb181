"""Tables of files, one row each: Parquet and lines of JSON (gzip, zstd)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beam_seed import storage
from beam_seed.records import Judgement
from beam_seed.sources.columns import NEEDED, ColumnMap
from beam_seed.sources.metadata import NO_METADATA, MetadataIndex, RepoMetadata
from beam_seed.sources.read import RecordMaker
from beam_seed.sources.repository import Limits, Member, display, normalise
from beam_seed.sources.rows import Row, column_names, json_rows, line_limit, parquet_rows
from beam_seed.sources.units import Unit
from beam_seed.sources.values import as_count, as_text


def is_parquet(path: str) -> bool:
    return path.lower().endswith(".parquet")


def check_table(unit: Unit, columns: ColumnMap, limits: Limits | None = None) -> None:
    """Look at a table's columns before a job starts. Raises ValueError naming those found and the flag, where a needed one is missing.

    Where the table cannot be read at all nothing is raised: ``read_table`` makes a Failed record of it.
    """
    try:
        with storage.open_read(unit.path) as file:
            names = column_names(file, unit.size, limits or Limits(), is_parquet(unit.path))
    except Exception:
        return
    if names:
        _resolve(unit, columns, names)


def _resolve(unit: Unit, columns: ColumnMap, names: list[str]) -> dict[str, str]:
    try:
        return columns.resolve(names)
    except ValueError as error:
        raise ValueError(f"{display(unit.path)}: {error}") from None


def read_table(
    unit: Unit, columns: ColumnMap | None = None, limits: Limits | None = None, metadata: MetadataIndex = NO_METADATA
) -> Iterator[Judgement]:
    """The records of a table's rows, in the order of the file (rows of one repository may be scattered, and a path may come twice).

    Every row is one record: a Document, a Rejected by the same rules as any file's, or a Failed that names the line. Columns that a
    row leaves empty are filled from ``metadata``. What cannot be read is a Failed, as in ``read.read_unit``: nothing is raised for
    what the input holds.
    """
    columns, limits = columns or ColumnMap(), limits or Limits()
    whole = RecordMaker(display(unit.path), unit.repo, limits, None)
    try:
        with storage.open_read(unit.path) as file:
            if is_parquet(unit.path):
                found = _resolve(unit, columns, column_names(file, unit.size, limits, parquet=True))
                rows = parquet_rows(file, list(found.values()), found["content"], limits)
            else:
                rows = json_rows(file, unit.size, limits)
            for row in rows:
                yield _judge_row(row, unit, columns, limits, metadata)
    except Exception as error:
        yield whole.whole_unit(error)


def _judge_row(row: Row, unit: Unit, columns: ColumnMap, limits: Limits, metadata: MetadataIndex) -> Judgement:
    if row.values is None:
        records = RecordMaker(display(unit.path), unit.repo, limits, None)
        if row.error:
            return records.failed("", row.size, f"line {row.number}: {row.error}", salt=row.number)
        return records.rejected("", row.size, "too-large", row.size, line_limit(limits), {"line": row.number}, salt=row.number)
    values = {field: row.values[name] for field, name in columns.found(row.values).items()}
    repo = display(values["repo"]) if _is_name(values.get("repo")) else unit.repo
    path = normalise(display(values["path"])) if _is_name(values.get("path")) else ""
    try:
        fields = _fields(values)
        known = _known(fields, metadata.find(repo), repo)
    except ValueError as error:
        return RecordMaker(display(unit.path), repo, limits, None).failed(path, 0, f"line {row.number}: {error}", salt=row.number)
    records = RecordMaker(display(unit.path), repo, limits, known)
    records.revision = fields["revision"]
    return _judge_file(records, path, fields["content"])


def _judge_file(records: RecordMaker, path: str, content: str | bytes) -> Judgement:
    if len(content) > records.limits.file_bytes:  # characters or bytes: at least as many bytes
        return records.judge_path(Member(path, len(content), None)) or records.too_large(path, len(content))
    try:
        data = content if isinstance(content, bytes) else content.encode()
    except UnicodeEncodeError as error:
        # JSON can write half of a surrogate pair, UTF-8 cannot.
        return records.rejected(path, len(content), "undecodable", error.start, 0.0, {"measure": "lone surrogate", "offset": error.start})
    return records.judge_path(Member(path, len(data), None)) or records.judge_bytes(path, data)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of one row, of the types a Document has. Raises ValueError on a needed one that is missing and on any of another type."""
    missing = [field for field in NEEDED if values.get(field) is None or (field != "content" and not values[field])]
    if missing:
        raise ValueError(f"no {', no '.join(missing)}; --columns={missing[0]}=COLUMN names the column")
    if not isinstance(values["content"], str | bytes):
        raise ValueError(f"content is {type(values['content']).__name__}, expected text")
    for field in ("repo", "path"):
        if not isinstance(values[field], str):
            raise ValueError(f"{field} is {type(values[field]).__name__}, expected text")
    return {
        "content": values["content"],
        "revision": as_text(values.get("revision"), "revision"),
        "license": as_text(values.get("license"), "license"),
        "created": as_text(values.get("created"), "created"),
        "stars": as_count(values.get("stars"), "stars"),
        "forks": as_count(values.get("forks"), "forks"),
    }


def _known(fields: dict[str, Any], found: RepoMetadata | None, repo: str) -> RepoMetadata:
    known = found or RepoMetadata(repo, None, None, "", "")
    return RepoMetadata(
        repo,
        known.stars if fields["stars"] is None else fields["stars"],
        known.forks if fields["forks"] is None else fields["forks"],
        fields["license"] or known.license,
        fields["created"] or known.created,
    )
