"""Documents into sequences: best-fit decreasing, the bin packing of "Fewer Truncations Improve Language Modeling" (Ding et al. 2024)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """Columns of pieces, ordered by sequence and then by document."""

    sequence: I64  # number of the sequence, from 0
    document: I64  # row of the document
    start: I64  # of the document's tokens
    length: I64  # tokens


def pack(lengths: I64, capacity: int) -> Pieces:
    """Pack documents of these lengths (tokens, each above 0) into sequences of ``capacity`` tokens.

    A document longer than a sequence fills whole ones, and its rest is packed like a document. Pieces of one sequence are in the order
    of the documents, whose order also decides between equal lengths: shuffle them before.
    """
    whole = lengths // capacity
    rest = lengths % capacity
    full_document = np.repeat(np.arange(len(lengths)), whole)
    full_start = (np.arange(len(full_document)) - np.repeat(np.cumsum(whole) - whole, whole)) * capacity
    loose = np.flatnonzero(rest)
    bins = best_fit_decreasing(rest[loose], capacity)
    pieces = Pieces(
        np.concatenate([np.arange(len(full_document)), bins + len(full_document)]),
        np.concatenate([full_document, loose]),
        np.concatenate([full_start, whole[loose] * capacity]),
        np.concatenate([np.full(len(full_document), capacity, np.int64), rest[loose]]),
    )
    order = np.lexsort((pieces.document, pieces.sequence))
    return Pieces(*(column[order] for column in pieces))


def best_fit_decreasing(lengths: I64, capacity: int) -> I64:
    """The bin of each item: longest first, each into the fullest bin that still has room; the order decides between equal ones."""
    bins = np.empty(len(lengths), np.int64)
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]  # bins by the room they have
    rooms = 0  # bit r is set where with_room[r] holds a bin: finding the smallest that suffices is a shift and a count of zeros
    count = 0
    for item in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[item])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            bin_ = with_room[room].pop()
            if not with_room[room]:
                rooms ^= 1 << room
        else:
            room, bin_ = capacity, count
            count += 1
        bins[item] = bin_
        if left := room - length:
            with_room[left].append(bin_)
            rooms |= 1 << left
    return bins
