"""Answers that were paid for, kept: files of JSON lines that are only ever appended to, one writer each.

On a local file system a line is written as soon as its answer is there, so a run that is killed loses no answer. Object stores cannot
append: there a writer makes a new object for each 64 answers, or for fewer when five seconds have passed, and a killed one loses those.
A line that is damaged, such as the last one of a killed run, is passed over. The folder is also the ledger: what its answers cost, and
what was spent on requests whose answer was lost, is what the folder has cost.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

from beam_seed import storage

_WAITING_ANSWERS = 64
_WAITING_SECONDS = 5.0


class Answer(NamedTuple):
    """What an endpoint said, and what that took."""

    text: str
    finish: str  # the endpoint's reason to stop: 'stop', 'length', ...
    model: str  # as the endpoint names it
    tokens_in: int
    tokens_out: int
    cost: float


def answer_key(sha256: str, language: str, *parameters: Any) -> str:
    """The key of an answer: 32 hex digits of content, language and everything that the answer depends on."""
    return hashlib.blake2b(json.dumps([sha256, language, *parameters]).encode(), digest_size=16).hexdigest()


class AnswerCache:
    """The answers in a folder, and a writer of new ones. For the threads of one process; other processes' answers are read at the start."""

    def __init__(self, folder: str):
        self._folder = folder
        self._places: dict[str, tuple[str, int, int]] = {}  # key -> file, offset, bytes: the answers themselves may be gigabytes
        self._lock = threading.Lock()
        self._writer = _AppendingWriter(folder) if storage.is_local(folder) else _ObjectWriter(folder)
        self.spent = sum(self._index(info.path) for info in storage.match(storage.join(storage.escape(folder), "*.jsonl")))

    def _index(self, path: str) -> float:
        """Note where a file's answers are; what they cost."""
        spent, offset = 0.0, 0
        with storage.open_read(path) as file:
            # Objects hold 64 answers; their reader would fetch single bytes to find a line's end.
            for line in file if storage.is_local(path) else io.BytesIO(file.read()):
                record = _parse(line)
                if record is not None:
                    spent += record["cost"]
                    if record["key"]:
                        self._places[record["key"]] = (path, offset, len(line))
                offset += len(line)
        return spent

    def find(self, key: str) -> Answer | None:
        """The answer that was kept under ``key``."""
        with self._lock:
            place = self._places.get(key)
        if place is None:
            return None
        path, offset, size = place
        with storage.open_read(path) as file:
            file.seek(offset)
            record = _parse(file.read(size))
        return Answer(**{name: record[name] for name in Answer._fields}) if record else None

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._write({"key": key} | answer._asdict(), key)

    def add_lost(self, cost: float) -> None:
        """Note what a request may have cost whose answer did not arrive."""
        self._write({"key": "", "cost": cost}, "")

    def _write(self, record: dict[str, Any], key: str) -> None:
        line = json.dumps(record, sort_keys=True).encode() + b"\n"
        with self._lock:
            for path, offset, size, written in self._writer.write(line, key):
                if written:
                    self._places[written] = (path, offset, size)

    def flush(self) -> None:
        """Write what waits. Answers on object stores are found again from then on."""
        with self._lock:
            for path, offset, size, key in self._writer.flush():
                if key:
                    self._places[key] = (path, offset, size)


_Written = Sequence[tuple[str, int, int, str]]
"""Lines that are in a file now: its path, their offset and bytes, their key."""


class _AppendingWriter:
    def __init__(self, folder: str):
        self._path = storage.join(folder, f"{uuid.uuid4().hex}.jsonl")
        self._file: BinaryIO | None = None

    def write(self, line: bytes, key: str) -> _Written:
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  kept open; no buffer: a killed process must lose nothing
        offset = self._file.tell()
        self._file.write(line)
        return [(self._path, offset, len(line), key)]

    def flush(self) -> _Written:
        return []


class _ObjectWriter:
    def __init__(self, folder: str):
        self._base = storage.join(folder, uuid.uuid4().hex)
        self._objects = 0
        self._waiting: list[tuple[bytes, str]] = []
        self._since = 0.0

    def write(self, line: bytes, key: str) -> _Written:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((line, key))
        is_due = len(self._waiting) >= _WAITING_ANSWERS or time.monotonic() - self._since >= _WAITING_SECONDS
        return self.flush() if is_due else []

    def flush(self) -> _Written:
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, []
        path = f"{self._base}-{self._objects:06d}.jsonl"
        self._objects += 1
        with storage.open_write(path) as out:
            out.write(b"".join(line for line, _ in waiting))
        written, offset = [], 0
        for line, key in waiting:
            written.append((path, offset, len(line), key))
            offset += len(line)
        return written


_TYPES = {"text": str, "finish": str, "model": str, "tokens_in": int, "tokens_out": int}


def _parse(line: bytes) -> Any:
    """The record of a line; None where it is damaged."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("key"), str) or not isinstance(record.get("cost"), int | float):
        return None
    whole = not record["key"] or all(isinstance(record.get(name), kind) for name, kind in _TYPES.items())
    return record if whole else None
