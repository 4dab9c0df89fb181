"""torchrun and kill -9, as the tests of both trainers use them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil


def start(program: Sequence[str], processes: int = 1) -> subprocess.Popen[str]:
    """torchrun of a program with its arguments."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *program]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd(), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)


def run(program: Sequence[str], processes: int = 1) -> str:
    """What it printed."""
    process = start(program, processes)
    try:
        told, errors = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    assert process.returncode == 0, errors[-3000:]
    return told


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 of torchrun and its workers, none of which may live on and finish the run."""
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    for found in (process, *workers):
        found.kill()
    psutil.wait_procs(workers, timeout=20)
    process.wait()
    assert not any(found.is_running() and found.status() != psutil.STATUS_ZOMBIE for found in workers)


def kill_when(process: subprocess.Popen[str], folder: Path, pattern: str) -> None:
    """Kill as soon as ``folder`` has a file of that pattern."""
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.stderr.read()[-3000:] if process.stderr else ""
        time.sleep(0.02)
    kill(process)
