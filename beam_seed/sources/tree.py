"""Working trees and loose files: local folders through the operating system, remote ones through Beam's file systems."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator

from beam_seed import storage
from beam_seed.sources.repository import Member, display, is_machine_error

# Never follow a link that took a file's place since it was listed, never wait for the writer of a named pipe.
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalTree:
    """The files below a folder, or only ``names`` in it. Links are listed, never followed."""

    def __init__(self, path: str, names: Iterable[str] | None = None):
        self.revision = ""
        self.faults: list[str] = []
        self._path = path
        self._names = None if names is None else list(names)

    def members(self) -> list[Member]:
        if self._names is None:
            return list(walk(self._path))
        return [_member(name, os.path.join(self._path, name)) for name in self._names]

    def read(self, member: Member, max_bytes: int) -> bytes:
        descriptor = os.open(os.path.join(self._path, member.key), _OPEN_FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{member.path} is no regular file any more")
            return _read_up_to(functools.partial(os.read, descriptor), max_bytes, member.size)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Nothing is held open."""


def _read_up_to(read: Callable[[int], bytes], max_bytes: int, expected: int) -> bytes:
    # The byte beyond the expected ones tells the end of the file in one call, but for a file that grew.
    data = read(min(max_bytes, expected + 1))
    while len(data) < max_bytes and len(data) != expected and (more := read(max_bytes - len(data))):
        data += more
    return data


def walk(root: str) -> Iterator[Member]:
    """Every file, link and special file below ``root``, and every folder that cannot be listed (as a member with an error)."""
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                for entry in entries:
                    name = f"{folder}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name + "/")
                    else:
                        yield _member(name, entry)
        except OSError as error:
            yield _unreadable(folder.rstrip("/"), error)


def _member(name: str, entry: os.DirEntry[str] | str) -> Member:
    try:
        status = os.lstat(entry) if isinstance(entry, str) else entry.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            return Member(display(name), status.st_size, name, modified=status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            return Member(display(name), status.st_size, name, rule="link", evidence=display(os.readlink(entry)))
    except OSError as error:
        return _unreadable(name, error)
    return Member(display(name), status.st_size, name, rule="special-file", evidence=stat.filemode(status.st_mode)[0])


def _unreadable(name: str, error: OSError) -> Member:
    if is_machine_error(error):
        raise error
    return Member(display(name), 0, name, error=f"{type(error).__name__}: {error.strerror}")


class RemoteTree:
    """The objects below a prefix of a remote file system, or only ``names`` in it."""

    def __init__(self, path: str, names: Iterable[str] | None = None):
        self.revision = ""
        self.faults: list[str] = []
        self._path = path.rstrip("/")
        self._names = None if names is None else frozenset(names)

    def members(self) -> list[Member]:
        pattern = "*" if self._names is not None else "**"
        found = storage.match(storage.join(self._path, pattern))
        named = ((info, info.path[len(self._path) + 1 :]) for info in found)
        return [
            Member(display(name), info.size, info.path)
            for info, name in named
            if name and not name.endswith("/") and (self._names is None or name in self._names)
        ]

    def read(self, member: Member, max_bytes: int) -> bytes:
        with storage.open_read(member.key) as file:
            return _read_up_to(file.read, max_bytes, member.size)

    def close(self) -> None:
        """Nothing is held open."""
