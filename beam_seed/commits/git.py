"""git as a process that reads a stranger's objects and nothing else of theirs.

Every call runs in a git folder of our own, whose configuration we wrote, with the stranger's folder of objects put in its place
(``GIT_OBJECT_DIRECTORY``). So their configuration (fsmonitor, external diffs, text conversion, filters, includes, promisor remotes), hooks,
attributes, grafts and references are never seen by git. Replacement references are switched off, no protocol is allowed, and the
environment starts empty. Their commit graphs and multi-pack indexes, which may lie about the objects, are not read.

Files of more than 8 MiB are binary to it.
The processes have bounded memory and every answer a bounded time; one that ends or hangs is started again for the next question.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from beam_seed.commits.records import ObjectError
from beam_seed.sources.archive import temporary_file

RENAME_SIMILARITY = 50
"""Per cent of a file that a renamed one must share, git's own default for ``-M``."""

RENAME_LIMIT = 1000
"""Added times deleted files among which inexact renames are looked for, as a square's side: git's own default since 2.34."""

_CONFIGURATION = f"""\
[core]
\trepositoryformatversion = 0
\tbare = true
\tcommitGraph = false
\tmultiPackIndex = false
\thooksPath = /dev/null
\tbigFileThreshold = 8m
\tpackedGitWindowSize = 32m
\tpackedGitLimit = 512m
\tdeltaBaseCacheLimit = 64m
[diff]
\talgorithm = myers
\tindentHeuristic = true
\tcontext = 3
\trenameLimit = {RENAME_LIMIT}
[pack]
\tthreads = 1
[gc]
\tauto = 0
[protocol]
\tallow = never
"""

MEMORY_BYTES = 4 << 30
"""Address space of one git process: the mapped packs (512 MiB) and what finding renames among a thousand files of 1 MiB holds."""

ANSWER_SECONDS = 120.0
"""Longest time for one answer; the largest diffs of large histories take seconds."""

_READ_BYTES = 256 << 10


class TooLongError(ObjectError):
    """An answer is longer than asked for."""


class Store(NamedTuple):
    """Where a history's objects are."""

    folder: str  # our own git folder
    objects: str  # the folder of objects: the stranger's own, or a copy below ours


def make_folder(folder: str, shallow: list[str]) -> None:
    """Make an empty git folder with our configuration. ``shallow``: commits whose parents were never fetched."""
    for name in ("objects", "refs"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    files = {"config": _CONFIGURATION, "HEAD": "ref: refs/heads/none\n"} | ({"shallow": "\n".join([*shallow, ""])} if shallow else {})
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)


def _environment(store: Store) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": store.folder,
        "LC_ALL": "C",
        "GIT_DIR": store.folder,
        "GIT_OBJECT_DIRECTORY": store.objects,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def start(store: Store, arguments: list[str], errors: BinaryIO) -> subprocess.Popen[bytes]:
    """Start git in ``store``. Raises FileNotFoundError where git is not installed."""
    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("git is not installed; commits are read with git 2.36 or later: install it on the workers")
    process = subprocess.Popen(
        [program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=store.folder,
        env=_environment(store),
        bufsize=0,
        start_new_session=True,
    )
    with contextlib.suppress(ProcessLookupError):  # it has ended, which its reader will see
        resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    return process


def told(errors: BinaryIO) -> str:
    """The last of what git wrote to its standard error, on one line."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 500))
    return " ".join(errors.read().decode("utf-8", "replace").split())


def lines(store: Store, arguments: list[str], seconds: float) -> Iterator[bytes]:
    """The lines git writes, without their newlines. Raises ObjectError, after the last whole line, where it fails or takes too long."""
    with temporary_file() as errors:
        process = start(store, arguments, errors)
        deadline = time.monotonic() + seconds
        try:
            cast(BinaryIO, process.stdin).close()
            waiting = b""
            while data := _read(process, deadline):
                *whole, waiting = (waiting + data).split(b"\n")
                yield from whole
            if process.wait(ANSWER_SECONDS):
                raise ObjectError(f"git {arguments[0]} failed: {told(errors)}")
        finally:
            stop(process)


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    output = cast(BinaryIO, process.stdout).fileno()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise ObjectError("git took too long to answer")
    return os.read(output, _READ_BYTES)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and close what is open to it."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


class Conversation:
    """A git process that answers questions one after the other, as ``cat-file --batch-command`` and ``diff-tree --stdin`` do."""

    def __init__(self, store: Store, arguments: list[str]):
        self._store = store
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._deadline = 0.0
        self._marker = f"end-{secrets.token_hex(16)}\n".encode()  # what no stranger's content can hold

    def ask(self, question: bytes) -> None:
        """Write a question. The whole answer must be read before the next one, or the conversation closed."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._errors = temporary_file()
            self._process = start(self._store, self._arguments, self._errors)
        self._deadline = time.monotonic() + ANSWER_SECONDS
        try:
            os.write(cast(BinaryIO, self._process.stdin).fileno(), question)
        except BrokenPipeError:
            self._give_up("ended")

    def ask_marked(self, question: bytes, max_bytes: int) -> bytes:
        """The answer of a command that echoes what it does not understand. Raises TooLongError beyond ``max_bytes``."""
        self.ask(question + self._marker)
        searched = 0
        while (end := self._buffer.find(self._marker, searched)) < 0:
            searched = max(0, len(self._buffer) - len(self._marker))
            if searched > max_bytes:
                self.close()  # sooner than it would be read to its end
                raise TooLongError(f"git {self._arguments[0]} answered with more than {max_bytes} bytes")
            self._fill()
        answer = bytes(self._buffer[:end])
        del self._buffer[: end + len(self._marker)]
        if end > max_bytes:
            raise TooLongError(f"git {self._arguments[0]} answered with {end} bytes; at most {max_bytes} are read")
        return answer

    def read_line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def skip(self, size: int) -> None:
        """Read and forget ``size`` bytes."""
        while size > 0:
            if not self._buffer:
                self._fill()
            here = min(size, len(self._buffer))
            del self._buffer[:here]
            size -= here

    def _fill(self) -> None:
        assert self._process is not None
        try:
            data = _read(self._process, self._deadline)
        except ObjectError:
            self._give_up(f"took more than {ANSWER_SECONDS:.0f} seconds to answer")
        if not data:
            self._process.wait()
            self._give_up("ended")
        self._buffer += data

    def _give_up(self, what: str) -> None:
        message = told(self._errors)
        self.close()
        raise ObjectError(f"git {self._arguments[0]} {what}{': ' if message else ''}{message}")

    def close(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._errors.close()
        self._process = None
        self._buffer.clear()
