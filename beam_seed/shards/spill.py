"""Temporary files between two steps: tables cut by a number (a group of documents, a part of the shuffle), read back number by number.

One Arrow file holds one record batch for each number, ascending; its schema's metadata says which. What is shuffled is the file's path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed import storage
from beam_seed.packing import split_by

_NUMBERS = b"numbers"


def write_spill(path: str, table: pa.Table, numbers: npt.NDArray[np.int64]) -> list[int]:
    """Write the rows of ``table`` by the number that each has, in their order; returns the numbers there are."""
    parts = list(split_by(numbers))
    found = [number for number, _ in parts]
    schema = table.schema.with_metadata({_NUMBERS: np.array(found, "<i8").tobytes()})
    with storage.open_write(path) as out, pa.ipc.new_file(out, schema) as writer:
        for _, rows in parts:
            for batch in table.take(pa.array(rows)).combine_chunks().to_batches():
                writer.write_batch(batch)
    return found


class Spill:
    """A file that :func:`write_spill` wrote."""

    def __init__(self, path: str):
        self._file = storage.open_read(path)
        self._reader: Any = pa.ipc.open_file(self._file)
        self._numbers = np.frombuffer(self._reader.schema.metadata[_NUMBERS], "<i8")

    def read(self, number: int) -> list[pa.RecordBatch]:
        """The rows of a number; none where it has none."""
        place = int(np.searchsorted(self._numbers, number))
        if place == len(self._numbers) or self._numbers[place] != number:
            return []
        return [self._reader.get_batch(place)]

    def close(self) -> None:
        self._file.close()


def read_spills(paths: Iterable[str], numbers: Sequence[int], schema: pa.Schema) -> Iterator[pa.Table]:
    """For each number, the rows of all files together."""
    spills = [Spill(path) for path in paths]
    try:
        for number in numbers:
            yield pa.Table.from_batches([batch for spill in spills for batch in spill.read(number)], schema=schema)
    finally:
        for spill in spills:
            spill.close()
