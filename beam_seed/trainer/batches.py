"""Sequences as a model trains on them: which process takes which of a step, positions that begin anew in each piece, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from beam_seed.trainer.reader import Shards

NO_LABEL = -100  # torch's cross entropy leaves it out


class Batch(NamedTuple):
    """The part of one step that one process takes: n sequences of ``length`` tokens, after the last sequence rows without labels."""

    ids: torch.Tensor  # n x 16, uint8; zeros in rows that are no sequence
    tokens: torch.Tensor  # n x length
    positions: torch.Tensor  # n x length; from 0 in each piece, and in the padding
    labels: torch.Tensor  # n x length; the token itself, NO_LABEL for the first of each piece and for padding
    text: torch.Tensor  # n; tokens that are no padding
    squares: torch.Tensor  # n; sum of the pieces' squared lengths, to which the cost of attention is proportional


class Batches(IterableDataset[Batch]):
    """The steps from sequence ``start`` up to ``stop``, one element each: rank ``rank``'s part of the step's ``batch`` sequences.

    Step k is of the sequences ``start + k * batch`` and following, and each rank takes ``batch / ranks`` that lie side by side, so every
    sequence is in exactly one part of one step, however many ranks there are. The last step is filled up with rows without labels.
    As the dataset of a ``DataLoader(batch_size=None)`` its workers take the steps in turn, which the loader hands out in order again.
    """

    def __init__(self, directory: str, start: int, stop: int, batch: int, rank: int = 0, ranks: int = 1):
        if batch % ranks:
            raise ValueError(f"batch is {batch}; expected a multiple of the {ranks} ranks")
        self._directory, self._start, self._stop, self._batch = directory, start, stop, batch
        self._share, self._offset = batch // ranks, rank * (batch // ranks)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        turn, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        shards = Shards(self._directory)
        for start in range(self._start + turn * self._batch + self._offset, self._stop + self._offset, workers * self._batch):
            yield self._read(shards, start, min(start + self._share, self._stop))

    def _read(self, shards: Shards, start: int, stop: int) -> Batch:
        length, row = shards.manifest.sequence_length, 0
        ids, tokens = np.zeros((self._share, 16), np.uint8), np.zeros((self._share, length), np.int64)
        positions, labels = np.tile(np.arange(length), (self._share, 1)), np.full_like(tokens, NO_LABEL)
        text, squares = np.zeros(self._share, np.int64), np.zeros(self._share, np.int64)
        for found in shards.read(start, stop):
            rows = slice(row, row + len(found.ids))
            ids[rows], tokens[rows] = found.ids, found.tokens
            for pieces in found.pieces:
                positions[row], labels[row] = _positions(pieces, length), tokens[row]
                text[row], squares[row] = pieces.sum(), np.square(pieces, dtype=np.int64).sum()
                labels[row, positions[row] == 0] = NO_LABEL
                labels[row, text[row] :] = NO_LABEL
                row += 1
        return Batch(*map(torch.from_numpy, (ids, tokens, positions, labels, text, squares)))


def _positions(pieces: np.ndarray, length: int) -> np.ndarray:
    lengths = np.append(pieces, length - pieces.sum())  # the padding is one piece more, which no other sees
    return np.arange(length) - np.repeat(np.cumsum(lengths) - lengths, lengths)
