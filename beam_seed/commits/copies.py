"""Copies of histories on this machine's disk: each is made once for all ranges of its commits that the process reads."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator

from beam_seed.commits.repository import History, is_in_place, open_history
from beam_seed.sources.repository import Limits
from beam_seed.sources.units import Unit

KEPT_BYTES = 8 << 30
"""Disk for copies that nobody reads just now: as much as one history may have (``Limits.unpacked_bytes``)."""


class _Copy:
    def __init__(self) -> None:
        self.lock = threading.Lock()  # held while it is made
        self.readers = 0
        self.size = 0  # bytes on disk
        self.history: History | None = None
        self.stack = contextlib.ExitStack()

    def make(self, unit: Unit, limits: Limits) -> History:
        with self.lock:
            if self.history is None:
                history = self.stack.enter_context(open_history(unit, limits))
                folders = os.walk(history.store.folder)
                self.size = sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in folders for name in names)
                self.history = history
            return self.history


class HistoryCopies:
    """Histories that are opened again and again, by any number of threads. What was used longest ago goes first.

    The copies are removed when the process ends, if not before.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES):
        self._kept_bytes = kept_bytes
        self._lock = threading.Lock()
        self._copies: OrderedDict[tuple[str, str, str], _Copy] = OrderedDict()  # by kind, path and state

    @contextlib.contextmanager
    def open(self, unit: Unit, limits: Limits) -> Iterator[History]:
        """The history of a unit, while the block runs; raises as :func:`repository.open_history` does."""
        if is_in_place(unit):
            with open_history(unit, limits) as history:  # there is nothing to keep
                yield history
            return
        key = (unit.kind, unit.path, unit.state)
        with self._lock:
            copy = self._copies.setdefault(key, _Copy())
            copy.readers += 1
        try:
            yield copy.make(unit, limits)
        finally:
            with self._lock:
                copy.readers -= 1
                self._copies.move_to_end(key)
                gone = self._superfluous()
            for each in gone:
                each.stack.close()

    def _superfluous(self) -> list[_Copy]:
        """Take out the copies that are not to be kept: failed ones, and the oldest beyond the limit."""
        unused = [key for key, copy in self._copies.items() if not copy.readers]
        kept = sum(self._copies[key].size for key in unused)
        gone = []
        for key in unused:
            if kept > self._kept_bytes or self._copies[key].history is None:
                kept -= self._copies[key].size
                gone.append(self._copies.pop(key))
        return gone


HISTORIES = HistoryCopies()
"""Those of this process."""
