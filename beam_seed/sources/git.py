"""git repositories at HEAD, read as objects through libgit2.

Nothing a repository configures is run or followed: no hooks, filters, includes of configuration, no objects or references outside its own
folder (alternates, links, somebody else's repository as its common folder). Blobs are read as they are stored. What could keep a reader
waiting for ever, a pipe in place of a file, is refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zlib
from collections.abc import Iterator
from typing import Any

import pygit2

from beam_seed.sources.repository import ArchiveLimitError, Limits, Member, display

pygit2.settings.owner_validation = False  # strangers own what we read; nothing they configured is run
for _level in (pygit2.enums.ConfigLevel.SYSTEM, pygit2.enums.ConfigLevel.XDG, pygit2.enums.ConfigLevel.GLOBAL):
    pygit2.settings.search_path[_level] = ""  # results must not depend on whose machine reads

_GITDIR_FILE_BYTES = 2 * 4096  # 'gitdir: ' and one path
_CONFIG_BYTES = 1 << 20
_TREE_BYTES = 64 << 20  # a million entries of ordinary length
_OBJECT_HEADER_BYTES = 32  # kind, size and NUL before an object's content
_CHUNK = 64 << 10


def git_folder(path: str) -> str:
    """The git folder of a local folder: its ``.git``, what its ``.git`` file names, or itself if bare; '' if it is no repository."""
    dot_git = os.path.join(path, ".git")
    if os.path.islink(dot_git):
        return ""
    if _is_git_folder(dot_git):
        return dot_git
    if os.path.isfile(dot_git):
        return _named_folder(dot_git)
    return path if _is_git_folder(path) else ""


def _is_git_folder(path: str) -> bool:
    # As git itself tells one; the folders are in the common folder of a working tree of several.
    own = all(os.path.isdir(os.path.join(path, name)) for name in ("objects", "refs"))
    return os.path.lexists(os.path.join(path, "HEAD")) and (own or os.path.isfile(os.path.join(path, "commondir")))


def _named_folder(dot_git: str) -> str:
    with open(dot_git, "rb") as file:
        text = os.fsdecode(file.read(_GITDIR_FILE_BYTES))
    if not text.startswith("gitdir:"):
        return ""
    return os.path.normpath(os.path.join(os.path.dirname(dot_git), text[len("gitdir:") :].strip()))


def outside_references(path: str) -> str:
    """What in a git folder leads out of it ('' where nothing does): a stranger's repository must not pull in another one's objects."""
    folder = git_folder(path)
    if not os.path.isdir(folder):
        return f"the git folder {display(folder)!r} does not exist; read the repository it belongs to"
    if os.path.dirname(folder) != path and folder != path and not _registered(folder, path):
        return "its .git file names a repository that does not know of it; read that repository itself"
    common = common_folder(folder)
    if common != folder and os.path.dirname(os.path.dirname(folder)) != common:
        return "its commondir leads to another repository; read that repository itself"
    return _odd_file(folder, ("HEAD",)) or _links_out(common)


def _registered(folder: str, path: str) -> bool:
    """Whether the git folder that a ``.git`` file names says itself that ``path`` is its working tree (worktree or submodule)."""
    back = os.path.join(folder, "gitdir")
    if os.path.isfile(back):
        with open(back, "rb") as file:
            return os.path.realpath(os.path.dirname(os.fsdecode(file.read(_GITDIR_FILE_BYTES)).strip())) == os.path.realpath(path)
    if _config_fault(folder):
        return False
    try:
        worktree = pygit2.Config(os.path.join(folder, "config"))["core.worktree"]
    except (KeyError, OSError, pygit2.GitError):
        return False
    return worktree is not None and os.path.realpath(os.path.join(folder, worktree)) == os.path.realpath(path)


def common_folder(folder: str) -> str:
    """The folder that holds the objects and references of a git folder: itself, or the one its ``commondir`` names."""
    commondir = os.path.join(folder, "commondir")
    if not os.path.isfile(commondir):
        return folder
    with open(commondir, "rb") as file:
        return os.path.normpath(os.path.join(folder, os.fsdecode(file.read(_GITDIR_FILE_BYTES)).strip()))


def _links_out(common: str) -> str:
    for name in ("alternates", "http-alternates"):
        if os.path.lexists(os.path.join(common, "objects", "info", name)):
            return f"objects/info/{name} borrows another repository's objects; clone with --dissociate"
    for name in ("objects", "refs", "HEAD", "packed-refs"):
        if os.path.islink(os.path.join(common, name)):
            return f"{name} is a link; {_COPY}"
    for top, what in (("objects", "objects"), ("refs", "references")):
        for folder, folders, files in os.walk(os.path.join(common, top)):
            for name in folders + files:
                mode = os.lstat(os.path.join(folder, name)).st_mode
                if stat.S_ISLNK(mode):
                    return f"{display(name)} among its {what} is a link; {_COPY}"
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    return f"{display(name)} among its {what} is neither a file nor a folder; {_COPY}"
    return _odd_file(common, ("packed-refs", "shallow"))


_COPY = "copy the repository with 'git clone --no-local'"


def _odd_file(folder: str, names: tuple[str, ...]) -> str:
    """Which of these is there and no file ('' where none is): a pipe's reader waits for ever."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.exists(path) and not os.path.isfile(path):
            return f"{name} is not a file; {_COPY}"
    return ""


def _config_fault(folder: str) -> str:
    """Why libgit2 must not be given a git folder's configuration ('' where it may): it follows includes wherever they lead."""
    names = ("config", "config.worktree")
    if problem := _odd_file(folder, names):
        return problem
    for path in (os.path.join(folder, name) for name in names):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                text = file.read(_CONFIG_BYTES + 1)
            if len(text) > _CONFIG_BYTES or re.search(rb"\[\s*include", text, re.IGNORECASE):
                return "its configuration includes other files, which are not read; remove [include] from its config"
    return ""


