"""Stage 3, the part that reads text again: the shingle sets of the candidates, spilled to disk grouped by cluster."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed import storage
from beam_seed.curation.datasets import read_documents
from beam_seed.curation.duplicates import Place, Repository, cluster_weights, passed_rows
from beam_seed.members import preference, ranked
from beam_seed.near_dedup.candidates import CANDIDATES, candidate_table
from beam_seed.near_dedup.shingles import Shingles, shingle, unique_sorted
from beam_seed.packing import pack_table, split_by, unpack_columns, unpack_table
from beam_seed.records import Document

_ROW_MASK = np.uint64(0xFFFFFFFF)


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
    """Spill the shingle sets of ``targets``; ``(cluster % parts, reference)`` for :func:`load`."""
    if not targets:
        return
    tables: dict[int, list[pa.Table]] = defaultdict(list)
    for table in _candidates(place, targets):
        for part, rows in split_by(table["cluster"].to_numpy() % np.uint64(parts)):
            tables[part].append(table.take(pa.array(rows)))
    path = storage.join(folder, f"{place.dataset:03d}-{place.number:08d}.arrow")
    offset = 0
    references = []
    with storage.open_write(path) as out:
        for part in sorted(tables):
            packed = pack_table(pa.concat_tables(tables.pop(part)).unify_dictionaries())
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
    for start, documents in read_documents(place.documents, rows.tolist()):
        here = rows[(rows >= start) & (rows < start + len(documents))]
        chosen = [documents[row - start] for row in here]
        sets = unique_sorted(shingle([document.content.encode() for document in chosen]))
        yield _group_candidates(place, targets, here, chosen, sets)


def _group_candidates(place: Place, targets: Sequence[Target], rows: Any, documents: Sequence[Document], sets: Shingles) -> pa.Table:
    found: list[tuple[Target, str, str]] = []
    bounds, chosen = [0], []
    for target in targets:
        first, last = np.searchsorted(rows, [target.start, target.end])
        if first == last:
            continue
        hashes = sets.hashes[sets.offsets[first] : sets.offsets[last]]
        chosen.append(hashes if last == first + 1 else np.unique(hashes))
        bounds.append(bounds[-1] + len(chosen[-1]))
        document = documents[first]
        repository = target.repository or ranked(
            preference(document.stars, document.created, document.repo, document.source), place.dataset
        )
        found.append((target, repository, "" if target.repository else document.path))
    if not found:
        return CANDIDATES.empty_table()
    return candidate_table(
        np.array([target.cluster for target, _, _ in found], dtype=np.uint64),
        np.array([target.address for target, _, _ in found], dtype=np.uint64),
        np.array([target.weight for target, _, _ in found], dtype=np.int64),
        [repository for _, repository, _ in found],
        [path for _, _, path in found],
        Shingles(np.concatenate(chosen), np.array(bounds, dtype=np.int64)),
    )


def unpack_targets(packed: Iterable[bytes]) -> list[Target]:
    """Targets from the packed tables that carried them."""
    return [Target(**row) for each in packed for row in unpack_table(each).to_pylist()]


def pack_targets(targets: Sequence[Target]) -> bytes:
    """Targets as one packed table."""
    schema = pa.schema([*((name, pa.uint64()) for name in Target._fields[:5]), ("repository", pa.string())])
    return pack_table(pa.Table.from_pylist([target._asdict() for target in targets], schema=schema))
