"""The benchmark's own tokens and shingles, written apart from the product's so that each can find the other's mistakes.

The definition, on the UTF-8 bytes: a maximal run of ``[A-Za-z0-9_]`` and bytes >= 0x80 is a token, every other byte above
0x20 except 0x7F is a token of its own, the rest separates. Five consecutive tokens are a shingle; one to four tokens are one
shingle, a text without tokens has none. Similarity is the Jaccard index of the sets of shingles.

A token is hashed as a polynomial over its bytes modulo the prime 2**61 - 1, five token hashes and the number of tokens as a
polynomial again: at 10**8 different shingles the odds of one collision anywhere are below 1 in 200.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

SHINGLE_TOKENS = 5
TOKEN = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+|[!-/:-@\[-^`{-~]")
"""The same tokens as a regular expression over text, for peers that work in Python."""

_PRIME = np.uint64((1 << 61) - 1)
_BYTE_BASE = np.uint64(0x0B4E0EF37BC32127)  # any two numbers below the prime, drawn once
_TOKEN_BASE = np.uint64(0x0F5A9C31D7E8B64D)


@intrinsic
def _high_product(typing_context, left, right):  # type: ignore[no-untyped-def]
    """The upper 64 bits of a product of two 64-bit integers."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        from llvmlite import ir

        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@njit(nogil=True, inline="always")
def _times(left, right):  # type: ignore[no-untyped-def]
    high, low = _high_product(left, right), left * right
    total = (low & _PRIME) + ((low >> np.uint64(61)) | (high << np.uint64(3)))
    return total - _PRIME if total >= _PRIME else total


@njit(nogil=True, inline="always")
def _is_word(byte):  # type: ignore[no-untyped-def]
    return byte >= 128 or 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95


@njit(nogil=True)
def shingle_text(data, out):  # type: ignore[no-untyped-def]
    """Writes the shingle hashes of ``data`` (bytes) to ``out`` (at least as long, and 1), with repeats; returns how many."""
    window = np.zeros(SHINGLE_TOKENS, dtype=np.uint64)
    tokens = used = at = 0
    while at < len(data):
        byte = data[at]
        if byte <= 32 or byte == 127:
            at += 1
            continue
        token = np.uint64(byte) + np.uint64(1)
        at += 1
        if _is_word(byte):
            while at < len(data) and _is_word(data[at]):
                token = _times(token, _BYTE_BASE) + np.uint64(data[at]) + np.uint64(1)
                at += 1
        for index in range(SHINGLE_TOKENS - 1):
            window[index] = window[index + 1]
        window[SHINGLE_TOKENS - 1] = token
        tokens += 1
        if tokens >= SHINGLE_TOKENS:
            out[used] = _combine(window, tokens)
            used += 1
    if 0 < tokens < SHINGLE_TOKENS:
        out[0] = _combine(window, tokens)
        used = 1
    return used


@njit(nogil=True, inline="always")
def _combine(window, tokens):  # type: ignore[no-untyped-def]
    total = np.uint64(min(tokens, SHINGLE_TOKENS))
    for index in range(SHINGLE_TOKENS):
        total = _times(total, _TOKEN_BASE) + window[index]
        if total >= _PRIME:
            total -= _PRIME
    return total


@njit(nogil=True)
def _sets(data, bounds, hashes, offsets):  # type: ignore[no-untyped-def]
    used = 0
    for text in range(len(bounds) - 1):
        count = shingle_text(data[bounds[text] : bounds[text + 1]], hashes[used:])
        ordered = np.sort(hashes[used : used + count])
        for index in range(count):
            if index == 0 or ordered[index] != ordered[index - 1]:
                hashes[used] = ordered[index]
                used += 1
        offsets[text + 1] = used
    return used


def shingle_sets(texts: Sequence[bytes]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Sorted distinct shingle hashes of all texts in a row, and where each text's begin (one more than texts)."""
    bounds = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    data = np.frombuffer(b"".join(texts), dtype=np.uint8)
    hashes = np.empty(len(data) + 1, dtype=np.uint64)
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    used = _sets(data, bounds, hashes, offsets)
    return hashes[:used].copy(), offsets


def python_shingles(text: str) -> set[tuple[str, ...]]:
    """The same sets without hashing, slowly: what the compiled ones are checked against."""
    tokens = TOKEN.findall(text)
    if not tokens:
        return set()
    return {tuple(tokens[at : at + SHINGLE_TOKENS]) for at in range(max(1, len(tokens) - SHINGLE_TOKENS + 1))}
