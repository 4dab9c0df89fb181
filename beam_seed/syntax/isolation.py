"""Native parsers crash, hang and eat memory; here they do so in a process of their own, and only the file at fault is lost."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from beam_seed.dependencies.mentions import Mentions
from beam_seed.syntax.child import READY
from beam_seed.syntax.measure import SyntaxMeasure

_CHILD = "beam_seed.syntax.child"
_ROOT = str(Path(__file__).resolve().parents[2])

# The slowest grammars parse 0.5 MB per CPU second; a file that needs ten times as long (and 10 s to spare) is taken to hang.
CPU_SECONDS = 10.0
CPU_SECONDS_PER_BYTE = 20e-6

# Trees take up to 150 bytes for a byte of source (5 MB of JSON numbers: 0.7 GB), so this is room for 10 MB of the densest code.
MEMORY_BYTES = 2 << 30

# A process that neither answers nor uses up its CPU time is stopped, swapped out or starved: wait this much longer in wall time.
PATIENCE = 30

# Interpreter and parser library load in 0.1 s; a minute is for cold network file systems.
START_SECONDS = 60.0

# A whole batch usually fits, so that parent and child seldom wait for each other (Linux's default is 64 KiB, its maximum 1 MiB).
_PIPE_BYTES = 1 << 20


class ParserFailure(NamedTuple):
    """Why a file could not be parsed."""

    error: str


class _ChildDiedError(Exception):
    """The parser process ended, or was ended, while it owed an answer. ``hung``: because its file took too long."""

    def __init__(self, error: str, hung: bool):
        super().__init__(error)
        self.hung = hung


class _Request(NamedTuple):
    """What the child is asked of one file."""

    content: bytes
    task: str
    arguments: tuple[object, ...]


class ParserProcess:
    """A child process that parses batches of files, started when first needed and again after each death.

    ``cpu_seconds`` is what an empty file may take (larger ones get CPU_SECONDS_PER_BYTE more), ``memory_bytes`` the size of the
    child's address space. Not to be shared between threads.
    """

    def __init__(self, cpu_seconds: float = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES):
        self._cpu_seconds = cpu_seconds
        self._memory_bytes = memory_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def measure(self, files: Sequence[tuple[bytes, str, float]]) -> list[SyntaxMeasure | ParserFailure]:
        """Apply :func:`beam_seed.syntax.measure.measure` to files, its arguments each; one answer for each, in the same order.

        Raises RuntimeError where the child cannot be started.
        """
        answers = self._ask([_Request(content, "measure", (language, enough)) for content, language, enough in files])
        return [answer if isinstance(answer, ParserFailure) else SyntaxMeasure(*answer) for answer in answers]

    def read_mentions(self, files: Sequence[tuple[bytes, str]]) -> list[Mentions | ParserFailure]:
        """Apply :func:`beam_seed.dependencies.table.read_mentions` to files, its arguments each; as :meth:`measure` does."""
        answers = self._ask([_Request(content, "mentions", (language,)) for content, language in files])
        return [answer if isinstance(answer, ParserFailure) else Mentions.from_json(answer) for answer in answers]

    def _ask(self, requests: Sequence[_Request]) -> list[Any]:
        """The child's answer to each request, or a ParserFailure.

        A file on which the child dies is tried once more in a fresh child, because an earlier file may have damaged the old one
        or the system may have killed it for memory; the second death, or the first time-out, is the file's failure.
        """
        answers: list[Any] = []
        retried = -1
        while len(answers) < len(requests):
            try:
                self._exchange(requests[len(answers) :], answers)
            except _ChildDiedError as died:
                if died.hung or retried == len(answers):
                    answers.append(ParserFailure(str(died)))
                else:
                    retried = len(answers)
        return answers

    def close(self) -> None:
        """End the child; the next ``measure`` starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in _pipes(child):
                with contextlib.suppress(OSError):  # closing flushes what the dead child will not read
                    pipe.close()

    def _exchange(self, requests: Sequence[_Request], answers: list[Any]) -> None:
        """Send all ``requests``, append their answers. Raises _ChildDiedError, with the child gone, where one answer does not come."""
        stdin, stdout = _pipes(self._started())
        outbox = memoryview(b"".join(self._header(request) + request.content for request in requests))
        inbox = b""
        missing = [request.content for request in requests][::-1]
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(stdin, selectors.EVENT_WRITE)
                selector.register(stdout, selectors.EVENT_READ)
                while missing:
                    ready = selector.select(PATIENCE * self._allowed(missing[-1]))
                    if not ready:
                        raise self._died(missing[-1], stalled=True)
                    for key, _ in ready:
                        if key.fileobj is stdin:
                            outbox = outbox[_write(stdin, outbox) :]
                            if not outbox:
                                selector.unregister(stdin)
                        elif received := os.read(stdout.fileno(), _PIPE_BYTES):
                            *lines, inbox = (inbox + received).split(b"\n")
                            answers += map(_decode, lines)
                            del missing[len(missing) - len(lines) :]
                        else:
                            raise self._died(missing[-1])
        except BaseException:
            self.close()  # whatever the child still answers belongs to no later batch
            raise

    def _allowed(self, content: bytes) -> float:
        return self._cpu_seconds + CPU_SECONDS_PER_BYTE * len(content)

    def _header(self, request: _Request) -> bytes:
        header = (len(request.content), self._allowed(request.content), request.task, *request.arguments)
        return json.dumps(header).encode() + b"\n"

    def _died(self, content: bytes, stalled: bool = False) -> _ChildDiedError:
        assert self._child is not None
        allowed = self._allowed(content)
        if stalled:
            return _ChildDiedError(f"time-out: no answer within {PATIENCE * allowed:.0f} s", hung=True)
        status = self._child.wait()
        if status == -signal.SIGPROF:
            return _ChildDiedError(f"time-out: not parsed within {allowed:.1f} CPU seconds", hung=True)
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return _ChildDiedError(
            f"crash: the parser process died of {how} (its memory is limited to {self._memory_bytes >> 20} MiB)", hung=False
        )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # The child finds modules where this process does, but not in the working directory, where anyone's files may lie.
            path = [entry for entry in sys.path if entry] + [_ROOT]
            program = f"import sys; sys.path = {path!r}; from {_CHILD} import main; main()"
            self._child = child = subprocess.Popen(
                [sys.executable, "-P", "-c", program, f"--memory={self._memory_bytes}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
            stdin, stdout = _pipes(child)
            os.set_blocking(stdin.fileno(), False)
            with contextlib.suppress(AttributeError, OSError):  # Linux only, and limited per user
                fcntl.fcntl(stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._await_ready(stdout)
        return self._child

    def _await_ready(self, stdout: IO[bytes]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            answered = selector.select(START_SECONDS) and stdout.read(len(READY)) == READY
        if not answered:
            self.close()
            raise RuntimeError(
                f"the parser process ({sys.executable}, {_CHILD}) did not start within {START_SECONDS:.0f} s; its standard error says why"
            )


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert child.stdin is not None
    assert child.stdout is not None
    return child.stdin, child.stdout


def _write(pipe: IO[bytes], data: memoryview) -> int:
    try:
        return os.write(pipe.fileno(), data[:_PIPE_BYTES])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)  # the child is dead; its last answers and the end of its output are still to be read


def _decode(line: bytes) -> Any:
    answer = json.loads(line)
    return ParserFailure(answer) if isinstance(answer, str) else answer
