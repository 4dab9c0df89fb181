"""Where histories come from: clones and bare repositories, bundles, and archives of any of these, on local disks or remote.

Of a repository only what git needs to read commits is taken: HEAD, its branches, its objects and where a shallow clone ends.
What lies on a local disk is read in place; everything else is copied to a folder of the worker's disk, by names that a git
folder can have, and removed afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from beam_seed import storage
from beam_seed.commits import git
from beam_seed.commits.records import CommitRecord
from beam_seed.commits.references import SHA256, head_commit
from beam_seed.sources.archive import open_archive, temporary_file
from beam_seed.sources.git import common_folder, git_folder, outside_references
from beam_seed.sources.metadata import RepoMetadata
from beam_seed.sources.repository import ArchiveLimitError, Limits, display, path_fault
from beam_seed.sources.units import Unit, list_units, repository_name

BUNDLE_SUFFIX = ".bundle"

_WANTED = re.compile(r"HEAD|packed-refs|shallow|refs/heads/.+|objects/(?:[0-9a-f]{2}/[0-9a-f]{38}|pack/\w[\w.-]{,127}\.(?:pack|idx))")
_ALTERNATES = re.compile(r"objects/info/(?:http-)?alternates")
_SHALLOW_BYTES = 16 << 20
_BUNDLE_HEADER_BYTES = 1 << 10  # its version and capabilities, a short line each
_UNPACK_SECONDS = 3600.0
_CHUNK = 1 << 20


class History(NamedTuple):
    """An opened history."""

    store: git.Store
    head: str  # commit id; '' where there is no commit yet
    shallow: tuple[str, ...]  # commits whose parents were not fetched


def list_histories(pattern: str) -> list[Unit]:
    """The units of one ``--input`` as ``units.list_units`` has them, with bundles as units of kind 'bundle'.

    Raises FileNotFoundError where ``pattern`` matches nothing, or nothing of what it matches can hold a history.
    """
    listed: list[Unit] = []
    for unit in list_units(pattern):
        if unit.kind != "files":
            listed.append(unit)
            continue
        bundles = [name for name in unit.members if name.lower().endswith(BUNDLE_SUFFIX)]
        listed += [_bundle_unit(storage.join(unit.path, name), unit) for name in bundles]
        others = tuple(name for name in unit.members if name not in bundles)
        listed += [unit._replace(members=others)] if others else []
    if not any(is_in_place(unit) or is_copied(unit) for unit in listed):
        raise FileNotFoundError(f"no history at {pattern!r}: {_no_history(max(listed))}")
    return sorted(listed)


def _bundle_unit(path: str, loose: Unit) -> Unit:
    info = os.stat(path) if storage.is_local(path) else None
    size, modified = (info.st_size, info.st_mtime) if info else storage.match(storage.escape(path))[0][1:]
    return Unit("bundle", path, repository_name(path)[: -len(BUNDLE_SUFFIX)], size, modified, f"{size} bytes, {modified}")


@contextlib.contextmanager
def open_history(unit: Unit, limits: Limits) -> Iterator[History]:
    """The history of a unit, while the block runs.

    Raises ValueError (``ArchiveLimitError``, ``ObjectError``) and what an archive's library raises, where it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="beam-seed-history-", ignore_cleanup_errors=True) as folder, storage.naming_full_disk(folder):
        yield _open(unit, folder, limits)


def is_in_place(unit: Unit) -> bool:
    """Whether the history is read where it lies."""
    return unit.kind == "git" and storage.is_local(unit.path)


def is_copied(unit: Unit) -> bool:
    """Whether the history is copied to the worker's disk first. What is neither is no history."""
    return unit.kind in ("bundle", "archive") or (unit.kind in ("git", "tree") and not storage.is_local(unit.path))


def _open(unit: Unit, folder: str, limits: Limits) -> History:
    if is_in_place(unit):
        return _in_place(unit.path, folder)
    if unit.kind == "bundle":
        with _local_file(unit, limits) as file:
            return _unbundled(_chunks(file), folder)
    if unit.kind == "archive":
        return _extracted(unit, folder, limits)
    if unit.kind in ("git", "tree") and not storage.is_local(unit.path):
        # Remote, a folder with a .git is listed as a tree.
        _copy_remote(unit.path if unit.kind == "git" else storage.join(unit.path, ".git"), folder, limits)
        return _copied(folder)
    raise ValueError(_no_history(unit))


def _no_history(unit: Unit) -> str:
    expected = f"expected a git repository, a bundle ({BUNDLE_SUFFIX}) or an archive of one"
    if unit.kind == "tree":
        deeper = display(os.path.join(os.path.dirname(unit.path), "*", "*"))
        expected += f"; where repositories lie a level deeper (host/owner/repo), give a glob: --input='{deeper}'"
    return f"{unit.kind} {display(unit.path)!r} has no history; {expected}"


def _in_place(path: str, folder: str) -> History:
    problem = outside_references(path)
    if problem:
        raise ValueError(problem)
    own = git_folder(path)
    theirs = common_folder(own)
    head = head_commit(own, theirs)
    shallow = _read_shallow(os.path.join(theirs, "shallow"))
    git.make_folder(folder, shallow)
    return History(git.Store(folder, os.path.join(theirs, "objects")), head, tuple(shallow))


