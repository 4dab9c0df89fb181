"""The objects of a history by id, read through one ``git cat-file`` process."""

from __future__ import annotations

from beam_seed.commits.git import Conversation, Store
from beam_seed.commits.records import EMPTY_TREE, ObjectError, ObjectTooLargeError, TreeEntry

TREE_BYTES = 64 << 20  # a million entries of ordinary length
COMMIT_BYTES = 4 << 20  # messages of squashed histories reach a megabyte


class GitObjects:
    """``records.Objects`` of a store. Not for use by several threads; ``close`` it after use."""

    def __init__(self, store: Store):
        self._git = Conversation(store, ["cat-file", "--batch-command"])

    def blob(self, oid: str, max_bytes: int) -> bytes:
        """The bytes of a file or link of at most ``max_bytes``. Raises ObjectError."""
        return self._read(oid, b"blob", max_bytes)

    def commit(self, oid: str) -> bytes:
        """A commit as it is stored. Raises ObjectError."""
        return self._read(oid, b"commit", COMMIT_BYTES)

    def tree(self, oid: str) -> list[TreeEntry]:
        """The entries of one folder, in git's order. Raises ObjectError."""
        return parse_tree(self._read(oid, b"tree", TREE_BYTES)) if oid != EMPTY_TREE else []

    def size(self, oid: str) -> int:
        """Bytes of an object, which is not read. Raises ObjectError."""
        self._git.ask(f"info {oid}\n".encode("ascii"))
        return self._header(oid)[1]

    def _read(self, oid: str, kind: bytes, max_bytes: int) -> bytes:
        self._git.ask(f"contents {oid}\n".encode("ascii"))
        found, size = self._header(oid)
        if found != kind or size > max_bytes:
            self._git.skip(size + 1)
            if found != kind:
                raise ObjectError(f"object {oid} is a {found.decode()}, expected a {kind.decode()}")
            raise ObjectTooLargeError(f"object {oid} has {size} bytes; at most {max_bytes} are read")
        return self._git.read(size + 1)[:size]

    def _header(self, oid: str) -> tuple[bytes, int]:
        header = self._git.read_line()
        if header == oid.encode() + b" missing":
            raise ObjectError(f"object {oid} is missing")
        told = header.split(b" ")
        if len(told) != 3 or not told[2].isdigit():
            raise ObjectError(f"git cat-file says {header[:200]!r} of object {oid}; expected its kind and size")
        return told[1], int(told[2])

    def close(self) -> None:
        self._git.close()


def parse_tree(data: bytes) -> list[TreeEntry]:
    """The entries of a tree object (ids of 20 bytes). Raises ObjectError where it is damaged."""
    entries = []
    position = 0
    while position < len(data):
        space = data.find(b" ", position)
        end = data.find(b"\0", space)
        if space < 0 or end < 0 or end + 21 > len(data):
            raise ObjectError(f"a tree of {len(data)} bytes is damaged at byte {position}")
        mode, name = data[position:space].decode("ascii", "replace"), data[space + 1 : end].decode("utf-8", "surrogateescape")
        entries.append(TreeEntry(mode, name, data[end + 1 : end + 21].hex()))
        position = end + 21
    return entries
