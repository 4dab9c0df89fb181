"""Locality-sensitive hashing of MinHash signatures into bands (Leskovec, Rajaraman, Ullman, section 3.4)."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.near_dedup.minhash import EMPTY, Signatures
from beam_seed.near_dedup.shingles import mix

Addresses = npt.NDArray[np.uint64]
Edges = npt.NDArray[np.uint64]  # [edges, 2]
BandHashes = npt.NDArray[np.uint64]  # [texts, bands]

# A missed pair stays in the corpus for good, a false candidate only costs one exact comparison: so recall weighs
# nineteen times as much as precision when datasketch chooses the bands (21 x 6 for threshold 0.7 and 128 permutations).
_FALSE_POSITIVE_WEIGHT, _FALSE_NEGATIVE_WEIGHT = 0.05, 0.95


class Bands(NamedTuple):
    """How a signature is cut: ``bands`` bands of ``rows`` components each."""

    bands: int
    rows: int

    @property
    def num_perm(self) -> int:
        return self.bands * self.rows


@functools.cache
def optimal_bands(threshold: float, num_perm: int) -> Bands:
    """datasketch's optimal bands for a Jaccard ``threshold`` in (0, 1) and at most ``num_perm`` permutations."""
    from datasketch import MinHashLSH  # here, because only the process that builds a job needs it, and it takes a second to import

    lsh = MinHashLSH(threshold=threshold, num_perm=num_perm, weights=(_FALSE_POSITIVE_WEIGHT, _FALSE_NEGATIVE_WEIGHT))
    return Bands(lsh.b, lsh.r)


def candidate_probability(similarity: npt.ArrayLike, bands: Bands) -> npt.NDArray[np.float64]:
    """Probability that two texts of Jaccard ``similarity`` share a band: ``1 - (1 - s^rows)^bands``."""
    return 1.0 - (1.0 - np.asarray(similarity, dtype=np.float64) ** bands.rows) ** bands.bands


def band_hashes(signatures: Signatures, bands: Bands) -> BandHashes:
    """A 64-bit hash of each band, ``[texts, bands]``. 64 bits, because chance collisions of 32-bit hashes would join
    unrelated texts into one giant component from about 10^8 texts on."""
    hashes = np.empty((len(signatures), bands.bands), dtype=np.uint64)
    _hash_bands(signatures, bands.rows, hashes)
    return hashes


def has_shingles(signatures: Signatures) -> npt.NDArray[np.bool_]:
    """Which texts have a signature at all: ``[texts]``."""
    return (signatures != EMPTY).any(axis=1)


def packed_bands(signatures: Signatures, bands: Bands) -> list[bytes | None]:
    """The :func:`band_hashes` of each text as little-endian bytes, a table's column; None of a text without a signature."""
    hashes = band_hashes(signatures, bands).astype("<u8")
    return [row.tobytes() if signed else None for row, signed in zip(hashes, has_shingles(signatures), strict=True)]


@njit(nogil=True, cache=True)
def _hash_bands(signatures: Any, rows: Any, hashes: Any) -> None:
    for text in range(len(signatures)):
        for band in range(hashes.shape[1]):
            value = np.uint64(band)
            for row in range(rows):
                value = mix(value ^ np.uint64(signatures[text, band * rows + row])) + np.uint64(0x9E3779B97F4A7C15)
            hashes[text, band] = value


def bucket_edges(hashes: npt.NDArray[np.uint64], addresses: Addresses, is_new: npt.NDArray[np.bool_]) -> Edges:
    """Star edges of one band's buckets: each member to the bucket's smallest address, ``[edges, 2]``, larger end first.

    Stars, not all pairs: a family of n near-identical files costs n - 1 edges. A bucket without any new member
    yields nothing (what was published earlier is never judged again).
    """
    order = np.lexsort((addresses, hashes))
    hashes, addresses, is_new = hashes[order], addresses[order], is_new[order]
    first = np.ones(len(hashes), dtype=bool)
    first[1:] = hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(first)
    bucket = np.cumsum(first) - 1
    live = np.logical_or.reduceat(is_new, starts) if len(starts) else np.zeros(0, dtype=bool)
    root = addresses[starts][bucket]
    wanted = live[bucket] & (root != addresses)
    return np.stack([addresses[wanted], root[wanted]], axis=1)
