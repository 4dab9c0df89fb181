"""Which candidates are really duplicates: an exact Jaccard comparison with a document that is kept.

The rule, for documents in their order of preference: a document is dropped if and only if its exact shingle Jaccard
with an already *kept* document that shares a band bucket with it reaches the threshold; otherwise it is kept itself.
Components only divide the work: documents of different components share no bucket. The result is therefore a function
of the ordered documents alone, and deduplicating a second batch against the kept documents of a first one drops exactly
what deduplicating both at once, the first batch preferred, would have dropped of the second.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from beam_seed.near_dedup.lsh import BandHashes
from beam_seed.near_dedup.shingles import Shingles

# Kept documents of one bucket are pairwise dissimilar, so there are few; a template that fills a bucket with thousands of
# them would make the work quadratic. The first ones in order of preference are compared, the rest is not looked up.
BUCKET_REPRESENTATIVES = 64


class Verdict(NamedTuple):
    """Per document of a batch: the index of the kept document it duplicates, or -1 where it is kept; and their Jaccard."""

    duplicate_of: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]


def verify(clusters: npt.NDArray[np.uint64], sets: Shingles, hashes: BandHashes, fixed: npt.NDArray[np.bool_], threshold: float) -> Verdict:
    """Judge documents sorted by (cluster, order of preference).

    clusters: ``[n]`` component of each document; sets: sorted unique shingles of each (``unique_sorted``);
    hashes: ``[n, bands]``; fixed: ``[n]``, documents published earlier, kept whatever they resemble.
    """
    duplicate_of = np.full(len(clusters), -1, dtype=np.int64)
    similarity = np.zeros(len(clusters), dtype=np.float64)
    if len(clusters):
        bounds = np.flatnonzero(np.append(True, clusters[1:] != clusters[:-1]))
        bounds = np.append(bounds, len(clusters)).astype(np.int64)
        buckets = _bucket_numbers(hashes)
        _verify_clusters(bounds, sets.hashes, sets.offsets, buckets, fixed, threshold, duplicate_of, similarity)
    return Verdict(duplicate_of, similarity)


def _bucket_numbers(hashes: BandHashes) -> npt.NDArray[np.int64]:
    """Dense bucket numbers, ``[n, bands]``: equal if and only if band and hash are equal."""
    numbers = np.empty(hashes.shape, dtype=np.int64)
    used = 0
    for band in range(hashes.shape[1]):
        values, inverse = np.unique(hashes[:, band], return_inverse=True)
        numbers[:, band] = inverse + used
        used += len(values)
    return numbers


@njit(nogil=True, cache=True)
def jaccard(left: Any, right: Any) -> Any:  # compiled: two uint64 arrays -> float
    """Jaccard similarity of two sorted arrays without repeats; two empty ones are alike."""
    i = j = common = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            common += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    union = len(left) + len(right) - common
    return common / union if union else 1.0


@njit(nogil=True, cache=True)
def _best_match(document: Any, candidates: Any, shared: Any, hashes: Any, offsets: Any, threshold: Any) -> Any:
    # Most shared bands first: the likeliest duplicate, so that the first comparison is usually the last one.
    left = hashes[offsets[document] : offsets[document + 1]]
    for index in np.argsort(-shared, kind="mergesort"):
        candidate = candidates[index]
        right = hashes[offsets[candidate] : offsets[candidate + 1]]
        smaller, larger = min(len(left), len(right)), max(len(left), len(right))
        # The smaller set may be too small for the threshold whatever it holds. A quotient, like the similarity itself:
        # threshold * larger can round to above a whole number (0.55 * 100 does) and would pass over an exact hit.
        if smaller < larger and smaller / larger < threshold:
            continue
        similarity = jaccard(left, right)
        if similarity >= threshold:
            return candidate, similarity
    return -1, 0.0


@njit(nogil=True, cache=True)
def _verify_clusters(
    bounds: Any, hashes: Any, offsets: Any, buckets: Any, fixed: Any, threshold: Any, duplicate_of: Any, similarity: Any
) -> None:
    bucket_count = buckets.max() + 1
    head = np.full(bucket_count, -1, dtype=np.int64)  # last entry of each bucket's list of kept documents
    length = np.zeros(bucket_count, dtype=np.int64)
    owner = np.full(bucket_count, -1, dtype=np.int64)  # the cluster a bucket's list belongs to
    entry_next = np.full(buckets.size, -1, dtype=np.int64)
    entry_document = np.empty(buckets.size, dtype=np.int64)
    entries = 0
    shared = np.zeros(len(duplicate_of), dtype=np.int64)
    candidates = np.empty(len(duplicate_of), dtype=np.int64)
    for cluster in range(len(bounds) - 1):
        for document in range(bounds[cluster], bounds[cluster + 1]):
            for bucket in buckets[document]:
                # A file and a repository of that one file have equal hashes, but are never compared: a bucket starts anew.
                if owner[bucket] != cluster:
                    owner[bucket], head[bucket], length[bucket] = cluster, -1, 0
            if not fixed[document]:
                found = 0
                for bucket in buckets[document]:
                    entry = head[bucket]
                    while entry >= 0:
                        kept = entry_document[entry]
                        if shared[kept] == 0:
                            candidates[found] = kept
                            found += 1
                        shared[kept] += 1
                        entry = entry_next[entry]
                if found:
                    ordered = np.sort(candidates[:found])
                    counts = shared[ordered]
                    shared[ordered] = 0
                    match, measured = _best_match(document, ordered, counts, hashes, offsets, threshold)
                    duplicate_of[document] = match
                    similarity[document] = measured
            if duplicate_of[document] < 0:
                for bucket in buckets[document]:
                    if length[bucket] < BUCKET_REPRESENTATIVES:
                        entry_document[entries] = document
                        entry_next[entries] = head[bucket]
                        head[bucket] = entries
                        length[bucket] += 1
                        entries += 1
