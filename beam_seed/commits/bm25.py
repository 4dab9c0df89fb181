"""Okapi BM25 over a set of documents that changes by a few from one query to the next.

The variant is Lucene's (with exact lengths), whose inverse document frequency is never negative, so that a term that most files hold
cannot push a file that holds it below one that does not::

    score(d, q) = sum over the terms t of q, repeats included, of  idf(t) * tf / (tf + K1 * (1 - B + B * length(d) / mean length))
    idf(t) = ln(1 + (N - df(t) + 0.5) / (df(t) + 0.5))

(Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; Kamphuis et al. 2020, "Which BM25 Do You Mean?".)

Every (term, document) pair is a cell that is linked to the other cells of its term and of its document. A document is added or removed in
time proportional to its terms, a query visits only the cells of its terms, and frequencies and lengths are whole numbers, so that the
scores are those of an index built anew, bit for bit, whatever was added and removed before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.commits.terms import TermCounts

K1 = 1.2  # Lucene's and Elasticsearch's default
B = 0.75

_TERM, _DOCUMENT, _COUNT, _NEXT, _PREVIOUS, _SIBLING = range(6)  # columns of a cell; links are row numbers, -1 ends a list
_FIELDS = 6
_CELLS = 1 << 12  # to begin with; arrays grow by doubling


class Scores(NamedTuple):
    """The documents that hold a term of the query, in no order."""

    documents: npt.NDArray[np.int32]  # [documents]
    scores: npt.NDArray[np.float64]  # [documents], all above 0


class Index:
    """An inverted index. Documents are numbered by it; the number of a removed one is used again."""

    def __init__(self) -> None:
        self.documents = 0
        self._total_length = 0
        self._cells = np.empty((0, _FIELDS), dtype=np.int32)
        self._free_cell = -1  # the first of the unused cells, which are linked as siblings
        self._free_cells = 0
        self._heads = np.empty(0, dtype=np.int32)  # by term: its first cell
        self._frequencies = np.empty(0, dtype=np.int32)  # by term: documents that hold it
        self._firsts = np.empty(0, dtype=np.int32)  # by document: its first cell
        self._lengths = np.empty(0, dtype=np.int64)  # by document: terms, repeats included
        self._scores = np.empty(0, dtype=np.float64)  # by document: zeros but during a query
        self._free_documents: list[int] = []

    def add(self, document: TermCounts) -> int:
        """Add a document; its number."""
        self._reserve_cells(len(document.terms))
        if len(document.terms):
            self._reserve_terms(int(document.terms[-1]) + 1)
        number = self._free_documents.pop() if self._free_documents else self.documents
        self._reserve_documents(number + 1)
        self._firsts[number], self._free_cell = _link(
            self._cells, self._heads, self._frequencies, self._free_cell, number, document.terms, document.counts
        )
        self._free_cells -= len(document.terms)
        self._lengths[number] = document.length
        self._total_length += document.length
        self.documents += 1
        return number

    def remove(self, number: int) -> None:
        """Remove a document by its number."""
        self._free_cell, freed = _unlink(self._cells, self._heads, self._frequencies, self._free_cell, self._firsts[number])
        self._free_cells += freed
        self._total_length -= int(self._lengths[number])
        self.documents -= 1
        self._free_documents.append(number)

    def score(self, query: TermCounts) -> Scores:
        """The scores of all documents that hold a term of ``query`` (its terms in any order)."""
        held = query.terms < len(self._frequencies)
        terms, counts = query.terms[held], query.counts[held]
        frequencies = self._frequencies[terms]
        terms, counts, frequencies = terms[frequencies > 0], counts[frequencies > 0], frequencies[frequencies > 0]
        weights = counts * np.log(1.0 + (self.documents - frequencies + 0.5) / (frequencies + 0.5))
        touched = np.empty(min(self.documents, int(frequencies.sum())), dtype=np.int32)
        mean = self._total_length / max(1, self.documents)
        used = _add_scores(self._cells, self._heads, self._lengths, terms, weights, mean, self._scores, touched)
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
        self._heads, self._frequencies = self._heads[used], self._frequencies[used]
        _rename(self._cells, self._heads, numbers)

    def _reserve_cells(self, count: int) -> None:
        if self._free_cells >= count:
            return
        old = len(self._cells)
        added = max(old, count, _CELLS)
        self._cells = np.concatenate([self._cells, np.empty((added, _FIELDS), dtype=np.int32)])
        self._cells[old:, _SIBLING] = np.arange(old + 1, old + added + 1)
        self._cells[-1, _SIBLING] = self._free_cell
        self._free_cell = old
        self._free_cells += added

    def _reserve_terms(self, count: int) -> None:
        if count > len(self._heads):
            self._heads = _grown(self._heads, count, -1)
            self._frequencies = _grown(self._frequencies, count, 0)

    def _reserve_documents(self, count: int) -> None:
        if count > len(self._firsts):
            self._firsts = _grown(self._firsts, count, -1)
            self._lengths = _grown(self._lengths, count, 0)
            self._scores = _grown(self._scores, count, 0)


def _grown(array: npt.NDArray[Any], count: int, fill: int) -> npt.NDArray[Any]:
    return np.concatenate([array, np.full(max(count, 2 * len(array)) - len(array), fill, dtype=array.dtype)])


@njit(nogil=True, cache=True)
def _link(cells: Any, heads: Any, frequencies: Any, free: Any, document: Any, terms: Any, counts: Any) -> Any:
    """Put a cell for each term at the head of the term's list; the document's first cell and the first free one."""
    first = -1
    for index in range(len(terms)):
        cell, term = free, terms[index]
        free = cells[cell, _SIBLING]
        head = heads[term]
        cells[cell, _TERM], cells[cell, _DOCUMENT], cells[cell, _COUNT] = term, document, counts[index]
        cells[cell, _NEXT], cells[cell, _PREVIOUS], cells[cell, _SIBLING] = head, -1, first
        if head >= 0:
            cells[head, _PREVIOUS] = cell
        heads[term] = cell
        frequencies[term] += 1
        first = cell
    return first, free


@njit(nogil=True, cache=True)
def _unlink(cells: Any, heads: Any, frequencies: Any, free: Any, cell: Any) -> Any:
    """Take ``cell`` and its siblings out of their terms' lists; the first free cell and how many were freed."""
    freed = 0
    while cell >= 0:
        after, before, sibling = cells[cell, _NEXT], cells[cell, _PREVIOUS], cells[cell, _SIBLING]
        if before >= 0:
            cells[before, _NEXT] = after
        else:
            heads[cells[cell, _TERM]] = after
        if after >= 0:
            cells[after, _PREVIOUS] = before
        frequencies[cells[cell, _TERM]] -= 1
        cells[cell, _SIBLING] = free
        free = cell
        freed += 1
        cell = sibling
    return free, freed


@njit(nogil=True, cache=True)
def _add_scores(cells: Any, heads: Any, lengths: Any, terms: Any, weights: Any, mean: Any, scores: Any, touched: Any) -> Any:
    used = 0
    for index in range(len(terms)):
        cell = heads[terms[index]]
        while cell >= 0:
            document, count = cells[cell, _DOCUMENT], np.float64(cells[cell, _COUNT])
            if scores[document] == 0.0:
                touched[used] = document
                used += 1
            scores[document] += weights[index] * (count / (count + K1 * (1.0 - B + B * lengths[document] / mean)))
            cell = cells[cell, _NEXT]
    return used


@njit(nogil=True, cache=True)
def _rename(cells: Any, heads: Any, numbers: Any) -> Any:
    for head in heads:
        cell = head
        while cell >= 0:
            cells[cell, _TERM] = numbers[cells[cell, _TERM]]
            cell = cells[cell, _NEXT]
