"""The folders of snapshots: what differs between two of them, and the directory structure as text.

A folder is read and measured once per tree id; a commit makes new trees only along the paths it touches, so that both the difference and
the listing of the next snapshot cost what was changed, not what there is.

The listing has a line per entry, indented by two spaces a level, in git's order; folders that hold one folder only are one entry with it
(``src/main/java/``). Where it is too long, the deepest levels are collapsed first, ``name/ (12 files)`` standing for what is below: how far
a folder is told depends on its depth alone, never on what a commit changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from beam_seed.commits.paths import quote
from beam_seed.commits.records import EMPTY_TREE, FOLDER, SUBMODULE, ObjectError, Objects, TreeEntry

MAX_DEPTH = 128
"""Deepest nesting of folders; the deepest in real repositories is below 40. More is made to exhaust who follows it."""

MAX_ENTRIES = 1_000_000
"""Files and folders of one snapshot, as many as an archive may have: a few small trees that name each other can claim billions."""

SPARE_ENTRIES = 100_000
"""Entries of folders remembered beyond twice those of the snapshot, at about 300 bytes each: what other branches need again."""

_INDENT = "  "
_TOO_DEEP = f"folders are nested more than {MAX_DEPTH} deep"


class Folder(NamedTuple):
    """One tree: its entries and how long its listing is."""

    entries: tuple[TreeEntry, ...]  # in git's order
    members: frozenset[TreeEntry]
    height: int  # levels of folders below it
    folders: int  # below it, itself included
    files: int  # below it; links and submodules are files
    lines: tuple[int, ...]  # of its listing, by how many levels below it are told
    sizes: tuple[int, ...]  # bytes of it as UTF-8


class Difference(NamedTuple):
    """The files (links and submodules too) of one snapshot that are not in the other, by path."""

    removed: list[tuple[str, TreeEntry]]
    added: list[tuple[str, TreeEntry]]


class Folders:
    """The folders of a history, read when they are asked for."""

    def __init__(self, objects: Objects):
        self._objects = objects
        self._folders: dict[str, Folder] = {}
        self._remembered = 0  # entries of all of them

    def snapshot(self, tree: str) -> Folder:
        """The folder at the root of a snapshot. Raises ObjectError where one below it cannot be read or it claims too much."""
        root = self._folder(tree, 0)
        if root.files + root.folders > MAX_ENTRIES:
            raise ObjectError(f"tree {tree} claims {root.files} files in {root.folders} folders; at most {MAX_ENTRIES} are read")
        return root

    def forget(self, tree: str) -> None:
        """Where much more is remembered than the snapshot ``tree`` has, forget all that is not in it."""
        root = self._folder(tree, 0)
        if self._remembered <= 2 * (root.files + root.folders) + SPARE_ENTRIES:
            return
        found, waiting = {tree}, [tree]
        while waiting:
            below = {entry.id for entry in self._folders[waiting.pop()].entries if entry.mode == FOLDER} - found
            found |= below
            waiting += below
        self._folders = {oid: self._folders[oid] for oid in found}
        self._remembered = sum(len(folder.entries) for folder in self._folders.values())

    def _folder(self, tree: str, depth: int) -> Folder:
        known = self._folders.get(tree)
        if known is not None:
            return known
        if depth > MAX_DEPTH:
            raise ObjectError(_TOO_DEEP)
        entries = tuple({entry.name: entry for entry in self._objects.tree(tree)}.values())  # a name twice is damage: the last counts
        if any("/" in entry.name for entry in entries):
            raise ObjectError(f"tree {tree} is damaged: the name of an entry holds '/'")
        below = [self._folder(entry.id, depth + 1) for entry in entries if entry.mode == FOLDER]
        folder = self._measured(entries, below)
        if folder.height > MAX_DEPTH:  # not seen on the way down where what is below was known
            raise ObjectError(_TOO_DEEP)
        self._folders[tree] = folder
        self._remembered += len(entries)
        return folder

    def _measured(self, entries: tuple[TreeEntry, ...], below: list[Folder]) -> Folder:
        height = max((folder.height + 1 for folder in below), default=0)
        files = len(entries) - len(below) + sum(folder.files for folder in below)
        folders = 1 + sum(folder.folders for folder in below)
        own = sum(len(_line(entry).encode()) for entry in entries if entry.mode != FOLDER)
        told = [self.joined(entry) for entry in entries if entry.mode == FOLDER]
        lines, sizes = [len(entries)], [own + sum(len(_collapsed(name, folder).encode()) for name, folder in told)]
        for level in range(max((len(folder.sizes) for _, folder in told), default=0)):
            inner = [(name, folder, min(level, len(folder.sizes) - 1)) for name, folder in told]
            lines.append(len(entries) + sum(folder.lines[at] for _, folder, at in inner))
            sizes.append(
                own + sum(len(_expanded(name).encode()) + folder.sizes[at] + len(_INDENT) * folder.lines[at] for name, folder, at in inner)
            )
        return Folder(entries, frozenset(entries), height, folders, files, tuple(lines), tuple(sizes))

    def joined(self, entry: TreeEntry) -> tuple[str, Folder]:
        """A folder's name in listings, and the folder it stands for."""
        name, folder = quote(entry.name), self._folders[entry.id]
        while len(folder.entries) == 1 and folder.entries[0].mode == FOLDER:
            name, folder = f"{name}/{quote(folder.entries[0].name)}", self._folders[folder.entries[0].id]
        return name, folder

    def difference(self, old: str, new: str) -> Difference:
        """What must be taken from and put to the snapshot ``old`` to make it ``new``; both are remembered."""
        difference = Difference([], [])
        waiting = [("", old, new)]
        while waiting:
            prefix, before, after = waiting.pop()
            gone = self._members(before) - self._members(after)
            come = self._members(after) - self._members(before)
            inner = [{entry.name: entry.id for entry in entries if entry.mode == FOLDER} for entries in (gone, come)]
            waiting += [
                (f"{prefix}{name}/", inner[0].get(name, EMPTY_TREE), inner[1].get(name, EMPTY_TREE)) for name in inner[0] | inner[1]
            ]
            difference.removed.extend((prefix + entry.name, entry) for entry in gone if entry.mode != FOLDER)
            difference.added.extend((prefix + entry.name, entry) for entry in come if entry.mode != FOLDER)
        return difference

    def _members(self, tree: str) -> frozenset[TreeEntry]:
        return self._folders[tree].members if tree != EMPTY_TREE else frozenset()


