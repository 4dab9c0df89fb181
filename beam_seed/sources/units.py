"""What ``--input`` names: repositories and tables, one unit of reading each.

An input is a folder, a file or a glob. A folder with ``.git``, or a bare git repository, is one repository, read at HEAD. Any other
folder is a folder of repositories: each folder in it is one (git, or a plain working tree), each archive in it is one, each table in it
is a table, and the other files in it together are one more, named after the folder. A file is an archive, a table or a loose file by
its name's extension. A glob stands for everything it matches, each as if it had been named.

Links in a folder of repositories are listed as loose files, and rejected as 'link' when read: name their target as an input.
On remote file systems a working tree is read as it lies (its ``.git`` is rejected as 'version-control').
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from beam_seed import storage
from beam_seed.sources import git
from beam_seed.sources.repository import display
from beam_seed.sources.tree import walk

ARCHIVE_SUFFIXES = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".crate"),
    *(".zip", ".whl", ".egg", ".jar", ".nupkg"),
)
TABLE_SUFFIXES = (
    ".parquet",
    *(f"{kind}{packed}" for kind in (".jsonl", ".ndjson", ".json.lines") for packed in ("", ".gz", ".zst")),
    *(".json.gz", ".json.zst"),  # as The Pile's and the Common Crawl tools' outputs name lines of JSON
)


class Unit(NamedTuple):
    """One repository or one table. ``path`` and ``members`` may hold undecodable file names (PEP 383)."""

    kind: str  # 'tree', 'files', 'git', 'archive' or 'table'
    path: str  # folder or file
    repo: str  # name of the repository; of a table: where a row names none
    size: int  # bytes on disk
    modified: float  # newest modification in seconds since the epoch; 0.0 where the file system does not tell
    state: str  # changes where the content may have changed: HEAD's commit, or count, bytes and newest modification
    members: tuple[str, ...] = ()  # of 'files' only: the names of the files in the folder ``path`` that it consists of


def list_units(pattern: str) -> list[Unit]:
    """The units of one ``--input``, sorted by path.

    Raises FileNotFoundError where ``pattern`` matches nothing, or only an empty folder.
    """
    units = _list_local(pattern) if storage.is_local(pattern) else _list_remote(pattern)
    if not units:
        raise FileNotFoundError(
            f"no input found at {pattern!r}; give a folder of repositories, a repository, an archive ({' '.join(ARCHIVE_SUFFIXES)}), "
            f"a table ({' '.join(TABLE_SUFFIXES)}) or a glob of them, quoted"
        )
    return sorted(set(units))


def repository_name(path: str) -> str:
    """Name of the repository at ``path``: the last component, without an archive's or a table's extensions or ``.git``."""
    name = posixpath.basename(display(path).rstrip("/"))
    suffix = _suffix(name, (*ARCHIVE_SUFFIXES, *TABLE_SUFFIXES, ".git"))
    return name[: len(name) - len(suffix)] or name


def distinct_names(units: Iterable[Unit]) -> list[Unit]:
    """The units, those that share a name renamed to ``name@xxxxxxxx``: 8 hex digits of the BLAKE2b digest of kind and path."""
    listed = list(units)
    count = Counter(unit.repo for unit in listed)
    return [unit if count[unit.repo] == 1 else unit._replace(repo=f"{unit.repo}@{_digest(unit.kind, unit.path)[:8]}") for unit in listed]


def fingerprint(units: Iterable[Unit]) -> str:
    """64 hex digits that change where the input may have changed: digest of kind, path, name and state of every unit, in any order."""
    parts = sorted((unit.kind, unit.path, unit.repo, unit.state, *unit.members) for unit in units)
    return _digest(*("\0".join(part) for part in parts))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()


def _suffix(name: str, suffixes: Iterable[str]) -> str:
    lower = name.lower()
    return max((suffix for suffix in suffixes if lower.endswith(suffix)), key=len, default="")


def _file_kind(name: str) -> str:
    if _suffix(name, ARCHIVE_SUFFIXES):
        return "archive"
    return "table" if _suffix(name, TABLE_SUFFIXES) else "files"


# Local file systems


def _list_local(pattern: str) -> list[Unit]:
    if os.path.lexists(pattern):  # a name with '[' in it is a name first
        return _named(os.path.abspath(pattern))
    paths = [os.path.abspath(path) for path in glob.glob(pattern, recursive=True, include_hidden=True)]
    folders = {path for path in paths if os.path.isdir(path)}
    units = [unit for path in folders for unit in _named(path)]
    return units + _local_files([path for path in paths if path not in folders])


def _named(path: str) -> list[Unit]:
    if not os.path.isdir(path):
        return _local_files([path])
    if git.git_folder(path):
        return [_git_unit(path)]
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.path)
    return [_folder_unit(folder) for folder in folders] + _local_files(files)


def _folder_unit(path: str) -> Unit:
    with contextlib.suppress(OSError):  # what cannot be read is told when it is read
        if git.git_folder(path):
            return _git_unit(path)
    size, modified, state = _walk_state(path)
    return Unit("tree", path, repository_name(path), size, modified, state)


def _git_unit(path: str) -> Unit:
    folder = git.git_folder(path)
    size, modified, state = _walk_state(folder) if os.path.isdir(folder) else (0, 0.0, "")
    with contextlib.suppress(Exception):  # a damaged repository is told when it is read
        state = git.head_commit(path) or state
    return Unit("git", path, repository_name(path), size, modified, state)


def _walk_state(path: str) -> tuple[int, float, str]:
    size, count, modified = 0, 0, os.lstat(path).st_mtime
    for member in walk(path):
        size += member.size
        count += 1
        modified = max(modified, member.modified)
    return size, modified, f"{count} files, {size} bytes, {modified}"


def _local_files(paths: Iterable[str]) -> list[Unit]:
    units, loose = [], defaultdict(list)
    for path in paths:
        kind = _file_kind(path)
        status = os.lstat(path)
        if kind == "files" or not os.path.isfile(path) or os.path.islink(path):
            loose[os.path.dirname(path)].append((os.path.basename(path), status.st_size, status.st_mtime))
        else:
            units.append(_file_unit(kind, path, status.st_size, status.st_mtime))
    return units + [_loose_unit(folder, files) for folder, files in loose.items()]


def _file_unit(kind: str, path: str, size: int, modified: float) -> Unit:
    return Unit(kind, path, repository_name(path), size, modified, f"{size} bytes, {modified}")


def _loose_unit(folder: str, files: list[tuple[str, int, float]]) -> Unit:
    size, modified = sum(size for _, size, _ in files), max(modified for _, _, modified in files)
    names = tuple(sorted(name for name, _, _ in files))
    return Unit("files", folder, repository_name(folder) or "files", size, modified, f"{len(files)} files, {size} bytes, {modified}", names)


# Remote file systems


def _list_remote(pattern: str) -> list[Unit]:
    matched = storage.match(pattern)
    base = pattern.rstrip("/")
    if not any(mark in pattern for mark in "*?["):
        if [info.path for info in matched] == [pattern]:
            return _remote_files(matched)
        return _remote_named(base, storage.match(storage.join(base, "**")))
    folders: dict[str, list[storage.FileInfo]] = defaultdict(list)
    if "**" not in pattern:
        # An object store has no folders: one that the pattern matches is the beginning of names of objects.
        depth = base.count("/") + 1
        for info in storage.match(storage.join(base, "**")):
            folders["/".join(info.path.split("/")[:depth])].append(info)
    return _remote_files(matched) + [unit for folder, below in folders.items() for unit in _remote_named(folder, below)]


def _remote_named(base: str, below: Iterable[storage.FileInfo]) -> list[Unit]:
    """The units of a folder, of the objects below it."""
    groups: dict[str, list[storage.FileInfo]] = defaultdict(list)
    for info in below:
        first, slash, rest = info.path[len(base) + 1 :].partition("/")
        if rest or (first and not slash):
            groups[first if slash else ""].append(info)
    if ".git" in groups or _is_bare([info.path[len(base) + 1 :] for files in groups.values() for info in files]):
        return [_remote_folder(base, [info for files in groups.values() for info in files])]
    loose = groups.pop("", [])
    return [_remote_folder(f"{base}/{name}", files) for name, files in groups.items()] + _remote_files(loose)


def _remote_folder(path: str, files: list[storage.FileInfo]) -> Unit:
    bare = _is_bare([info.path[len(path) + 1 :] for info in files])
    size, modified = sum(info.size for info in files), max(info.modified for info in files)
    state = f"{len(files)} files, {size} bytes, {modified}"
    return Unit("git" if bare else "tree", path, repository_name(path), size, modified, state)


def _is_bare(names: Iterable[str]) -> bool:
    first = {name if name in ("HEAD", "config") else name.partition("/")[0] for name in names}
    return {"HEAD", "config", "objects"} <= first


def _remote_files(files: Iterable[storage.FileInfo]) -> list[Unit]:
    units, loose = [], defaultdict(list)
    for path, size, modified in files:
        kind = _file_kind(path)
        if kind == "files":
            folder, _, name = path.rpartition("/")
            loose[folder].append((name, size, modified))
        else:
            units.append(_file_unit(kind, path, size, modified))
    return units + [_loose_unit(folder, members) for folder, members in loose.items()]
