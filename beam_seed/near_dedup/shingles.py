"""Code-aware token shingles as 64-bit hashes, in compiled code.

Tokens, on the UTF-8 bytes: a maximal run of ``[A-Za-z0-9_]`` or of bytes >= 0x80 is one token (case and digits kept,
so that ``utf8`` and ``utf16``, or two faker locales, stay different); every other visible byte is a token of its own
(punctuation is what tells ``a+b`` from ``a-b``); white space and control bytes separate and are otherwise ignored.
A leading comment block that is a licence is left out. A shingle is ``SHINGLE_TOKENS`` consecutive tokens. A text of
one to four tokens has a single shingle, its whole token sequence; a text without tokens has none and is never a
near-duplicate of anything.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

SHINGLE_TOKENS = 5  # Lee et al. 2022, section 4.2, use 5-grams; so do the peers, which keeps figures comparable

_SEPARATOR, _WORD, _PUNCTUATION = 0, 1, 2


def _byte_classes() -> npt.NDArray[np.uint8]:
    classes = np.full(256, _PUNCTUATION, dtype=np.uint8)
    classes[:0x21] = _SEPARATOR
    classes[0x7F] = _SEPARATOR
    for byte in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz":
        classes[byte] = _WORD
    classes[0x80:] = _WORD
    return classes


_CLASSES = _byte_classes()
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it is a bijection of the 64-bit integers
_BASE_POWER = np.uint64(pow(0x9E3779B97F4A7C15, SHINGLE_TOKENS, 1 << 64))

# Comments at the very top, in the syntaxes of the languages we keep: one block comment, or a run of line comments.
# White space is matched possessively (*+): giving it back one byte at a time takes seconds on a file of spaces.
_HEADER = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:#![^\n]*\n)?\s*+"
    rb"(?:/\*.*?\*/|<!--.*?-->|\{-.*?-\}|\(\*.*?\*\)"
    rb"|(?:[ \t]*+(?:#|//|--|;|%|!|\"|'|REM\b)[^\n]*+(?:\n|\Z))++)",
    re.DOTALL,
)
_LICENCE = re.compile(rb"licen[sc]e|copyright|spdx", re.IGNORECASE)
_HEADER_BYTES = 16_384  # the longest licence put at the top of files, the GPL's own preamble included, is shorter


class Shingles(NamedTuple):
    """Shingle hashes of a batch of texts: text ``i`` has ``hashes[offsets[i]:offsets[i + 1]]``, repeats included."""

    hashes: npt.NDArray[np.uint64]  # [total]
    offsets: npt.NDArray[np.int64]  # [texts + 1]


def licence_header_length(text: bytes | memoryview) -> int:
    """Bytes of the comment block at the top of ``text`` where it is a licence, else 0."""
    header = _HEADER.match(text[:_HEADER_BYTES])
    return header.end() if header is not None and _LICENCE.search(header.group()) else 0


def shingle(texts: Sequence[bytes] | Sequence[memoryview]) -> Shingles:
    """Shingle hashes of each text, repeats included, in order of occurrence.

    A header is left out only if five tokens remain: a file that *is* a licence is compared as what it is.
    """
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    skips = np.fromiter(map(licence_header_length, texts), dtype=np.int64, count=len(texts))
    data = np.frombuffer(b"".join(texts) or b"\0", dtype=np.uint8)
    hashes = np.empty(int(starts[-1]) + len(texts), dtype=np.uint64)
    offsets = np.empty(len(texts) + 1, dtype=np.int64)
    used = _shingle_batch(data, starts, skips, _CLASSES, hashes, offsets)
    return Shingles(hashes[:used], offsets)


@njit(nogil=True, cache=True)
def mix(value: Any) -> Any:  # compiled: uint64 -> uint64
    """MurmurHash3's 64-bit finaliser: a bijection that spreads every input bit over the whole word."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(nogil=True, cache=True)
def _shingle_text(data: Any, start: Any, end: Any, classes: Any, hashes: Any, used: Any) -> Any:
    ring = np.zeros(SHINGLE_TOKENS, dtype=np.uint64)
    rolling = np.uint64(0)
    tokens = 0
    position = start
    while position < end:
        byte = data[position]
        kind = classes[byte]
        position += 1
        if kind == _SEPARATOR:
            continue
        token = (_FNV_OFFSET ^ np.uint64(byte)) * _FNV_PRIME
        if kind == _WORD:
            while position < end and classes[data[position]] == _WORD:
                token = (token ^ np.uint64(data[position])) * _FNV_PRIME
                position += 1
        token = mix(token)
        slot = tokens % SHINGLE_TOKENS
        rolling = rolling * _BASE + token - ring[slot] * _BASE_POWER
        ring[slot] = token
        tokens += 1
        if tokens >= SHINGLE_TOKENS:
            hashes[used] = mix(rolling)
            used += 1
    if 0 < tokens < SHINGLE_TOKENS:
        # The token count keeps a short text apart from a shingle that happens to roll to the same sum.
        hashes[used] = mix(rolling ^ np.uint64(tokens))
        used += 1
    return used, tokens


@njit(nogil=True, cache=True)
def _shingle_batch(data: Any, starts: Any, skips: Any, classes: Any, hashes: Any, offsets: Any) -> Any:
    used = 0
    offsets[0] = 0
    for text in range(len(starts) - 1):
        before = used
        used, tokens = _shingle_text(data, starts[text] + skips[text], starts[text + 1], classes, hashes, before)
        if skips[text] > 0 and tokens < SHINGLE_TOKENS:
            used, tokens = _shingle_text(data, starts[text], starts[text + 1], classes, hashes, before)
        offsets[text + 1] = used
    return used


@njit(nogil=True, cache=True)
def _unique(ordered: Any, offsets: Any) -> Any:
    """Close the gaps that repeats leave, in place; the offsets of what is left."""
    bounds = np.zeros(len(offsets), dtype=np.int64)
    used = 0
    for text in range(len(offsets) - 1):
        for index in range(offsets[text], offsets[text + 1]):
            if index == offsets[text] or ordered[index] != ordered[index - 1]:
                ordered[used] = ordered[index]
                used += 1
        bounds[text + 1] = used
    return bounds


def unique_sorted(shingles: Shingles) -> Shingles:
    """The shingle *sets*: each text's hashes sorted, repeats removed."""
    ordered = shingles.hashes.copy()
    for start, end in itertools.pairwise(shingles.offsets.tolist()):
        ordered[start:end].sort()  # numpy's vectorised sort, many times faster than a compiled loop's
    bounds = _unique(ordered, shingles.offsets)
    return Shingles(ordered[: bounds[-1]], bounds)