def head_commit(path: str) -> str:
    """Commit id at HEAD; '' where there is no commit yet. Raises ValueError, KeyError, ``pygit2.GitError`` on a damaged repository."""
    with contextlib.closing(_Objects(path)) as objects:
        return objects.head()


class _Objects:
    """A repository's objects, checked before libgit2 (1.9) reads them: a loose object that is cut short makes it loop for ever."""

    def __init__(self, path: str):
        folder = git_folder(path)
        problem = outside_references(path) or _config_fault(folder) or _config_fault(common_folder(folder))
        if problem:
            raise ValueError(problem)
        self._loose = os.path.join(common_folder(folder), "objects")
        self._repository = pygit2.Repository(folder, pygit2.enums.RepositoryOpenFlag.NO_SEARCH | pygit2.enums.RepositoryOpenFlag.NO_DOTGIT)

    def head(self) -> str:
        if self._repository.head_is_unborn:
            return ""
        oid = self._repository.lookup_reference("HEAD").resolve().target
        while isinstance(found := self.read(oid), pygit2.Tag):
            oid = found.target
        return str(found.peel(pygit2.Commit).id)

    def size(self, oid: Any) -> int:
        return int(self._repository.odb.read_header(oid)[1])

    def read(self, oid: Any) -> pygit2.Object:
        """A commit, tag or tree. Raises ValueError where it is missing or damaged, ``ArchiveLimitError`` where it is too large."""
        self._check(oid, _TREE_BYTES)
        return self._repository[oid]

    def blob(self, oid: Any, max_bytes: int) -> bytes:
        """The content of a blob; raises as ``read`` does."""
        self._check(oid, max_bytes)
        # Not as an object of the repository, which would be cached and copied: three times as slow.
        kind, data = self._repository.odb.read(oid)
        if kind != pygit2.enums.ObjectType.BLOB:
            raise ValueError(f"object {oid} is no file")
        return data

    def _check(self, oid: Any, max_bytes: int) -> None:
        try:
            size = self.size(oid)
            if size > max_bytes:
                raise ArchiveLimitError(f"archive-limits: object {oid} has {size} bytes; at most {max_bytes} are read")
            self._check_loose(str(oid), size)
        except (KeyError, zlib.error, pygit2.GitError) as error:
            raise ValueError(f"object {oid} is missing or damaged: {error}") from error

    def _check_loose(self, oid: str, size: int) -> None:
        path = os.path.join(self._loose, oid[:2], oid[2:])
        if not os.path.lexists(path):
            return
        unpack = zlib.decompressobj()
        left = size + _OBJECT_HEADER_BYTES
        with open(path, "rb") as file:
            while not unpack.eof and left > 0:
                packed = unpack.unconsumed_tail or file.read(_CHUNK)
                if not packed:
                    raise ValueError(f"object {oid} is cut short")
                left -= len(unpack.decompress(packed, _CHUNK))
        if not unpack.eof:
            raise ValueError(f"object {oid} is longer than the {size} bytes it declares")

    def close(self) -> None:
        self._repository.free()


class GitRepository:
    """The files of the commit at HEAD. ``path``: a local folder with ``.git``, or a bare repository."""

    def __init__(self, path: str, limits: Limits):
        self._objects = _Objects(path)
        self._limits = limits
        self.revision = self._objects.head()
        self.faults: list[str] = []

    def members(self) -> list[Member]:
        self.faults = []
        members: list[Member] = []
        trees = [(b"", self._objects.read(self.revision).peel(pygit2.Commit).tree_id)] if self.revision else []
        seen = 0
        while trees:
            prefix, tree = trees.pop()
            for name, mode, oid in self._entries(prefix, tree):
                seen += 1
                if seen > self._limits.members:
                    raise ArchiveLimitError(f"archive-limits: more than {self._limits.members} entries below HEAD")
                if mode == pygit2.enums.FileMode.TREE:
                    trees.append((name + b"/", oid))
                else:
                    members.append(self._member(name, mode, oid))
        return members

    def _entries(self, prefix: bytes, oid: pygit2.Oid) -> Iterator[tuple[bytes, int, pygit2.Oid]]:
        try:
            tree = self._objects.read(oid).peel(pygit2.Tree)
        except (ValueError, KeyError, pygit2.GitError) as error:
            self.faults.append(f"folder {display(prefix)!r}: tree {oid}: {error}")
            return
        for entry in tree:
            yield prefix + (entry.raw_name or b""), int(entry.filemode), entry.id

    def _member(self, name: bytes, mode: int, oid: pygit2.Oid) -> Member:
        path = display(name)
        if mode == pygit2.enums.FileMode.COMMIT:
            return Member(path, 0, oid, rule="submodule", evidence=str(oid))
        try:
            size = self._objects.size(oid)
            target = (
                display(self._objects.blob(oid, _GITDIR_FILE_BYTES))
                if mode == pygit2.enums.FileMode.LINK and size <= _GITDIR_FILE_BYTES
                else ""
            )
        except (ValueError, KeyError, pygit2.GitError) as error:
            return Member(path, 0, oid, error=f"object {oid} is missing or damaged: {error}")
        return Member(path, size, oid, rule="link" if mode == pygit2.enums.FileMode.LINK else "", evidence=target)

    def read(self, member: Member, max_bytes: int) -> bytes:
        return self._objects.blob(member.key, max(_TREE_BYTES, self._limits.file_bytes))[:max_bytes]

    def close(self) -> None:
        self._objects.close()
