"""What a local run tells while it works: the stage it is in, how far it is, and how fast."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType

import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from beam_seed import storage

_SECONDS = 1.0  # between looks at the output folder on a terminal
_LOG_SECONDS = 15.0  # between lines where the output is not a terminal


class Watch:
    """Watches the datasets of a local run from a thread: workers are other processes, but what they finish appears in files.

    datasets: stage -> its dataset, a file for each shard, in order; the first is documents/.
    """

    def __init__(self, root: str, datasets: Mapping[str, str]):
        self._root = root
        self._datasets = datasets
        self._stages = list(datasets) if storage.is_local(root) else []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = time.monotonic()
        self._rows: dict[str, int] = {}

    def __enter__(self) -> Watch:
        if self._stages:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _count(self, stage: str) -> tuple[int, int]:
        """Shards of a stage that are finished, and their documents."""
        folder = storage.join(self._root, self._datasets[stage])
        names = [name for name in os.listdir(folder) if name.endswith(".parquet")] if os.path.isdir(folder) else []
        for name in names:
            # A dataset's shard has one name in every stage; its documents are counted once. What a re-run clears may vanish meanwhile.
            if name not in self._rows:
                with contextlib.suppress(FileNotFoundError):
                    self._rows[name] = pq.read_metadata(storage.join(self._root, "documents", name)).num_rows
        return len(names), sum(self._rows.get(name, 0) for name in names)

    def _run(self) -> None:
        if sys.stderr.isatty():
            self._show()
        else:
            while not self._stop.wait(_LOG_SECONDS):
                logging.info("%s", self._line())

    def _told(self, documents: int) -> str:
        return f"{documents:,} documents, {documents / (time.monotonic() - self._started):,.0f}/s"

    def _line(self) -> str:
        counts = {stage: self._count(stage) for stage in self._stages}
        busy = [stage for stage in self._stages if counts[stage][0]]
        if not busy:
            return f"{self._stages[0]}: reading the input"
        shards, documents = counts[busy[-1]]
        return f"{busy[-1]}: {shards} of {counts[busy[0]][0]} shards, {self._told(documents)}"

    def _show(self) -> None:
        columns = (TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            tasks = {stage: bars.add_task(stage, total=None, told="") for stage in self._stages}
            while not self._stop.wait(_SECONDS):
                counts = {stage: self._count(stage) for stage in self._stages}
                for stage, task in tasks.items():
                    shards, documents = counts[stage]
                    # How many shards there will be is known once the reading is over.
                    total = counts[self._stages[0]][0] if any(counts[later][0] for later in self._stages[1:]) else None
                    bars.update(task, total=total, completed=shards, told=self._told(documents) if shards else "")
