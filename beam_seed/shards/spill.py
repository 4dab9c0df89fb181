"""Temporary files between two steps: tables cut by a number (a group of documents, a part of the shuffle), read back number by number.

One Arrow file holds one record batch for each number, ascending; its schema's metadata says which. What is shuffled is the file's path.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed import storage

_NUMBERS = b"numbers"


def write_spill(path: str, table: pa.Table, numbers: npt.NDArray[np.int64]) -> list[int]:
    """Write the rows of ``table``, which are in the order of their ``numbers``; returns the numbers there are."""
    found, starts = np.unique(numbers, return_index=True)
    schema = table.schema.with_metadata({_NUMBERS: found.astype("<i8").tobytes()})
    with storage.open_write(path) as out, pa.ipc.new_file(out, schema) as writer:
        for start, end in itertools.pairwise([*starts.tolist(), len(table)]):
            for batch in table.slice(start, end - start).combine_chunks().to_batches():
                writer.write_batch(batch)
    return list(found.tolist())


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
