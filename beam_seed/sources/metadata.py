"""What is known of repositories besides their files: ``--metadata=repos.jsonl`` (or .json, .csv, Parquet; .gz and .zst)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class RepoMetadata(NamedTuple):
    """What one repository's documents inherit."""

    repo: str  # as the metadata name it, e.g. 'owner/name'
    stars: int | None  # None = unknown
    forks: int | None
    license: str  # SPDX expression or name; '' = unknown
    created: str  # ISO 8601; '' = unknown


class MetadataIndex:
    """Look-up of metadata by the name of a repository as it was read.

    A name matches exactly ('owner/name'), or else by its last component without regard to case ('Name' finds 'owner/name'),
    where only one entry has it. Anything else is unknown.
    """

    def __init__(self, entries: Mapping[str, RepoMetadata]):
        self._entries = entries
        self._by_last: dict[str, str] = {}
        for name in entries:
            last = name.rpartition("/")[2].lower()
            self._by_last[last] = name if last not in self._by_last else ""  # '' = ambiguous

    def find(self, repo: str) -> RepoMetadata | None:
        found = self._entries.get(repo)
        return found or self._entries.get(self._by_last.get(repo.rpartition("/")[2].lower(), ""))


NO_METADATA = MetadataIndex({})
