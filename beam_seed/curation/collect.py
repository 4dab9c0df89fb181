"""Stage 3, the part that reads text again: the shingle sets of the candidates, spilled to disk grouped by cluster."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed import storage
from beam_seed.curation.datasets import read_groups, text_views
from beam_seed.curation.duplicates import Place, Repository, cluster_weights, passed_rows, preferences
from beam_seed.near_dedup.candidates import CANDIDATES, candidate_table
from beam_seed.near_dedup.shingles import Shingles, shingle, unique_sorted
from beam_seed.packing import pack_table, split_by, unpack_columns, unpack_table

_ROW_MASK = np.uint64(0xFFFFFFFF)
_COLUMNS = ("content", "stars", "created", "repo", "source", "path")


class Target(NamedTuple):
    """Rows of a shard whose shingles belong to one candidate: a file, or a repository's piece."""

    start: int
    end: int
    address: int
    cluster: int
    weight: int
    repository: str  # ranked preference; '' where the document tells


def file_targets(place: Place, membership: Iterable[bytes], exact: Iterable[bytes]) -> list[Target]:
    """The candidate files of a shard, from packed ``[address, cluster]`` and packed exact VERDICTS."""
    weights = cluster_weights(exact)
    nodes = unpack_columns(membership, 2)
    rows = (nodes[:, 0] & _ROW_MASK).astype(np.int64).tolist()
    pairs = zip(rows, nodes.tolist(), strict=True)
    return [Target(row, row + 1, node, cluster, weights.get(node, 1), "") for row, (node, cluster) in pairs]


def repository_targets(
    repositories: Sequence[Repository], membership: Iterable[bytes], exact: Iterable[bytes]
) -> Iterator[tuple[int, Target]]:
    """``(shard, Target)`` for every piece of the candidate repositories among ``repositories``."""
    weights = cluster_weights(exact)
    clusters = dict(unpack_columns(membership, 2).tolist())
    for repository in repositories:
        own = repository.address
        if own in clusters:
            for shard, start, end in repository.pieces:
                yield shard, Target(start, end, own, clusters[own], weights.get(own, 1), repository.preference)


def collect(place: Place, targets: Sequence[Target], parts: int, folder: str) -> Iterator[tuple[int, bytes]]:
    """Spill the shingle sets of ``targets``, a row group at a time; ``(cluster % parts, reference)`` for :func:`load`."""
    if not targets:
        return
    path = storage.join(folder, f"{place.dataset:03d}-{place.number:08d}.arrow")
    references = []
    offset = 0
    with storage.open_write(path) as out:
        for table in _candidates(place, targets):
            for part, rows in split_by(table["cluster"].to_numpy() % np.uint64(parts)):
                packed = pack_table(table.take(pa.array(rows)))
                out.write(packed)
                references.append((part, json.dumps([path, offset, len(packed)]).encode()))
                offset += len(packed)
    yield from references


def load(reference: bytes) -> bytes:
    """The packed CANDIDATES a reference of :func:`collect` stands for."""
    path, offset, length = json.loads(reference)
    with storage.open_read(path) as file:
        file.seek(offset)
        return file.read(length)


def _candidates(place: Place, targets: Sequence[Target]) -> Iterator[pa.Table]:
    passed = passed_rows(place)
    rows = np.unique(np.concatenate([np.arange(target.start, target.end) for target in targets]))
    rows = np.intersect1d(rows, passed, assume_unique=True)
    for start, documents in read_groups(place.documents, _COLUMNS, rows.tolist()):
        here = rows[(rows >= start) & (rows < start + len(documents))]
        chosen = documents.take(pa.array(here - start))
        sets = unique_sorted(shingle(text_views(chosen["content"])))
        yield _group_candidates(targets, here, preferences(chosen, place.dataset), chosen["path"], sets)


def _group_candidates(targets: Sequence[Target], rows: Any, repositories: pa.Array, paths: pa.ChunkedArray, sets: Shingles) -> pa.Table:
    """CANDIDATES of the targets that have some of ``rows``, whose preferences, paths and sets follow."""
    ends = np.searchsorted(rows, [target.end for target in targets])
    starts = np.searchsorted(rows, [target.start for target in targets])
    found = np.flatnonzero(starts < ends).tolist()
    if not found:
        return CANDIDATES.empty_table()
    chosen = [targets[index] for index in found]
    # A repository's piece is several files: their union. A file is itself.
    hashes = [sets.hashes[sets.offsets[starts[index]] : sets.offsets[ends[index]]] for index in found]
    hashes = [np.unique(own) if target.repository else own for own, target in zip(hashes, chosen, strict=True)]
    own_names = repositories.take(pa.array(starts[found])).to_pylist()
    own_paths = paths.take(pa.array(starts[found])).to_pylist()
    return candidate_table(
        np.array([target.cluster for target in chosen], dtype=np.uint64),
        np.array([target.address for target in chosen], dtype=np.uint64),
        np.array([target.weight for target in chosen], dtype=np.int64),
        [target.repository or name for target, name in zip(chosen, own_names, strict=True)],
        ["" if target.repository else path for target, path in zip(chosen, own_paths, strict=True)],
        Shingles(np.concatenate(hashes), np.cumsum([0, *map(len, hashes)])),
    )


def unpack_targets(packed: Iterable[bytes]) -> list[Target]:
    """Targets from the packed tables that carried them."""
    return [Target(**row) for each in packed for row in unpack_table(each).to_pylist()]


def pack_targets(targets: Sequence[Target]) -> bytes:
    """Targets as one packed table."""
    schema = pa.schema([*((name, pa.uint64()) for name in Target._fields[:5]), ("repository", pa.string())])
    return pack_table(pa.Table.from_pylist([target._asdict() for target in targets], schema=schema))
