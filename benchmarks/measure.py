"""Runs a command and measures all of its processes: CPU seconds, wall time, peak memory.

CPU time is what the kernel charged to the command and every descendant, those that outlived their parents included (this
process adopts them). Memory is the proportional set size (shared pages counted once) summed over all descendants, sampled.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SAMPLE_SECONDS = 0.25  # reading the figure of a process of some gigabytes takes milliseconds


class Measured(NamedTuple):
    cpu: float  # seconds, user and system
    wall: float  # seconds
    peak: float  # MB of 10**6 bytes, the highest sample of the whole tree
    output: str  # standard output and error
    foreign: float  # cores that other processes of the machine kept busy meanwhile


def descendants(root: int) -> list[int]:
    """Process ids of the live descendants of ``root``, itself left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended while we looked
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def proportional_set_size(process: int) -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def busy_seconds() -> float:
    """CPU seconds all processors of the machine have worked since it started."""
    fields = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # all but idle and waiting for disks


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Measured:
    """Runs ``command`` to its end.

    Raises:
        RuntimeError: it failed; the message holds the end of its output.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peak, stop = [0], Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], sum(map(proportional_set_size, descendants(os.getpid()))))

    before, busy, started = _children(), busy_seconds(), time.monotonic()
    sampler = Thread(target=sample)
    sampler.start()
    try:
        done = subprocess.run(
            command, env={**os.environ, **(environment or {})}, cwd=folder, capture_output=True, text=True, errors="replace"
        )
        wall = time.monotonic() - started
        _wait_for_orphans()
    finally:
        stop.set()
        sampler.join()
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {done.returncode}; expected 0; its output ends:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    cpu = _children() - before
    foreign = max(0.0, (busy_seconds() - busy - cpu) / (time.monotonic() - started))
    return Measured(cpu, wall, peak[0] / 1e6, done.stdout + done.stderr, foreign)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _wait_for_orphans() -> None:
    """Waits for adopted processes, so that their time is counted; what still runs after ten seconds is stopped."""
    deadline = time.monotonic() + 10
    while True:
        try:
            process, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            if time.monotonic() > deadline:
                for orphan in descendants(os.getpid()):
                    os.kill(orphan, 9)
            time.sleep(0.05)
