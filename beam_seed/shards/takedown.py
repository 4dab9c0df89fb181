"""What must not be trained on: tombstones, which documents they hold, and how they are kept beside the shards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from beam_seed import storage
from beam_seed.commits.paths import unquote
from beam_seed.special_tokens import CHANGE, FILE, README, SPECIAL_TOKENS, unescape

TOMBSTONES = "tombstones.json"

_MARKER = re.compile("(" + "|".join(map(re.escape, SPECIAL_TOKENS)) + ")")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Tombstones:
    """What was taken down, by whichever of the names it goes by. Case does not count in names of repositories and owners."""

    repos: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()  # repository, '/', path in it
    digests: frozenset[str] = frozenset()  # SHA-256 of a file's UTF-8 text, 64 hex digits
    authors: frozenset[str] = frozenset()  # owners: what stands before the last '/' of a repository's name; commits keep no authors

    @classmethod
    def of(
        cls, repos: Iterable[str] = (), paths: Iterable[str] = (), digests: Iterable[str] = (), authors: Iterable[str] = ()
    ) -> Tombstones:
        """Raises ValueError on a digest that is none."""
        hexes = frozenset(each.lower() for each in digests)
        for each in sorted(hexes):
            if not _DIGEST.fullmatch(each):
                raise ValueError(f"found {each!r} as a digest; expected 64 hex digits, the SHA-256 of a file's text")
        return cls(frozenset(map(str.casefold, repos)), frozenset(paths), hexes, frozenset(map(str.casefold, authors)))

    @classmethod
    def read(cls, path: str) -> Tombstones:
        """Tombstones that :meth:`write` wrote. Raises ValueError where the file is none."""
        value = storage.read_json(path)
        names = [each.name for each in fields(cls)]
        if not isinstance(value, dict) or set(value) != set(names) or not all(isinstance(each, list) for each in value.values()):
            raise ValueError(f"{path} holds no tombstones; expected lists of {', '.join(names)}, as beam-seed remove writes them")
        return cls.of(**value)

    def write(self, path: str) -> None:
        storage.write_json(path, self.to_json())

    def to_json(self) -> dict[str, list[str]]:
        return {each.name: sorted(getattr(self, each.name)) for each in fields(self)}

    def __or__(self, other: Tombstones) -> Tombstones:
        return Tombstones(*(getattr(self, each.name) | getattr(other, each.name) for each in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def holds(self, repo: str, path: str, sha256: bytes, formatted: str | None = None) -> str:
        """Why a document is to go, such as 'repos: owner/name'; '' where it stays.

        formatted: the text of a document that has markers; then the files in it count too, by the names and contents after their markers.
        """
        if not self:
            return ""
        if repo and repo.casefold() in self.repos:
            return f"repos: {repo}"
        owner = owner_of(repo)
        if owner and owner in self.authors:
            return f"authors: {owner}"
        names = [(path, sha256.hex())]
        if formatted is not None and (self.paths or self.digests):
            names = [*names, *files_in(formatted)]
        for name, digest in names:
            # A formatted text may name its files with the repository, or within it; the path of a page begins with '/'.
            full = name if name.startswith(f"{repo}/") else f"{repo}/{name.removeprefix('/')}"
            if full in self.paths:
                return f"paths: {full}"
            if digest in self.digests:
                return f"digests: {digest}"
        return ""

    @property
    def reads_texts(self) -> bool:
        """Whether the text of formatted documents must be looked at."""
        return bool(self.paths or self.digests)


def owner_of(repo: str) -> str:
    """The owner in 'owner/name' or 'host/owner/name', lower case; '' where none is told."""
    parts = repo.casefold().split("/")
    return parts[-2] if len(parts) > 1 else ""


def files_in(text: str) -> Iterator[tuple[str, str]]:
    """``(path, SHA-256 as hex)`` of the files that a formatted text shows; a file that may lack its last line's end comes in both ways."""
    parts = _MARKER.split(text)
    for marker, told in zip(parts[1::2], parts[2::2], strict=True):
        if marker in (FILE, README, CHANGE):
            head, _, body = told.partition("\n")
            try:
                name = unquote(unescape(head))
            except ValueError:
                name = unescape(head)
            content = unescape(body)
            for each in dict.fromkeys((content, content.removesuffix("\n"))):
                yield name, hashlib.sha256(each.encode("utf-8", "surrogatepass")).hexdigest()


def read_list(path: str) -> list[str]:
    """The lines of a file, without blank ones and those that begin with '#'."""
    with storage.open_read(path) as file:
        lines = [line.strip() for line in file.read().decode("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def tombstones_of(paths: Iterable[str]) -> Tombstones:
    """The tombstones of all files together."""
    found = Tombstones()
    for path in paths:
        found |= Tombstones.read(path)
    return found


def told(tombstones: Tombstones) -> dict[str, Any]:
    """How many of each there are."""
    return {name: len(values) for name, values in tombstones.to_json().items() if values}
