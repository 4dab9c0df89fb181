"""What is known of repositories besides their files: ``--metadata=repos.jsonl`` (lines of JSON, CSV, Parquet; gzip, zstd).

One row per repository. Its name is in the first present of ``full_name``, ``repo``, ``repo_name``, ``name``; the rest is optional:
``stars`` (``stargazers_count``), ``forks`` (``forks_count``), ``license``, ``created_at`` (``created``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.sources.repository import Limits
from beam_seed.sources.rows import Row, csv_rows, json_rows
from beam_seed.sources.values import as_count, as_text

_COLUMNS = {
    "repo": ("full_name", "repo", "repo_name", "name"),
    "stars": ("stars", "stargazers_count", "star_events_count", "max_stars_count"),
    "forks": ("forks", "forks_count", "fork_events_count", "max_forks_count"),
    "license": ("license", "license_name", "detected_licenses"),
    "created": ("created_at", "created", "gha_created_at"),
}


class RepoMetadata(NamedTuple):
    """What one repository's documents inherit."""

    repo: str  # as the metadata name it, e.g. 'owner/name'
    stars: int | None  # None = unknown
    forks: int | None
    license: str  # SPDX expression or name; '' = unknown
    created: str  # ISO 8601; '' = unknown


class MetadataIndex:
    """Look-up of metadata by the name of a repository as it was read.

    A name matches exactly; one without an owner ('Name', as folders and archives have) else matches the one entry whose last component it
    is, without regard to case ('owner/name'). Where several entries end so, and for anything else, nothing is known.
    """

    def __init__(self, entries: Mapping[str, RepoMetadata]):
        self._entries = entries
        self._by_last: dict[str, str] = {}
        for name in entries:
            last = name.rpartition("/")[2].lower()
            self._by_last[last] = name if last not in self._by_last else ""  # '' = ambiguous

    def find(self, repo: str) -> RepoMetadata | None:
        found = self._entries.get(repo)
        return found or (None if "/" in repo else self._entries.get(self._by_last.get(repo.lower(), "")))


NO_METADATA = MetadataIndex({})


def load_metadata(path: str) -> dict[str, RepoMetadata]:
    """Metadata by the name the file gives each repository.

    Raises ValueError naming the line, what was found and the remedy: on a line that cannot be read, without a name, with a value of another
    type, or with a name that came before.
    """
    entries: dict[str, RepoMetadata] = {}
    with storage.open_read(path) as file:
        for row in _rows(file, path):
            try:
                entry = _entry(row)
            except ValueError as error:
                raise ValueError(f"--metadata={path}, line {row.number}: {error}") from None
            if entry.repo in entries:
                raise ValueError(f"--metadata={path}, line {row.number}: {entry.repo!r} is there twice; keep one line per repository")
            entries[entry.repo] = entry
    return entries


def _rows(file: BinaryIO, path: str) -> Iterator[Row]:
    lower = path.lower()
    if lower.endswith(".parquet"):
        rows = pq.read_table(file).to_pylist()
        return (Row(number, values, "", 0) for number, values in enumerate(rows, 1))
    size = storage.match(path)[0].size
    return csv_rows(file, size, Limits()) if ".csv" in lower else json_rows(file, size, Limits())


def _entry(row: Row) -> RepoMetadata:
    values = row.values
    if values is None:
        raise ValueError(f"{row.error or 'over-long line'}; expected one JSON object per line, one per repository")
    found = {field: _first(values, names) for field, names in _COLUMNS.items()}
    if not isinstance(found["repo"], str) or not found["repo"]:
        raise ValueError(
            f"no repository name; expected one of {', '.join(_COLUMNS['repo'])}, found {', '.join(map(str, values)) or 'nothing'}"
        )
    return RepoMetadata(
        as_text(found["repo"], "repo"),
        as_count(found["stars"], "stars"),
        as_count(found["forks"], "forks"),
        as_text(_license_id(found["license"]), "license"),
        as_text(found["created"], "created"),
    )


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _license_id(value: Any) -> Any:
    # GitHub's API nests it: {"license": {"spdx_id": "MIT", "name": "MIT License"}}.
    return _first(value, ("spdx_id", "name")) if isinstance(value, dict) else value


@functools.lru_cache(maxsize=1)  # once for each worker process, not for each bucket or range
def metadata_index(path: str) -> MetadataIndex:
    """The table at ``path`` to look repositories up in; an empty one where it is ''."""
    return MetadataIndex(load_metadata(path)) if path else NO_METADATA
