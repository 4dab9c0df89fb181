"""Words of a text and the hashes of their n-grams, in compiled code.

A word is a maximal run of letters, digits and ``_`` of any script (what ``\\w`` matches in Python), case folded character by character;
each Han or Kana character is a word of its own, because these scripts write no spaces. Everything else separates, and so do the escapes
``\\n``, ``\\r`` and ``\\t``: in notebooks and JSON they stand for the lines of the text. Punctuation and white
space do not count, as in the decontamination of GPT-3 (Brown et al. 2020, appendix C) and of datatrove: what re-indents or
reformats a problem, changes its quotes or puts it into comments leaves the words as they are.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.near_dedup.shingles import mix

MAX_WORDS = 32  # longest n-gram; the ring of the last words' sums is twice as long

# Han (with its extensions and compatibility forms), Hiragana and Katakana.
_ALONE = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_SEPARATOR, _WORD, _OWN_WORD = 0, 1, 2
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it is a bijection of the 64-bit integers
_POWERS = np.array([pow(0x9E3779B97F4A7C15, n, 1 << 64) for n in range(MAX_WORDS + 1)], dtype=np.uint64)
_RING = 2 * MAX_WORDS
_BLANK = 0x20
_BACKSLASH, _N, _R, _T = b"\\nrt"


class Words(NamedTuple):
    """The words of a batch of texts, a space after each: text ``i`` is ``data[bounds[i]:bounds[i + 1]]``."""

    data: npt.NDArray[np.uint8]  # UTF-8
    bounds: npt.NDArray[np.int64]  # [texts + 1]
    starts: npt.NDArray[np.int64]  # [words], of each in data; a word ends one before the next one's start
    word_bounds: npt.NDArray[np.int64]  # [texts + 1]: text i has the words [word_bounds[i], word_bounds[i + 1])


class Table(NamedTuple):
    """N-grams to look for: an open-addressed hash table, with the words that tell two of one hash apart."""

    hashes: npt.NDArray[np.uint64]  # [n-grams]
    data: npt.NDArray[np.uint8]  # words, see Words
    starts: npt.NDArray[np.int64]  # [n-grams], in data
    ends: npt.NDArray[np.int64]  # [n-grams], without the last space
    lengths: npt.NDArray[np.int64]  # the distinct numbers of words of the n-grams
    slots: npt.NDArray[np.int32]  # [a power of two]: number of an n-gram + 1, 0 where there is none
    filter: npt.NDArray[np.uint8]  # bits, by the hash's upper half: most n-grams of most texts are turned away by one look here


class Matches(NamedTuple):
    """The distinct n-grams of a table that each of a batch of texts has: text ``i`` has ``grams[offsets[i]:offsets[i + 1]]``, ascending."""

    grams: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]


@functools.cache
def _characters() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """(kind, folded) of every code point."""
    kinds = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    folded = np.arange(sys.maxunicode + 1, dtype=np.uint32)
    every = "".join(map(chr, range(0xD800))) + "\0" * 0x800 + "".join(map(chr, range(0xE000, sys.maxunicode + 1)))
    for run in re.finditer(r"\w+", every):
        kinds[run.start() : run.end()] = _WORD
        for code in range(run.start(), run.end()):
            character = every[code]
            other = character.casefold()
            if other != character and len(other) == 1:
                folded[code] = ord(other)
    for first, last in _ALONE:
        own = kinds[first : last + 1]
        own[own == _WORD] = _OWN_WORD
    return kinds, folded


def words_of(texts: Sequence[bytes] | Sequence[memoryview]) -> Words:
    """The words of UTF-8 texts."""
    data, bounds = _joined(texts)
    out, starts = np.empty(_room(len(data)), dtype=np.uint8), np.empty(len(data) + 1, dtype=np.int64)
    out_bounds, word_bounds = np.zeros(len(bounds), dtype=np.int64), np.zeros(len(bounds), dtype=np.int64)
    used, words = _split(data, bounds, *_characters(), out, starts, out_bounds, word_bounds)
    return Words(out[:used].copy(), out_bounds, starts[:words].copy(), word_bounds)


def match(texts: Sequence[bytes] | Sequence[memoryview], table: Table) -> Matches:
    """The n-grams of ``table`` that each UTF-8 text has. Exact: where hashes agree, the words are compared."""
    data, bounds = _joined(texts)
    longest = int(np.diff(bounds).max(initial=0))
    out, starts = np.empty(_room(longest), dtype=np.uint8), np.empty(_RING, dtype=np.int64)
    seen = np.full(len(table.hashes), -1, dtype=np.int64)
    offsets = np.zeros(len(bounds), dtype=np.int64)
    found = np.empty(1024, dtype=np.int64)
    text = 0
    while (text := _match_batch(data, bounds, text, *_characters(), out, starts, table, seen, found, offsets)) < len(texts):
        found = np.concatenate([found, np.empty_like(found)])
        seen[seen == text] = -1
    return Matches(found[: offsets[-1]].copy(), offsets)


def make_table(words: Words, firsts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> tuple[Table, npt.NDArray[np.int64]]:
    """The table of n-grams, n-gram i being the ``sizes[i]`` words from word ``firsts[i]``; and which of its entries each n-gram is."""
    starts = words.starts[firsts]
    ends = np.append(words.starts, len(words.data))[firsts + sizes] - 1
    slots = np.zeros(1 << int(2 * len(firsts) + 1).bit_length(), dtype=np.int32)
    filter_bits = np.zeros(max(64, len(slots)), dtype=np.uint8)  # 8 bits a slot: at most one in 16 is set
    numbers, hashes = np.empty(len(firsts), dtype=np.int64), np.empty(len(firsts), dtype=np.uint64)
    kept = _fill(words.data, words.starts, starts, ends, firsts, sizes, slots, filter_bits, numbers, hashes)
    first = np.zeros(kept, dtype=np.int64)
    first[numbers[::-1]] = np.arange(len(firsts))[::-1]
    table = Table(hashes[:kept].copy(), words.data, starts[first], ends[first], np.unique(sizes), slots, filter_bits)
    return table, numbers


def text_of(table: Table, gram: int) -> str:
    """The words of an n-gram, separated by spaces."""
    return bytes(table.data[table.starts[gram] : table.ends[gram]]).decode("utf-8", "surrogatepass")


def _room(size: int) -> int:
    return 3 * size + 8  # a space after each character, and folding that takes three bytes for two


def _joined(texts: Sequence[bytes] | Sequence[memoryview]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    bounds = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), out=bounds[1:])
    return np.frombuffer(b"".join(texts), dtype=np.uint8), bounds


@njit(nogil=True, cache=True)
def _decode(data: Any, at: Any, end: Any) -> Any:
    """(code point, bytes) of the character at a byte >= 0x80; 0, a separator, for what is no UTF-8."""
    byte = np.int64(data[at])
    size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    if byte < 0xC0 or at + size > end:
        return np.int64(0), np.int64(1)
    code = byte & (0x7F >> size)
    for index in range(at + 1, at + size):
        if data[index] & 0xC0 != 0x80:
            return np.int64(0), np.int64(1)
        code = code << 6 | (np.int64(data[index]) & 0x3F)
    return (code if code <= 0x10FFFF else np.int64(0)), np.int64(size)


@njit(nogil=True, cache=True)
def _encode(code: Any, out: Any, used: Any) -> Any:
    if code < 0x80:
        out[used] = code
        return used + 1
    if code < 0x800:
        out[used] = 0xC0 | code >> 6
        out[used + 1] = 0x80 | (code & 0x3F)
        return used + 2
    if code < 0x10000:
        out[used] = 0xE0 | code >> 12
        out[used + 1] = 0x80 | (code >> 6 & 0x3F)
        out[used + 2] = 0x80 | (code & 0x3F)
        return used + 3
    out[used] = 0xF0 | code >> 18
    out[used + 1] = 0x80 | (code >> 12 & 0x3F)
    out[used + 2] = 0x80 | (code >> 6 & 0x3F)
    out[used + 3] = 0x80 | (code & 0x3F)
    return used + 4


@njit(nogil=True, cache=True)
def _next_word(data: Any, at: Any, end: Any, kinds: Any, folded: Any, out: Any, used: Any) -> Any:
    """Write the next word from ``at`` to ``out``, with a space after it: (where to go on, end in out, hash); nothing written: no more."""
    start = used
    value = _FNV_OFFSET
    while at < end:
        byte = data[at]
        if byte < 0x80:  # as below, faster: nearly all of source code is this
            if kinds[byte] == _SEPARATOR:
                at += 1
                if byte == _BACKSLASH and at < end and (data[at] == _N or data[at] == _R or data[at] == _T):
                    at += 1
                if used > start:
                    break
                continue
            byte = np.uint8(folded[byte])
            out[used] = byte
            value = (value ^ np.uint64(byte)) * _FNV_PRIME
            at += 1
            used += 1
            continue
        code, size = _decode(data, at, end)
        kind = kinds[code]
        if kind == _SEPARATOR or (kind == _OWN_WORD and used > start):
            if used > start:
                break
            at += size
            continue
        at += size
        before = used
        used = _encode(np.int64(folded[code]), out, used)
        for index in range(before, used):
            value = (value ^ np.uint64(out[index])) * _FNV_PRIME
        if kind == _OWN_WORD:
            break
    if used > start:
        out[used] = _BLANK
        used += 1
    return at, used, mix(value)


@njit(nogil=True, cache=True)
def _split(data: Any, bounds: Any, kinds: Any, folded: Any, out: Any, starts: Any, out_bounds: Any, word_bounds: Any) -> Any:
    used, words = np.int64(0), np.int64(0)
    for text in range(len(bounds) - 1):
        at = bounds[text]
        while True:
            start = used
            at, used, _ = _next_word(data, at, bounds[text + 1], kinds, folded, out, used)
            if used == start:
                break
            starts[words] = start
            words += 1
        out_bounds[text + 1] = used
        word_bounds[text + 1] = words
    return used, words


@njit(nogil=True, cache=True)
def _same(one: Any, start: Any, end: Any, other: Any, at: Any, last: Any) -> Any:
    size = end - start
    index = np.int64(0)
    while index < size == last - at and one[start + index] == other[at + index]:
        index += 1
    return index == size == last - at


@njit(nogil=True, cache=True)
def _fill(data: Any, words: Any, starts: Any, ends: Any, firsts: Any, sizes: Any, slots: Any, bits: Any, numbers: Any, hashes: Any) -> Any:
    mask, kept = len(slots) - 1, 0
    entries = np.empty(len(firsts), dtype=np.int64)  # of each entry, the first n-gram that is it
    for gram in range(len(firsts)):
        rolling = np.uint64(0)
        for word in range(firsts[gram], firsts[gram] + sizes[gram]):
            stop = words[word + 1] if word + 1 < len(words) else len(data)
            value = _FNV_OFFSET
            for index in range(words[word], stop - 1):
                value = (value ^ np.uint64(data[index])) * _FNV_PRIME
            rolling = rolling * _BASE + mix(value)
        hashed = mix(rolling ^ np.uint64(sizes[gram]))
        slot = np.int64(hashed & np.uint64(mask))
        numbers[gram] = -1
        while slots[slot] > 0:
            entry = slots[slot] - 1
            other = entries[entry]
            if hashes[entry] == hashed and _same(data, starts[gram], ends[gram], data, starts[other], ends[other]):
                numbers[gram] = entry
                break
            slot = (slot + 1) & mask
        if numbers[gram] < 0:
            numbers[gram] = kept
            entries[kept] = gram
            hashes[kept] = hashed
            kept += 1
            slots[slot] = kept
            bit = np.int64(hashed >> np.uint64(32)) & (8 * len(bits) - 1)
            bits[bit >> 3] |= np.uint8(1 << (bit & 7))
    return kept


@njit(nogil=True, cache=True)
def _match(
    data: Any, at: Any, end: Any, text: Any, kinds: Any, folded: Any, out: Any, starts: Any, table: Any, seen: Any, found: Any, count: Any
) -> Any:
    """Number of n-grams in ``found`` once those of the text are there; -1 where it is too small."""
    sums = np.zeros(_RING, dtype=np.uint64)  # of the first words up to each, as a polynomial: two of them give any n-gram's hash
    mask, bit_mask = len(table.slots) - 1, 8 * len(table.filter) - 1
    used, words = np.int64(0), np.int64(0)
    rolling = np.uint64(0)
    while True:
        starts[words % _RING] = used
        before = used
        at, used, value = _next_word(data, at, end, kinds, folded, out, used)
        if used == before:
            return count
        sums[words % _RING] = rolling
        rolling = rolling * _BASE + value
        words += 1
        for size in table.lengths:
            if size > words:
                break
            first = (words - size) % _RING
            hashed = mix((rolling - sums[first] * _POWERS[size]) ^ np.uint64(size))
            bit = np.int64(hashed >> np.uint64(32)) & bit_mask
            if not table.filter[bit >> 3] >> (bit & 7) & 1:
                continue
            slot = np.int64(hashed & np.uint64(mask))
            while table.slots[slot] > 0:
                gram = table.slots[slot] - 1
                if table.hashes[gram] == hashed and _same(out, starts[first], used - 1, table.data, table.starts[gram], table.ends[gram]):
                    if seen[gram] != text:
                        if count == len(found):
                            return -1
                        seen[gram] = text
                        found[count] = gram
                        count += 1
                    break
                slot = (slot + 1) & mask


@njit(nogil=True, cache=True)
def _match_batch(
    data: Any, bounds: Any, text: Any, kinds: Any, folded: Any, out: Any, starts: Any, table: Any, seen: Any, found: Any, offsets: Any
) -> Any:
    """Match from ``text`` on; the text at which there was no more room in ``found``, or the number of texts."""
    while text < len(bounds) - 1:
        count = offsets[text]
        total = _match(data, bounds[text], bounds[text + 1], text, kinds, folded, out, starts, table, seen, found, count)
        if total < 0:
            break
        found[count:total].sort()
        text += 1
        offsets[text] = total
    return text
