"""Parquet tables as the input of a job."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.parquet as pq

from beam_seed import options as opt
from beam_seed import storage


def find_tables(prog: str, patterns: Sequence[str], needed: Sequence[str]) -> list[str]:
    """The Parquet files that patterns and folders name, sorted, each once.

    Raises UsageError where there is none, or where one is no Parquet file or lacks a column.
    """
    globs = [storage.join(path, "*.parquet") if not path.endswith(".parquet") else path for path in patterns]
    files = sorted({info.path for pattern in globs for info in storage.match(pattern)})
    if not files:
        raise opt.UsageError(prog, f"argument --input: no Parquet file matches {list(patterns)}; expected files or folders of them")
    for path in files:
        with storage.open_read(path) as file:
            try:
                found = pq.ParquetFile(file).schema_arrow.names
            except (OSError, ValueError) as error:
                raise opt.UsageError(prog, f"argument --input: {path} is no Parquet file ({error}); leave it out") from None
        if missing := [name for name in needed if name not in found]:
            raise opt.UsageError(prog, f"argument --input: {path} lacks column {missing[0]!r}; found {found}; rename a column to it")
    return files


def part_name(number: int, parts: int) -> str:
    """Name of one of a dataset's files."""
    return f"part-{number:05d}-of-{parts:05d}.parquet"
