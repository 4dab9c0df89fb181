"""What a history consists of: commits, their changes against the first parent, and the objects they are read from. Fields only.

Text is ``str`` of valid Unicode throughout, with one exception: **paths** may hold bytes that are not UTF-8, as lone surrogates
(PEP 383, ``surrogateescape``). ``paths.quote`` writes such a path as valid text (git's own quoting) and ``paths.unquote`` reads it back,
byte for byte. A file whose bytes are not UTF-8, or hold NUL, is never decoded by guess: its change is ``opaque`` and has no hunks.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Id of the tree without entries, which need not be stored: the snapshot before a root commit."""

SUBMODULE = "160000"
LINK = "120000"
FOLDER = "40000"


class Hunk(NamedTuple):
    """One run of changed lines with the unchanged lines around it, as in a unified diff.

    A line ends in '\\n', which is part of it ('\\r\\n' stays '\\r\\n'; nothing else ends a line). Only the last line of a file can lack it.
    """

    old_start: int  # 1-based number of the first old line; where old_lines is 0, of the line before it
    old_lines: int
    new_start: int
    new_lines: int
    lines: tuple[str, ...]  # ' ', '-' or '+', then the line


class FileChange(NamedTuple):
    """What a commit did to one file, a link or a submodule, as ``git diff-tree -r -M`` tells it.

    The content of a link is its target, without a newline; of a submodule, the line ``Subproject commit <id>``, as git shows it.
    A change of type ('T': a file becomes a link, a submodule a file) is one hunk that replaces everything.
    """

    status: str  # 'A' added, 'D' deleted, 'M' modified (content, mode or both), 'R' renamed, 'T' type changed
    old_path: str  # '/' separated; '' for 'A'
    new_path: str  # '' for 'D'; the same as old_path for 'M' and 'T'
    old_mode: str  # '100644', '100755', '120000' (link) or '160000' (submodule); '' for 'A'
    new_mode: str  # '' for 'D'
    old_blob: str  # 40 hex digits; '' for 'A'. Of a submodule, the id of its commit
    new_blob: str  # '' for 'D'
    similarity: int  # per cent, for 'R'; 0 otherwise
    opaque: str  # why the hunks do not tell the change: 'binary', 'not-utf8', 'too-large' (commit); '' where they tell it whole
    hunks: tuple[Hunk, ...]  # none where only the mode or the path changed, where the file is empty, or opaque


class CommitRecord(NamedTuple):
    """One commit. Names and addresses of its author and committer are not kept."""

    source: str  # where it was read, as listed from --input
    repo: str
    id: str  # 40 hex digits
    parents: tuple[str, ...]  # none for a root commit
    tree: str  # the snapshot after the commit
    parent_tree: str  # the snapshot before it: the first parent's tree, EMPTY_TREE for a root commit
    author_time: int  # Unix seconds
    author_offset: int  # minutes east of UTC
    commit_time: int
    commit_offset: int
    message: str  # without trailers that name people; bytes that could not be decoded are written as \xff
    encoding: str  # of the message; '' where it could not be decoded
    merge: bool  # whether it has more than one parent
    bot: bool  # whether its author is a program, by name or address
    changes: tuple[FileChange, ...]  # against the first parent, in git's order (of paths)
    patch_id: str  # 40 hex digits, see patch.patch_id; '' where no patch was made
    stars: int | None  # None = unknown, as are forks
    forks: int | None
    license: str  # '' = unknown


class TreeEntry(NamedTuple):
    """One entry of one folder of a snapshot."""

    mode: str  # FOLDER, LINK, SUBMODULE, '100644', '100755' (old histories also hold '100664')
    name: str  # within its folder
    id: str  # of its tree or blob


class ObjectError(ValueError):
    """An object is missing, damaged, of another kind, or larger than asked for."""


class ObjectTooLargeError(ObjectError):
    """An object has more bytes than were asked for."""


class Objects(Protocol):
    """The objects of one repository by id. Both raise ObjectError."""

    def blob(self, oid: str, max_bytes: int) -> bytes:
        """The bytes of a file or link of at most ``max_bytes``."""
        ...

    def tree(self, oid: str) -> list[TreeEntry]:
        """The entries of one folder, in git's order; EMPTY_TREE has none."""
        ...
