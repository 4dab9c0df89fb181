"""The main job's answer, worked out in plain Python from the files alone: no Beam, no Arrow, no numba, no LSH."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

TOKEN = re.compile(rb"[A-Za-z0-9_\x80-\xff]+|[^\x00-\x20\x7fA-Za-z0-9_\x80-\xff]")


class File(NamedTuple):
    repo: str
    path: str
    content: str
    stars: int | None = None
    created: str = ""


def shingles(text: str) -> set[tuple[bytes, ...]]:
    tokens = TOKEN.findall(text.encode())
    if len(tokens) < 5:
        return {tuple(tokens)} if tokens else set()
    return {tuple(tokens[start : start + 5]) for start in range(len(tokens) - 4)}


def jaccard(one: set[tuple[bytes, ...]], other: set[tuple[bytes, ...]]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def preference(stars: int | None, created: str, repo: str) -> tuple[int, str, str]:
    return (-(-1 if stars is None else stars), created or "9999", repo)


def deduplicate_files(files: Iterable[File], threshold: float) -> set[tuple[str, str]]:
    """(repo, path) of the files that deduplication keeps, the preferred one of equal or similar files first."""
    kept: list[tuple[str, set[tuple[bytes, ...]]]] = []
    names: set[tuple[str, str]] = set()
    for file in sorted(files, key=lambda file: (*preference(file.stars, file.created, file.repo), file.path)):
        own = shingles(file.content)
        if not any(file.content == text or jaccard(own, other) >= threshold for text, other in kept):
            kept.append((file.content, own))
            names.add((file.repo, file.path))
    return names


def deduplicate_repositories(files: Iterable[File], threshold: float) -> set[str]:
    """Names of the repositories that deduplication keeps."""
    repositories: dict[str, list[File]] = {}
    for file in files:
        repositories.setdefault(file.repo, []).append(file)
    kept: list[tuple[frozenset[tuple[str, str]], set[tuple[bytes, ...]]]] = []
    names: set[str] = set()
    for repo in sorted(repositories, key=lambda repo: preference(repositories[repo][0].stars, repositories[repo][0].created, repo)):
        listing = frozenset((file.path, file.content) for file in repositories[repo])
        own = set().union(*(shingles(file.content) for file in repositories[repo]))
        if not any(listing == other or jaccard(own, others) >= threshold for other, others in kept):
            kept.append((listing, own))
            names.add(repo)
    return names


def lowest(scores: Mapping[tuple[str, str], float], share: float) -> set[tuple[str, str]]:
    """Files below the score that at most ``share`` of them are below of."""
    ordered = sorted(scores.values())
    limit = ordered[int(share * len(ordered))] if ordered else 0.0
    return {name for name, score in scores.items() if score < limit}
