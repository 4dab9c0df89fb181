"""Okapi BM25 over a set of documents that changes by a few from one query to the next.

The variant is Lucene's (with exact lengths), whose inverse document frequency is never negative, so that a term that most files hold
cannot push a file that holds it below one that does not::

    score(d, q) = sum over the terms t of q, repeats included, of  idf(t) * tf / (tf + K1 * (1 - B + B * length(d) / mean length))
    idf(t) = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))

(Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; Kamphuis et al. 2020, "Which BM25 Do You Mean?".)

Every term has the list of the documents that hold it, in one piece of memory, and every document knows its place in the lists of its terms.
So a document is added or removed in time proportional to its terms, and a query reads the lists of its terms and nothing else. Frequencies
and lengths are whole numbers: the scores are those of an index built anew, bit for bit, whatever was added and removed before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.commits.terms import TermCounts

K1 = 1.2  # Lucene's and Elasticsearch's default
B = 0.75

ROWS = 1 << 12  # of both tables to begin with; they grow by doubling

_DOCUMENT, _COUNT, _CELL = range(3)  # columns of the postings
_TERM, _PLACE, _SIBLING = range(3)  # columns of the cells: a term of a document, its place in the term's list, the document's next cell
_SIZES = 32  # a list has room for a power of two


class Scores(NamedTuple):
    """The documents that hold a term of the query, in no order."""

    documents: npt.NDArray[np.int32]  # [documents]
    scores: npt.NDArray[np.float64]  # [documents], all above 0


class Index:
    """An inverted index. Documents are numbered by it; the number of a removed one is used again."""

    def __init__(self) -> None:
        self.documents = 0
        self._total_length = 0
        self._postings = np.empty((ROWS, 3), dtype=np.int32)
        self._unused = np.full(_SIZES + 1, -1, dtype=np.int32)  # by size: the first unused list, which names the next; last: the rows used
        self._unused[_SIZES] = 0
        self._cells = np.empty((0, 3), dtype=np.int32)
        self._free_cell = -1  # the first of the unused cells, which are linked as siblings
        self._free_cells = 0
        self._starts = np.empty(0, dtype=np.int32)  # by term: the first row of its list
        self._rooms = np.empty(0, dtype=np.int32)  # by term: the binary logarithm of its list's room, -1 where there is no list
        self._frequencies = np.empty(0, dtype=np.int32)  # by term: documents that hold it
        self._firsts = np.empty(0, dtype=np.int32)  # by document: its first cell
        self._lengths = np.empty(0, dtype=np.int64)  # by document: terms, repeats included
        self._scores = np.empty(0, dtype=np.float64)  # by document: zeros but during a query
        self._free_documents: list[int] = []

    def add(self, *parts: TermCounts) -> int:
        """Add a document that has the terms of all ``parts``; its number."""
        number = self._free_documents.pop() if self._free_documents else self.documents
        self._reserve_documents(number + 1)
        self._firsts[number], self._lengths[number] = -1, sum(part.length for part in parts)
        for part in parts:
            self._add_part(number, part)
        self._total_length += int(self._lengths[number])
        self.documents += 1
        return number

    def _add_part(self, number: int, part: TermCounts) -> None:
        if not len(part.terms):
            return
        self._reserve_terms(int(part.terms[-1]) + 1)
        self._reserve_cells(len(part.terms))
        needed = self._unused[_SIZES] + _most_rows(self._rooms, self._frequencies, part.terms)
        if needed > len(self._postings):
            self._postings = np.concatenate([self._postings, np.empty((max(needed, len(self._postings)), 3), dtype=np.int32)])
        self._firsts[number], self._free_cell, used = _link(*self._tables(), self._firsts[number], self._free_cell, number, *part)
        self._free_cells -= used

    def _tables(self) -> tuple[npt.NDArray[np.int32], ...]:
        return self._postings, self._unused, self._cells, self._starts, self._rooms, self._frequencies

    def remove(self, number: int) -> None:
        """Remove a document by its number."""
        self._free_cell, freed = _unlink(*self._tables(), self._firsts[number], self._free_cell)
        self._free_cells += freed
        self._total_length -= int(self._lengths[number])
        self.documents -= 1
        self._free_documents.append(number)

    def score(self, query: TermCounts) -> Scores:
        """The scores of all documents that hold a term of ``query`` (its terms in any order)."""
        held = query.terms < len(self._frequencies)
        terms, counts = query.terms[held], query.counts[held]
        frequencies = self._frequencies[terms]
        weights = counts * np.log(1.0 + (self.documents - frequencies + 0.5) / (frequencies + 0.5))
        norms = K1 * (1.0 - B + B * self._lengths / max(1, self._total_length) * self.documents)
        touched = np.empty(min(self.documents, int(frequencies.sum())), dtype=np.int32)
        used = _add_scores(self._postings, self._starts, self._frequencies, terms, weights, norms, self._scores, touched)
        documents = touched[:used]
        scores = self._scores[documents]
        self._scores[documents] = 0.0
        return Scores(documents, scores)

    def used_terms(self, terms: int) -> npt.NDArray[np.bool_]:
        """Which of the first ``terms`` terms a document holds."""
        used = np.zeros(terms, dtype=np.bool_)
        used[: len(self._frequencies)] = self._frequencies[:terms] > 0
        return used

    def renumber(self, numbers: npt.NDArray[np.int32]) -> None:
        """Give every term in use a new number, ascending as before; ``numbers`` is by old number."""
        used = np.flatnonzero(self.used_terms(len(numbers)))
        _rename(self._postings, self._cells, self._starts, self._frequencies, used, numbers)
        self._starts, self._rooms, self._frequencies = self._starts[used], self._rooms[used], self._frequencies[used]

    def _reserve_cells(self, count: int) -> None:
        if self._free_cells >= count:
            return
        old = len(self._cells)
        added = max(old, count, ROWS)
        self._cells = np.concatenate([self._cells, np.empty((added, 3), dtype=np.int32)])
        self._cells[old:, _SIBLING] = np.arange(old + 1, old + added + 1)
        self._cells[-1, _SIBLING] = self._free_cell
        self._free_cell = old
        self._free_cells += added

    def _reserve_terms(self, count: int) -> None:
        if count > len(self._starts):
            self._starts = _grown(self._starts, count, 0)
            self._rooms = _grown(self._rooms, count, -1)
            self._frequencies = _grown(self._frequencies, count, 0)

    def _reserve_documents(self, count: int) -> None:
        if count > len(self._firsts):
            self._firsts = _grown(self._firsts, count, -1)
            self._lengths = _grown(self._lengths, count, 0)
            self._scores = _grown(self._scores, count, 0)


def _grown(array: npt.NDArray[Any], count: int, fill: int) -> npt.NDArray[Any]:
    return np.concatenate([array, np.full(max(count, 2 * len(array)) - len(array), fill, dtype=array.dtype)])


@njit(nogil=True, cache=True)
def _most_rows(rooms: Any, frequencies: Any, terms: Any) -> Any:
    """Rows needed where no unused list has the size that a full one grows to."""
    rows = 0
    for term in terms:
        if rooms[term] < 0:
            rows += 1
        elif frequencies[term] == 1 << rooms[term]:
            rows += 2 << rooms[term]
    return rows


@njit(nogil=True, cache=True)
def _move(postings: Any, unused: Any, starts: Any, rooms: Any, frequencies: Any, term: Any, room: Any) -> Any:
    """Move the list of ``term`` to one of another room (-1: none); its old one is unused from now on."""
    start = -1
    if room >= 0 and unused[room] >= 0:
        start = unused[room]
        unused[room] = postings[start, _DOCUMENT]
    elif room >= 0:
        start = unused[_SIZES]
        unused[_SIZES] += 1 << room
    old = starts[term]
    for place in range(frequencies[term]):
        postings[start + place] = postings[old + place]
    if rooms[term] >= 0:
        postings[old, _DOCUMENT] = unused[rooms[term]]
        unused[rooms[term]] = old
    starts[term], rooms[term] = start, room


@njit(nogil=True, cache=True)
def _link(
    postings: Any,
    unused: Any,
    cells: Any,
    starts: Any,
    rooms: Any,
    frequencies: Any,
    first: Any,
    free: Any,
    document: Any,
    terms: Any,
    counts: Any,
) -> Any:
    """Add a document, which may be the last of a term's list already, to the lists of ``terms``; its first cell, the first free one and
    how many were used."""
    used = 0
    for index in range(len(terms)):
        term, frequency = terms[index], frequencies[terms[index]]
        last = starts[term] + frequency - 1
        if frequency > 0 and postings[last, _DOCUMENT] == document:
            postings[last, _COUNT] += counts[index]
            continue
        if rooms[term] < 0 or frequency == 1 << rooms[term]:
            _move(postings, unused, starts, rooms, frequencies, term, rooms[term] + 1)
        cell, free = free, cells[free, _SIBLING]
        row = starts[term] + frequency
        postings[row, _DOCUMENT], postings[row, _COUNT], postings[row, _CELL] = document, counts[index], cell
        cells[cell, _TERM], cells[cell, _PLACE], cells[cell, _SIBLING] = term, frequency, first
        frequencies[term] += 1
        first = cell
        used += 1
    return first, free, used


@njit(nogil=True, cache=True)
def _unlink(postings: Any, unused: Any, cells: Any, starts: Any, rooms: Any, frequencies: Any, cell: Any, free: Any) -> Any:
    """Take ``cell`` and its siblings out of their terms' lists; the first free cell and how many were freed."""
    freed = 0
    while cell >= 0:
        term, place, sibling = cells[cell, _TERM], cells[cell, _PLACE], cells[cell, _SIBLING]
        frequencies[term] -= 1
        left = frequencies[term]
        last = starts[term] + left
        postings[starts[term] + place] = postings[last]
        cells[postings[last, _CELL], _PLACE] = place
        smaller = rooms[term] - 1
        if left == 0:
            _move(postings, unused, starts, rooms, frequencies, term, -1)
        elif 2 * left <= 1 << smaller and (unused[smaller] >= 0 or unused[_SIZES] + (1 << smaller) <= len(postings)):
            _move(postings, unused, starts, rooms, frequencies, term, smaller)
        cells[cell, _SIBLING] = free
        free = cell
        freed += 1
        cell = sibling
    return free, freed


@njit(nogil=True, cache=True)
def _add_scores(postings: Any, starts: Any, frequencies: Any, terms: Any, weights: Any, norms: Any, scores: Any, touched: Any) -> Any:
    used = 0
    for index in range(len(terms)):
        term = terms[index]
        for row in range(starts[term], starts[term] + frequencies[term]):
            document, count = postings[row, _DOCUMENT], np.float64(postings[row, _COUNT])
            if scores[document] == 0.0:
                touched[used] = document
                used += 1
            scores[document] += weights[index] * (count / (count + norms[document]))
    return used


@njit(nogil=True, cache=True)
def _rename(postings: Any, cells: Any, starts: Any, frequencies: Any, terms: Any, numbers: Any) -> Any:
    for term in terms:
        for row in range(starts[term], starts[term] + frequencies[term]):
            cells[postings[row, _CELL], _TERM] = numbers[term]
