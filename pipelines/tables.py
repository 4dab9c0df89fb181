"""The Parquet tables that an ``--input`` names, found and looked at before a job starts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from beam_seed import storage
from beam_seed.labels.tables import UnreadableTableError, column_names
from beam_seed.options import UsageError
from beam_seed.storage import FileInfo


def find_tables(prog: str, patterns: Sequence[str], needed: Sequence[str], flag: str = "--input") -> list[FileInfo]:
    """The Parquet files that are named, match a glob, or lie in a folder (or in its ``sample/``), sorted by path.

    Raises UsageError, which names ``flag``, where a pattern matches none, where one cannot be read or lacks a column.
    """
    if not patterns:
        raise UsageError(prog, f"argument {flag}: none given; expected Parquet files, globs or folders of them")
    found = sorted({info for pattern in patterns for info in _matches(prog, pattern, flag)})
    for info in found:
        try:
            names = column_names(info.path)
        except UnreadableTableError as error:
            raise UsageError(prog, f"argument {flag}: {error}") from None
        if missing := [name for name in needed if name not in names]:
            raise UsageError(prog, f"argument {flag}: {info.path} lacks column {missing[0]!r}; found {names}; rename a column to it")
    return found


def _matches(prog: str, pattern: str, flag: str) -> list[FileInfo]:
    tries = [pattern] if pattern.endswith(".parquet") else [storage.join(pattern, *part, "*.parquet") for part in ((), ("sample",))]
    for each in tries:
        if found := storage.match(each):
            return found
    raise UsageError(prog, f"argument {flag}: no Parquet file at {pattern!r}; expected Parquet files, globs or folders of them")


def fingerprint(tables: Sequence[FileInfo]) -> str:
    """16 hex digits that change where a table was added, removed or written anew."""
    listing = "\n".join(f"{info.path}\0{info.size}\0{info.modified}" for info in tables)
    return hashlib.blake2b(listing.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def part_name(number: int, parts: int) -> str:
    """Name of one of a dataset's files."""
    return f"part-{number:05d}-of-{parts:05d}.parquet"
