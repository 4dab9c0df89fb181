r"""Text -> terms, as code is searched: every identifier whole and in its parts.

A word is a run of letters, digits and underscores (``\w`` of Unicode). Its terms are the word itself without the underscores around it
and, where there is more than one, its parts: it is cut at underscores, between letters and digits and at the humps of camelCase
(``parseHTTPHeader2`` -> parse, http, header, 2). All in lower case. Words of more than ``MAX_WORD`` characters are data and have no terms.
Nothing is stemmed and no word is left out as frequent: the weight of a word that is everywhere is near 0 by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_WORD = 64
"""Characters of the longest word with terms: identifiers are shorter, digests and encoded data are not."""

SPARE_WORDS = 200_000
"""Words remembered beyond four times the terms in use, at about 250 bytes each. Where there are more, the unused ones are forgotten."""

_WORD = re.compile(r"\w+")
# A run of these and of all bytes of other scripts has the same words by itself as in its text; splitting bytes takes a third of the time.
_RUNS = bytes(byte if byte >= 0x80 or chr(byte).isalnum() or byte == ord("_") else ord(" ") for byte in range(256))
# Capitals are ASCII's: re cannot tell those of other scripts from small letters.
_PART = re.compile(r"\d+|[A-Z]+(?![^\W\dA-Z_])|[A-Z]?[^\W\dA-Z_]+")


def split(word: str) -> tuple[str, ...]:
    """The terms of one word.

    >>> split("parseHTTPHeader2"), split("__init__"), split("snake_case")
    (('parsehttpheader2', 'parse', 'http', 'header', '2'), ('init',), ('snake_case', 'snake', 'case'))
    """
    whole = word.strip("_").lower()
    if not whole or len(word) > MAX_WORD:
        return ()
    parts = _PART.findall(word)
    return (whole, *(part.lower() for part in parts)) if len(parts) > 1 else (whole,)


def terms_of(text: str) -> list[str]:
    """The terms of ``text`` in order, repeats included."""
    return [term for word in _WORD.findall(text) for term in split(word)]


class TermCounts(NamedTuple):
    """How often each term occurs in a text."""

    terms: npt.NDArray[np.int32]  # [terms], ascending, each once
    counts: npt.NDArray[np.int32]  # [terms]

    @property
    def length(self) -> int:
        """Terms of the text, repeats included."""
        return int(self.counts.sum())


def _sum_by_term(terms: npt.NDArray[np.int32], counts: npt.NDArray[np.int32]) -> TermCounts:
    unique, inverse = np.unique(terms, return_inverse=True)
    return TermCounts(unique, np.bincount(inverse, counts, len(unique)).astype(np.int32))


class Vocabulary:
    """Numbers terms, and remembers the terms of every run of word characters, so that each is split once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._runs: dict[bytes, tuple[int, ...]] = {}

    def __len__(self) -> int:
        """One more than the largest number in use."""
        return len(self._numbers)

    def count(self, text: str) -> TermCounts:
        """The terms of ``text``; those not met before are numbered."""
        runs = Counter(text.encode("utf-8", "replace").translate(_RUNS).split())
        found = [*map(self._runs.get, runs)]
        terms = [self._learn(run) if known is None else known for run, known in zip(runs, found, strict=True)] if None in found else found
        widths = np.fromiter(map(len, terms), np.int64, len(terms))  # type: ignore[arg-type]
        counts = np.fromiter(runs.values(), np.int32, len(terms))
        flat = np.fromiter(chain.from_iterable(terms), np.int32, int(widths.sum()))  # type: ignore[arg-type]
        return _sum_by_term(flat, np.repeat(counts, widths))

    def _learn(self, run: bytes) -> tuple[int, ...]:
        numbers = tuple(self._numbers.setdefault(term, len(self._numbers)) for term in terms_of(run.decode()))
        if len(run) <= MAX_WORD:
            self._runs[run] = numbers
        return numbers

    def known(self, text: str) -> TermCounts:
        """The terms of ``text`` that have a number, in order of their first occurrence."""
        counts = Counter(number for term in terms_of(text) if (number := self._numbers.get(term)) is not None)
        return TermCounts(np.fromiter(counts, np.int32, len(counts)), np.fromiter(counts.values(), np.int32, len(counts)))

    def is_full(self, used: int) -> bool:
        """Whether most of what is remembered is no longer used, ``used`` being the number of terms that are."""
        return max(len(self._runs), len(self._numbers)) > 4 * used + SPARE_WORDS

    def keep(self, used: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Forget all words and the terms that are not ``used`` [terms]; the new number of every old one (of no meaning where forgotten)."""
        renumbered = (np.cumsum(used) - 1).astype(np.int32)
        self._numbers = {term: int(renumbered[number]) for term, number in self._numbers.items() if used[number]}
        self._runs = {}
        return renumbered
