"""git repositories at HEAD, read as objects through libgit2.

Nothing a repository configures is run or followed: no hooks, filters, includes of the user's configuration, no objects or references
outside its own folder (alternates, links, somebody else's repository as its common folder). Blobs are read as they are stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pygit2

from beam_seed.sources.repository import ArchiveLimitError, Limits, Member, display

pygit2.settings.owner_validation = False  # strangers own what we read; nothing they configured is run
for _level in (pygit2.enums.ConfigLevel.SYSTEM, pygit2.enums.ConfigLevel.XDG, pygit2.enums.ConfigLevel.GLOBAL):
    pygit2.settings.search_path[_level] = ""  # results must not depend on whose machine reads

_GITDIR_FILE_BYTES = 2 * 4096  # 'gitdir: ' and one path


def git_folder(path: str) -> str:
    """The git folder of a local folder: its ``.git``, what its ``.git`` file names, or itself if bare; '' if it is no repository."""
    dot_git = os.path.join(path, ".git")
    if os.path.islink(dot_git):
        return ""
    if os.path.isdir(dot_git):
        return dot_git
    if os.path.isfile(dot_git):
        return _named_folder(dot_git)
    bare = os.path.isfile(os.path.join(path, "HEAD")) and all(os.path.isdir(os.path.join(path, name)) for name in ("objects", "refs"))
    return path if bare else ""


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
    common = _common_folder(folder)
    if common != folder and os.path.dirname(os.path.dirname(folder)) != common:
        return "its commondir leads to another repository; read that repository itself"
    return _links_out(common)


def _registered(folder: str, path: str) -> bool:
    """Whether the git folder that a ``.git`` file names says itself that ``path`` is its working tree (worktree or submodule)."""
    back = os.path.join(folder, "gitdir")
    if os.path.isfile(back):
        with open(back, "rb") as file:
            return os.path.realpath(os.path.dirname(os.fsdecode(file.read(_GITDIR_FILE_BYTES)).strip())) == os.path.realpath(path)
    try:
        worktree = pygit2.Config(os.path.join(folder, "config"))["core.worktree"]
    except (KeyError, OSError, pygit2.GitError):
        return False
    return worktree is not None and os.path.realpath(os.path.join(folder, worktree)) == os.path.realpath(path)


def _common_folder(folder: str) -> str:
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
            return f"{name} is a link; copy the repository with 'git clone --no-local'"
    for folder, folders, files in os.walk(os.path.join(common, "objects")):
        for name in folders + files:
            if os.path.islink(os.path.join(folder, name)):
                return f"{display(name)} among its objects is a link; copy the repository with 'git clone --no-local'"
    return ""


def head_commit(path: str) -> str:
    """Commit id at HEAD; '' where there is no commit yet. Raises ``pygit2.GitError``, KeyError on a damaged repository."""
    repository = _open(path)
    return "" if repository.head_is_unborn else str(repository.revparse_single("HEAD").peel(pygit2.Commit).id)


def _open(path: str) -> pygit2.Repository:
    problem = outside_references(path)
    if problem:
        raise ValueError(problem)
    return pygit2.Repository(git_folder(path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH | pygit2.enums.RepositoryOpenFlag.NO_DOTGIT)


class GitRepository:
    """The files of the commit at HEAD. ``path``: a local folder with ``.git``, or a bare repository."""

    def __init__(self, path: str, limits: Limits):
        self._repository = _open(path)
        self._limits = limits
        self.revision = head_commit(path)
        self.faults: list[str] = []

    def members(self) -> list[Member]:
        self.faults = []
        if not self.revision:
            return []
        members: list[Member] = []
        trees = [(b"", self._repository[self.revision].peel(pygit2.Tree).id)]
        seen = 0
        while trees:
            prefix, tree = trees.pop()
            for name, mode, oid in self._entries(prefix, tree):
                seen += 1
                if seen > self._limits.members:
                    raise ArchiveLimitError(f"more than {self._limits.members} entries below HEAD")
                if mode == pygit2.enums.FileMode.TREE:
                    trees.append((name + b"/", oid))
                else:
                    members.append(self._member(name, mode, oid))
        return members

    def _entries(self, prefix: bytes, tree: pygit2.Oid) -> Iterator[tuple[bytes, int, pygit2.Oid]]:
        try:
            entries = self._repository[tree].peel(pygit2.Tree)
        except (KeyError, pygit2.GitError) as error:
            self.faults.append(f"folder {display(prefix)!r}: tree {tree}: {type(error).__name__}: {error}")
            return
        for entry in entries:
            yield prefix + (entry.raw_name or b""), int(entry.filemode), entry.id

    def _member(self, name: bytes, mode: int, oid: pygit2.Oid) -> Member:
        path = display(name)
        if mode == pygit2.enums.FileMode.COMMIT:
            return Member(path, 0, oid, rule="submodule", evidence=str(oid))
        try:
            size = self._repository.odb.read_header(oid)[1]
        except (KeyError, pygit2.GitError) as error:
            return Member(path, 0, oid, error=f"{type(error).__name__}: {error}")
        if mode == pygit2.enums.FileMode.LINK:
            return Member(path, size, oid, rule="link", evidence=self._link_target(oid, size))
        return Member(path, size, oid)

    def _link_target(self, oid: pygit2.Oid, size: int) -> str:
        return display(self._blob(oid)) if size <= _GITDIR_FILE_BYTES else ""

    def _blob(self, oid: Any) -> bytes:
        try:
            return self._repository[oid].peel(pygit2.Blob).data
        except KeyError as error:
            raise ValueError(f"object {oid} is missing or damaged") from error

    def read(self, member: Member, max_bytes: int) -> bytes:
        return self._blob(member.key)[:max_bytes]

    def close(self) -> None:
        self._repository.free()
