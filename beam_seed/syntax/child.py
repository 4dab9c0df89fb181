"""The process that parses: reads files from standard input, writes one line of JSON for each to standard output, ends with its input.

Started by :class:`beam_seed.syntax.isolation.ParserProcess`. It imports neither Beam nor numpy, so it starts in a tenth of a second.

A request is one line of JSON, ``[bytes of the content, CPU seconds it may take, task, arguments ...]``, and the content. An answer is a
list, the fields of a SyntaxMeasure (task 'measure') or of Mentions ('mentions'), or a string: the exception that Python raised.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence

from beam_seed.dependencies.table import read_mentions
from beam_seed.syntax.measure import measure

READY = b"ready\n"

_TASKS: dict[str, Callable[..., Sequence[object]]] = {"measure": measure, "mentions": read_mentions}


def main() -> None:
    """Serve until standard input ends: the parent closed it or died."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--memory", type=int, required=True, help="limit of the address space, bytes")
    _limit_memory(arguments.parse_args().memory)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected here, core files are not
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it closes the pipe
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # a parent that ignores or blocks it hands that on
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    # A native parser that prints must not write between the answers.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.write(answers, READY)
    requests = sys.stdin.buffer
    while header := requests.readline():
        size, seconds, task, *arguments = json.loads(header)
        content = requests.read(size)
        # The default action of SIGPROF ends the process even inside a native loop that never comes back to Python. It counts
        # CPU time, so that a busy machine does not turn slow files into hanging ones.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = _answer(task, content, arguments)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(answers, json.dumps(answer).encode() + b"\n")


def _answer(task: str, content: bytes, arguments: Sequence[object]) -> Sequence[object] | str:
    try:
        return _TASKS[task](content, *arguments)
    except Exception as error:  # MemoryError included: the limit above may be met outside of the parser, too
        return f"{type(error).__name__}: {error}"


def _limit_memory(wanted: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]  # what the system allows may be less
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
