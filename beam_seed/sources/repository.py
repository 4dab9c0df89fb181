"""What every kind of repository offers to the reader: a list of its members and the bytes of one of them."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True)
class Limits:
    """How much of a stranger's input is believed. Raises ValueError where a limit is not a positive number."""

    file_bytes: int = 8 << 20
    """Largest file that is decoded; what is larger is data. Also what the reader holds in memory."""
    members: int = 1_000_000
    """Members of one archive or git repository: twice the largest monorepos, at about 0.5 KB of index each."""
    unpacked_bytes: int = 8 << 30
    """Bytes one archive may unpack to: it is the disk one worker thread needs."""
    ratio: float = 200.0
    """Unpacked bytes per packed byte of an archive beyond its first 64 MiB. Source code packs 4 to 10 times, bombs 1,000 times."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"limit {name}={value} is not positive; give a number above 0")


class Member(NamedTuple):
    """One file, or what stands where a file could, of a repository."""

    path: str  # as listed, '/' separated, valid Unicode
    size: int  # bytes, as declared
    key: Any  # how its repository finds it
    rule: str = ""  # why it is no file: 'link', 'special-file', 'submodule'
    evidence: str = ""  # what it is instead: a link's target, a type
    error: str = ""  # why it cannot be read, where listing already told
    modified: float = 0.0  # seconds since the epoch, where the listing tells


class Repository(Protocol):
    """An opened repository. ``close`` it after use; a second listing gives the same members."""

    revision: str  # commit id, '' where there is none
    faults: list[str]  # what is wrong with the repository as a whole; complete after members()

    def members(self) -> list[Member]:
        """Its members, in any order."""
        ...

    def read(self, member: Member, max_bytes: int) -> bytes:
        """The first ``max_bytes`` of a member. Raises whatever the format's library raises on damaged input."""
        ...

    def close(self) -> None: ...


class ArchiveLimitError(ValueError):
    """An input asks for more than its Limits allow."""


_MACHINE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS})


def is_machine_error(error: BaseException) -> bool:
    """Whether the machine, not the input, is at fault (disk or memory full): the job must stop, not record a bad file."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _MACHINE_ERRORS)


def display(name: str | bytes) -> str:
    r"""A file name as valid Unicode: bytes that are not UTF-8 are written as ``\xff``."""
    if isinstance(name, str):
        if name.isascii():
            return name
        try:
            return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            return name.encode("utf-8", "backslashreplace").decode()
    return name.decode("utf-8", "backslashreplace")


def normalise(path: str) -> str:
    """``path`` without empty and '.' components; a leading '/' and '..' stay for path_fault to see."""
    if "//" not in path and "./" not in path and not path.endswith(("/", "/.")) and path != ".":
        return path
    start = "/" if path.startswith("/") else ""
    return start + "/".join(part for part in path.split("/") if part not in ("", "."))


MAX_PATH_BYTES = 4096
"""PATH_MAX of Linux: a longer name cannot have been a file there."""

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def path_fault(path: str) -> str:
    """Why no repository could hold a file of this path ('' where it could): it leads outside, or is no path at all."""
    if not path:
        return "empty"
    if path.startswith(("/", "\\\\")):
        return "absolute"
    if _DRIVE.match(path):
        return "drive letter"
    if "\0" in path:
        return "NUL"
    if ".." in path and ".." in re.split(r"[\\/]", path):
        return "parent folder"
    if len(path) > MAX_PATH_BYTES // 4 and len(path.encode()) > MAX_PATH_BYTES:
        return "over-long"
    return ""
