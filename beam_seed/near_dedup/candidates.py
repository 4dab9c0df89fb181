"""Candidates of near-duplication: the documents and repositories that share a bucket with another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed.members import is_published, is_repository, refuse_repeats, verdict_table
from beam_seed.near_dedup.lsh import Bands, band_hashes
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import Shingles, unique_sorted
from beam_seed.near_dedup.verify import verify

CANDIDATES = pa.schema(
    [
        ("cluster", pa.uint64()),  # the smallest address of the connected component
        ("address", pa.uint64()),
        ("weight", pa.int64()),  # documents this one stands for already, itself included
        ("repository", pa.dictionary(pa.int32(), pa.string())),  # see members.preference
        ("path", pa.string()),
        ("shingles", pa.large_list(pa.uint64())),  # a set, or one of several parts of a repository's
    ]
)


def candidate_table(
    clusters: npt.NDArray[np.uint64],
    addresses: npt.NDArray[np.uint64],
    weights: npt.NDArray[np.int64],
    repositories: Sequence[str],
    paths: Sequence[str],
    sets: Shingles,
) -> pa.Table:
    """CANDIDATES from columns; ``sets`` as of ``unique_sorted``."""
    shingles = pa.LargeListArray.from_arrays(pa.array(sets.offsets), pa.array(sets.hashes))
    repository = pa.array(repositories, pa.string()).dictionary_encode()
    return pa.table([clusters, addresses, weights, repository, pa.array(paths, pa.string()), shingles], schema=CANDIDATES)


def _whole_sets(candidates: pa.Table) -> tuple[pa.Table, Shingles]:
    """One row for each address, and its whole shingle set."""
    addresses = candidates["address"].to_numpy()
    first = np.append(True, addresses[1:] != addresses[:-1])[: len(addresses)]
    lists = candidates["shingles"].combine_chunks()
    offsets = lists.offsets.to_numpy()
    hashes = lists.values.to_numpy()[offsets[0] : offsets[-1]] if len(lists) else np.empty(0, dtype=np.uint64)
    bounds = np.append(offsets[:-1][first], offsets[-1:]) - (offsets[0] if len(offsets) else 0)
    sets = Shingles(hashes, bounds.astype(np.int64))
    whole = candidates.filter(pa.array(first))
    return whole, sets if first.all() else unique_sorted(sets)


def judge(candidates: pa.Table, threshold: float, bands: Bands) -> pa.Table:
    """VERDICTS of a CANDIDATES table that holds every member of its clusters (see :mod:`beam_seed.near_dedup.verify`).

    Only repositories may come in several parts. Raises ValueError where two documents have one address.
    """
    repository = candidates["repository"].combine_chunks().dictionary_decode()
    candidates = candidates.set_column(candidates.schema.get_field_index("repository"), "repository", repository)
    order = ["cluster", "repository", "path", "address"]
    ranks = candidates.select(order).append_column("row", pa.array(np.arange(len(candidates))))
    ranks = ranks.sort_by([(name, "ascending") for name in order])
    candidates = candidates.take(ranks["row"])
    is_document = ~is_repository(candidates["address"].to_numpy())
    refuse_repeats(candidates.select(order).filter(pa.array(is_document)))
    members, sets = _whole_sets(candidates)
    addresses = members["address"].to_numpy()
    hashes = band_hashes(sign(sets, bands.num_perm), bands)
    verdict = verify(members["cluster"].to_numpy(), sets, hashes, is_published(addresses), threshold)
    rows = np.arange(len(members))
    chosen = np.where(verdict.duplicate_of < 0, rows, verdict.duplicate_of)
    similarity = np.where(verdict.duplicate_of < 0, 1.0, verdict.similarity)
    return verdict_table(members, chosen, similarity, members["weight"].to_numpy())