def _line(entry: TreeEntry) -> str:
    return f"{quote(entry.name)}/ (submodule)\n" if entry.mode == SUBMODULE else quote(entry.name) + "\n"


def _collapsed(name: str, folder: Folder) -> str:
    """The line of a folder that is not told."""
    return f"{name}/ ({folder.files} file{'' if folder.files == 1 else 's'})\n"


def _expanded(name: str) -> str:
    """The line of a folder whose entries follow."""
    return f"{name}/\n"


class Listing:
    """The directory structure of one snapshot, at any length. To be used before the next snapshot is asked for."""

    def __init__(self, folders: Folders, root: Folder):
        self._folders = folders
        self._root = root
        self.sizes = root.sizes
        """Bytes (UTF-8) by the number of levels of folders below the root that are told; the last one tells all."""

    def text(self, levels: int) -> str:
        """The structure with ``levels`` levels below the root, 0 to ``len(sizes) - 1``."""
        return "".join(self._lines(self._root, "", levels))

    def _lines(self, folder: Folder, indent: str, levels: int) -> Iterator[str]:
        for entry in folder.entries:
            if entry.mode != FOLDER:
                yield indent + _line(entry)
                continue
            name, inner = self._folders.joined(entry)
            if levels == 0:
                yield indent + _collapsed(name, inner)
            else:
                yield indent + _expanded(name)
                yield from self._lines(inner, indent + _INDENT, levels - 1)
