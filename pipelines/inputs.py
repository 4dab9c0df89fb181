"""Input files of the commands that read Parquet."""

from __future__ import annotations

from collections.abc import Sequence

from beam_seed import storage
from beam_seed.options import UsageError


def parquet_files(prog: str, patterns: Sequence[str]) -> list[str]:
    """The files that ``--input`` names (files, globs, or folders of them), sorted. Raises UsageError where there is none."""
    globs = [pattern if pattern.endswith(".parquet") else storage.join(pattern, "*.parquet") for pattern in patterns]
    files = sorted({info.path for pattern in globs for info in storage.match(pattern)})
    if not files:
        raise UsageError(prog, f"argument --input: no Parquet file matches {list(patterns)}; expected files or folders of them")
    return files
