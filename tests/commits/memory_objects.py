"""Snapshots held in memory, for the tests that need objects but no repository."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from beam_seed.commits.records import EMPTY_TREE, FOLDER, ObjectError, ObjectTooLargeError, TreeEntry

File = bytes | tuple[str, bytes]  # content, or mode and content


class MemoryObjects:
    """``records.Objects`` of snapshots that are given as {path: file}."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.trees: dict[str, list[TreeEntry]] = {EMPTY_TREE: []}
        self.reads: Counter[str] = Counter()  # how often each object was read
        self.missing: set[str] = set()

    def snapshot(self, files: Mapping[str, File]) -> str:
        """The id of the tree that holds ``files``."""
        folders: dict[str, dict[str, File]] = {}
        entries = []
        for path, file in files.items():
            name, _, rest = path.partition("/")
            if rest:
                folders.setdefault(name, {})[rest] = file
            else:
                mode, content = file if isinstance(file, tuple) else ("100644", file)
                entries.append(TreeEntry(mode, name, self.put_blob(content)))
        entries += [TreeEntry(FOLDER, name, self.snapshot(inner)) for name, inner in folders.items()]
        return self.put_tree(sorted(entries, key=lambda entry: entry.name + "/" * (entry.mode == FOLDER)))

    def put_blob(self, content: bytes) -> str:
        oid = hashlib.sha1(b"blob" + content).hexdigest()
        self.blobs[oid] = content
        return oid

    def put_tree(self, entries: list[TreeEntry]) -> str:
        oid = hashlib.sha1(b"tree" + repr(entries).encode("utf-8", "surrogatepass")).hexdigest() if entries else EMPTY_TREE
        self.trees[oid] = entries
        return oid

    def blob(self, oid: str, max_bytes: int) -> bytes:
        self._read(oid, self.blobs)
        if len(self.blobs[oid]) > max_bytes:
            raise ObjectTooLargeError(f"object {oid} has {len(self.blobs[oid])} bytes; at most {max_bytes} are read")
        return self.blobs[oid]

    def tree(self, oid: str) -> list[TreeEntry]:
        self._read(oid, self.trees)
        return self.trees[oid]

    def _read(self, oid: str, stored: Mapping[str, object]) -> None:
        self.reads[oid] += 1
        if oid in self.missing or oid not in stored:
            raise ObjectError(f"object {oid} is missing")
