"""The files of one repository as imports see them: by path, folder and ending. Nothing outside of it can be named."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterable, Mapping, Sequence

from beam_seed.dependencies.mentions import Mentions

# So many files of one name are looked at for the nearest: thousands of them, named by thousands of others, would take for ever.
MAX_CANDIDATES = 64

# Of nested things (folders, components of a name, folders named lib) so many are tried, and of things side by side that each name of a file
# is tried with (opened namespaces, rules of a manifest): two lists that one hostile repository makes long must not be multiplied. The
# benchmarks' packages are 10 folders deep, and a file of them opens 15 namespaces.
MAX_DEPTH = 32
MAX_OPENED = 256


class Tree:
    """Files with their mentions. ``manifests``: path -> content of package.json, go.mod and their like, as far as they are known."""

    def __init__(
        self, paths: Sequence[str], languages: Sequence[str], mentions: Sequence[Mentions], manifests: Mapping[str, str] | None = None
    ):
        self.paths = paths
        self.languages = languages
        self.mentions = mentions
        self.folders = [posixpath.dirname(path) for path in paths]
        self.groups: list[Sequence[int]] = []  # the members of node len(paths) + i, see group()
        self._groups: dict[str, int] = {}
        self._manifests = manifests or {}
        self._numbers: dict[str, int] = {}
        for number, path in enumerate(paths):
            self._numbers.setdefault(path, number)

    def find(self, path: str | None) -> int | None:
        """The file at a path; None where there is none."""
        return None if path is None else self._numbers.get(path)

    def first(self, paths: Iterable[str | None]) -> int | None:
        """The first of ``paths`` that exists."""
        return next((number for path in paths if (number := self.find(path)) is not None), None)

    def manifests(self, name: str) -> list[tuple[str, str]]:
        """(folder, content) of the manifests of this name, upper folders first."""
        found = [(posixpath.dirname(path), content) for path, content in self._manifests.items() if posixpath.basename(path) == name]
        return sorted(found, key=lambda each: (each[0].count("/") + bool(each[0]), each[0]))

    def group(self, name: str, members: Sequence[int]) -> int:
        """Node number of files that are only named together, such as a Go package: an edge for each of them would be a square of edges."""
        if name not in self._groups:
            self._groups[name] = len(self.paths) + len(self.groups)
            self.groups.append(members)
        return self._groups[name]

    @functools.cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Base name -> files, in order of path."""
        found: dict[str, list[int]] = {}
        for number in sorted(self._numbers.values(), key=lambda number: self.paths[number]):
            found.setdefault(posixpath.basename(self.paths[number]), []).append(number)
        return found

    @functools.cached_property
    def all_folders(self) -> frozenset[str]:
        """Every folder that holds a file, however deep below it; '' is the repository."""
        found: set[str] = set()
        for folder in self.folders:
            while folder not in found:
                found.add(folder)
                folder = parent(folder)
        return frozenset(found)

    def nearest(self, candidates: Sequence[int], file: int) -> int | None:
        """The candidate whose folder shares most with the file's; the shorter and then the smaller path on a tie."""

        def distance(number: int) -> tuple[int, int, str]:
            return -shared(self.folders[number], self.folders[file]), len(self.paths[number]), self.paths[number]

        return min(candidates[:MAX_CANDIDATES], key=distance, default=None)


class Declared:
    """Declared names -> the files that declare them."""

    def __init__(self, tree: Tree, languages: Iterable[str]):
        self._tree = tree
        self._files: dict[str, list[int]] = {}
        of = set(languages)
        for number, mentions in enumerate(tree.mentions):
            if tree.languages[number] in of:
                for name in mentions.declares:
                    self._files.setdefault(name, []).append(number)

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def find(self, name: str, file: int) -> int | None:
        """The file that declares ``name``, of several the nearest to ``file``, which comes first where it is one of them."""
        found = self._files.get(name)
        return None if found is None else file if file in found[:MAX_CANDIDATES] else self._tree.nearest(found, file)


def join(folder: str, relative: str) -> str | None:
    """``relative`` to a folder as a path of the repository; None where it would leave it."""
    path = posixpath.normpath(posixpath.join(folder, relative))
    return None if path.startswith(("../", "/")) or path in ("..", ".") else path


def parent(folder: str) -> str:
    """The folder above; that of the repository is itself."""
    above = posixpath.dirname(folder)
    return "" if above == folder else above


def ancestors(folder: str) -> Iterable[str]:
    """The folder and the MAX_DEPTH next above it, and the repository ''."""
    for _ in range(MAX_DEPTH):
        if not folder or folder == "/":
            break
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def below(folder: str, *parts: str) -> str:
    """Parts joined to a folder, where '' is the repository."""
    return "/".join([folder, *parts] if folder else parts)


def shared(a: str, b: str) -> int:
    """How many leading components two folders share."""
    count = 0
    for one, other in zip(a.split("/"), b.split("/"), strict=False):
        if one != other or not one:
            break
        count += 1
    return count
