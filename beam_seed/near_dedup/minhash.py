"""MinHash signatures (Broder 1997) of shingle sets, bit-identical to ``datasketch.MinHash`` on the same shingle hashes.

Scheme ``affine32`` of datasketch 2: with ``g`` = MurmurHash3's 32-bit finaliser and odd ``a_k``, component ``k`` of a
signature is ``min over shingles x of a_k * g(x mod 2^32) + b_k  (mod 2^32)``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.near_dedup.shingles import Shingles

Signatures = npt.NDArray[np.uint32]  # [texts, permutations]; a text without shingles has all ones

EMPTY = np.uint32(0xFFFFFFFF)
_SEED = 1  # datasketch's own default, so that its indexes and ours can be compared value by value


@functools.cache
def permutations(num_perm: int) -> npt.NDArray[np.uint32]:
    """The ``[2, num_perm]`` coefficients (a, b) that datasketch draws for its default seed (a test compares them).

    Drawn here, because importing datasketch in every worker process costs as much as hashing 50 MB.
    """
    generator = np.random.RandomState(_SEED)
    a = generator.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    return np.array([a, b])


def sign(shingles: Shingles, num_perm: int) -> Signatures:
    """Signatures of a batch of texts, ``[texts, num_perm]`` uint32. The union of texts has their element-wise minimum."""
    signatures = np.full((len(shingles.offsets) - 1, num_perm), EMPTY, dtype=np.uint32)
    a, b = permutations(num_perm)
    _sign_batch(shingles.hashes, shingles.offsets, a, b, signatures)
    return signatures


@njit(nogil=True, cache=True)
def _sign_batch(hashes: Any, offsets: Any, a: Any, b: Any, signatures: Any) -> None:
    # Products are cast back by hand: numba widens uint32 arithmetic to 64 bits.
    for text in range(len(offsets) - 1):
        row = signatures[text]
        for index in range(offsets[text], offsets[text + 1]):
            value = np.uint32(hashes[index])
            value ^= value >> np.uint32(16)
            value = np.uint32(value * np.uint32(0x85EBCA6B))
            value ^= value >> np.uint32(13)
            value = np.uint32(value * np.uint32(0xC2B2AE35))
            value ^= value >> np.uint32(16)
            for k in range(len(a)):
                permuted = np.uint32(np.uint32(a[k] * value) + b[k])
                row[k] = min(row[k], permuted)