def _copied(folder: str) -> History:
    """The history of what was copied to ``folder``; our own configuration is written last, over whatever came."""
    shallow = _read_shallow(os.path.join(folder, "shallow"))
    for name in ("objects", "refs"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    if not os.path.exists(os.path.join(folder, "HEAD")):
        raise ValueError("no git folder in it (no HEAD); expected a repository with its .git, or a bare one")
    head = head_commit(folder, folder)
    git.make_folder(folder, shallow)
    return History(git.Store(folder, os.path.join(folder, "objects")), head, tuple(shallow))


def _read_shallow(path: str) -> list[str]:
    if not os.path.isfile(path):
        return []
    with open(path, "rb") as file:
        text = file.read(_SHALLOW_BYTES).decode("ascii", "replace")
    return [line for line in text.split("\n") if re.fullmatch(r"[0-9a-f]{40}", line)]


class _Copier:
    """Writes files of a git folder below ``folder``: known names only, each once, within a number of bytes."""

    def __init__(self, folder: str, limits: Limits):
        self._folder = folder
        self._left = limits.unpacked_bytes

    def write(self, name: str, chunks: Iterator[bytes]) -> None:
        if _ALTERNATES.fullmatch(name):
            raise ValueError(f"{name} borrows another repository's objects; clone with --dissociate")
        if not _WANTED.fullmatch(name) or path_fault(name):
            return
        path = os.path.join(self._folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as out:
            for chunk in chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    raise ArchiveLimitError("archive-limits: the git folder is larger than the limits allow")
                out.write(chunk)


def _extracted(unit: Unit, folder: str, limits: Limits) -> History:
    archive = open_archive(_local_file(unit, limits), unit.size, limits)
    try:
        members = {member.path: member for member in archive.members()}
        if archive.faults:
            raise ValueError("; ".join(archive.faults))
        bundles = [member for path, member in members.items() if path.lower().endswith(BUNDLE_SUFFIX)]
        if len(bundles) == 1 and not {"HEAD", ".git/HEAD"} & set(members):
            return _unbundled(archive.chunks(bundles[0]), folder)
        prefix = ".git/" if ".git/HEAD" in members else ""
        copier = _Copier(folder, limits)
        for path, member in members.items():
            if path.startswith(prefix) and not (member.rule or member.error):
                copier.write(path[len(prefix) :], archive.chunks(member))
    finally:
        archive.close()
    return _copied(folder)


def _copy_remote(base: str, folder: str, limits: Limits) -> None:
    copier = _Copier(folder, limits)
    for info in storage.match(storage.join(storage.escape(base), "**")):
        with storage.open_read(info.path) as file:
            copier.write(info.path[len(base.rstrip("/")) + 1 :], _chunks(file))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _local_file(unit: Unit, limits: Limits) -> BinaryIO:
    if unit.size > limits.unpacked_bytes:
        raise ArchiveLimitError(f"archive-limits: {unit.kind} of {unit.size} bytes; at most {limits.unpacked_bytes} are read")
    if storage.is_local(unit.path):
        return open(unit.path, "rb")
    copy = temporary_file()
    with storage.open_read(unit.path) as remote:
        shutil.copyfileobj(remote, copy, _CHUNK)
    copy.seek(0)
    return copy


def _unbundled(chunks: Iterator[bytes], folder: str) -> History:
    """Index a bundle's pack below ``folder``. A bundle that builds on commits it does not hold is refused by git."""
    git.make_folder(folder, [])
    path = os.path.join(folder, "input.bundle")
    with open(path, "wb+") as out:
        out.writelines(chunks)
        out.seek(0)
        if b"\n@object-format=sha256\n" in out.read(_BUNDLE_HEADER_BYTES):
            raise ValueError(SHA256)
    store = git.Store(folder, os.path.join(folder, "objects"))
    references = [
        line.decode("utf-8", "surrogateescape").partition(" ") for line in git.lines(store, ["bundle", "unbundle", path], _UNPACK_SECONDS)
    ]
    os.remove(path)
    heads = {name: commit for commit, _, name in references if not name.startswith("refs/tags/")}
    chosen = next((heads[name] for name in ("HEAD", "refs/heads/main", "refs/heads/master") if name in heads), "")
    if not chosen and len(heads) != 1:
        raise ValueError(f"the bundle names {len(heads)} branches and no HEAD; expected HEAD, main, master or a single branch")
    return History(store, chosen or next(iter(heads.values())), ())


def blank_record(unit: Unit, metadata: RepoMetadata | None) -> CommitRecord:
    """What all records of one repository share; their other fields are empty."""
    stars, forks, license_name = (metadata.stars, metadata.forks, metadata.license) if metadata else (None, None, "")
    texts = (display(unit.path), unit.repo)
    return CommitRecord(*texts, "", (), "", "", 0, 0, 0, 0, "", "", False, False, (), "", stars, forks, license_name)
