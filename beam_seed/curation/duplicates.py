"""Stage 3: exact and near duplicates among files and among repositories. What is shuffled are digests, bands and verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.curation.datasets import DUPLICATES, read_table, shard_path
from beam_seed.exact_dedup.duplicates import merge_digests
from beam_seed.members import MEMBERS, VERDICTS, address, preference, ranked
from beam_seed.near_dedup.lsh import Bands, band_hashes, has_shingles
from beam_seed.packing import U64, pack_columns, pack_table, split_by, unpack_tables
from beam_seed.records import document_id

# Files and repositories are clustered in one pass; this keeps a repository of one file out of that file's buckets.
_REPOSITORY_SALT = np.uint64(0xD6E8FEB86659FD93)
_ROW_MASK = np.uint64(0xFFFFFFFF)

FIRST_PUBLISHED_KEY = 1 << 24
"""``address >> 32`` of this run's own files is below it, that of repositories and of earlier runs is not."""


class Place(NamedTuple):
    """One shard of one run's documents."""

    root: str  # the run's output folder, with measures/ and, of an earlier run, duplicates/
    dataset: int  # 0 = this run, 1.. = a run it is deduplicated against
    number: int
    documents: str  # the file that holds the text


class Repository(NamedTuple):
    """A repository, put together from its pieces."""

    preference: str
    digest: bytes
    signature: bytes  # little-endian uint32
    files: int
    dataset: int
    pieces: tuple[tuple[int, int, int], ...]  # (shard, first row, end row), in order

    @property
    def address(self) -> int:
        shard, start, _ = self.pieces[0]
        return int(address(shard, np.array([start]), self.dataset, repository=True)[0])


def passed_rows(place: Place) -> Any:
    """Rows of a shard that passed language detection and the rules: ``[rows]`` int64, ascending."""
    measures = read_table(shard_path(place.root, "measures", place.number), ["stage"])
    return np.flatnonzero(pc.is_null(measures["stage"]).to_numpy())


def surviving_rows(place: Place) -> Any:
    """Rows of a shard that passed the rules and, in an earlier run, its deduplication: ``[rows]`` int64, ascending."""
    rows = passed_rows(place)
    if place.dataset:
        dropped = dropped_rows(read_table(shard_path(place.root, "duplicates", place.number)), "file")
        rows = np.setdiff1d(rows, dropped, assume_unique=True)
    return rows


def dropped_rows(duplicates: pa.Table, kind: str) -> Any:
    """Rows of a shard that a DUPLICATES table drops, of files or of repositories: int64, ascending."""
    is_drop = pc.and_(pc.equal(duplicates["kind"], kind), pc.not_equal(duplicates["rule"], "kept"))
    told = duplicates.filter(is_drop)
    ranges = [np.arange(start, end) for start, end in zip(told["start"].to_pylist(), told["end"].to_pylist(), strict=True)]
    return np.unique(np.concatenate(ranges)) if ranges else np.empty(0, dtype=np.int64)


def file_members(place: Place) -> pa.Table:
    """MEMBERS of the surviving files of a shard."""
    rows = surviving_rows(place)
    documents = read_table(place.documents, ["stars", "created", "repo", "source", "path"]).take(pa.array(rows))
    digests = read_table(shard_path(place.root, "measures", place.number), ["digest"]).take(pa.array(rows))
    arrays = [
        address(place.number, rows, place.dataset),
        digests["digest"],
        preferences(documents, place.dataset),
        documents["path"],
    ]
    return pa.table(arrays, schema=MEMBERS)


def preferences(documents: pa.Table, dataset: int) -> pa.Array:
    """The ranked preference of each document (columns stars, created, repo, source), dictionary-encoded."""
    columns = [documents[name].to_pylist() for name in ("stars", "created", "repo", "source")]
    known: dict[tuple[Any, ...], str] = {}
    values = []
    for key in zip(*columns, strict=True):
        if key not in known:
            known[key] = ranked(preference(*key), dataset)
        values.append(known[key])
    return pa.array(values, pa.string()).dictionary_encode()


def read_pieces(place: Place) -> pa.Table:
    """PIECES of the repositories of a shard; of an earlier run, only of those it kept."""
    pieces = read_table(shard_path(place.root, "repositories", place.number))
    if place.dataset:
        dropped = dropped_rows(read_table(shard_path(place.root, "duplicates", place.number)), "repository")
        pieces = pieces.filter(pa.array(~np.isin(pieces["start"].to_numpy(), dropped)))
    return pieces


def combine_pieces(dataset: int, pieces: Iterable[Mapping[str, Any]]) -> Repository | None:
    """A repository from the PIECES rows of its shards; None where none of its files passed the rules."""
    rows = sorted(pieces, key=lambda piece: (piece["shard"], piece["start"]))
    files = sum(row["files"] for row in rows)
    if not files:
        return None
    signatures = np.stack([np.frombuffer(row["signature"], dtype="<u4") for row in rows])
    return Repository(
        ranked(rows[0]["preference"], dataset),
        merge_digests(row["digest"] for row in rows),
        signatures.min(axis=0).tobytes(),
        files,
        dataset,
        tuple((row["shard"], row["start"], row["end"]) for row in rows),
    )


def repository_members(repositories: Sequence[Repository]) -> pa.Table:
    """MEMBERS of repositories. Files and repositories never share a digest, so both may be judged together."""
    arrays = [
        pa.array([repository.address for repository in repositories], pa.uint64()),
        pa.array([repository.digest for repository in repositories], pa.binary(32)),
        pa.array([repository.preference for repository in repositories], pa.string()).dictionary_encode(),
        pa.array([""] * len(repositories), pa.string()),
    ]
    return pa.table(arrays, schema=MEMBERS)


def signed_files(place: Place, exact: Iterable[bytes]) -> bytes:
    """Packed ``[members, 1 + bands]`` of a shard's files that survived the rules and, by packed VERDICTS, exact deduplication."""
    rows = surviving_rows(place)
    bands = read_table(shard_path(place.root, "measures", place.number), ["bands"]).take(pa.array(rows))["bands"]
    addresses = address(place.number, rows, place.dataset)
    wanted = bands.is_valid().to_numpy() & ~np.isin(addresses, dropped_members(exact))
    hashes = np.frombuffer(b"".join(bands.filter(pa.array(wanted)).to_pylist()), dtype="<u8")
    width = len(hashes) // max(int(wanted.sum()), 1)
    return pack_columns(np.column_stack([addresses[wanted], hashes.reshape(-1, width) if width else hashes.reshape(0, 0)]))


def signed_repositories(repositories: Sequence[Repository], exact: Iterable[bytes], bands: Bands) -> bytes:
    """Packed ``[members, 1 + bands]`` of the repositories that survived exact deduplication."""
    dropped = set(dropped_members(exact).tolist())
    chosen = [repository for repository in repositories if repository.address not in dropped]
    signatures = np.frombuffer(b"".join(each.signature for each in chosen), dtype="<u4").reshape(-1, bands.num_perm)
    addresses = np.array([repository.address for repository in chosen], dtype=np.uint64)
    signed = has_shingles(signatures)
    hashes = band_hashes(np.ascontiguousarray(signatures, dtype=np.uint32), bands) ^ _REPOSITORY_SALT
    return pack_columns(np.column_stack([addresses, hashes])[signed])


def dropped_members(packed: Iterable[bytes]) -> U64:
    """Addresses of the members that packed VERDICTS drop."""
    verdicts = unpack_tables(packed, VERDICTS)
    members, kept = verdicts["member"].to_numpy(), verdicts["kept"].to_numpy()
    return members[members != kept]


def cluster_weights(packed: Iterable[bytes]) -> dict[int, int]:
    """How many members each kept member stands for, from packed VERDICTS; those missing stand for themselves alone."""
    verdicts = unpack_tables(packed, VERDICTS)
    kept = verdicts.filter(pc.equal(verdicts["member"], verdicts["kept"]))
    return dict(zip(kept["member"].to_pylist(), kept["size"].to_pylist(), strict=True))


def settle(exact: Iterable[bytes], near: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Final verdicts that hang on the members of one shard, as ``(address >> 32 of the dropped or kept member, packed FINAL)``.

    exact: packed VERDICTS of the exact duplicates of the shard's members, and of these members themselves; near: of the members.
    A copy of a file that was itself dropped as a near-duplicate stands behind the file that was kept in its place; the direct twin
    is told as ``via``.
    """
    near_rows = {row["member"]: row for row in unpack_tables(near, VERDICTS).to_pylist()}
    final = [_final(row, "near-duplicate" if row["member"] != row["kept"] else "kept") for row in near_rows.values()]
    for row in unpack_tables(exact, VERDICTS).to_pylist():
        twin = near_rows.get(row["kept"])
        if row["member"] == row["kept"]:
            if twin is None:
                final.append(_final(row, "kept"))
        elif twin is None or twin["member"] == twin["kept"]:
            final.append(_final(row, "exact-duplicate"))
        else:
            via = {name: row[name] for name in ("source", "repo", "path")}
            final.append(
                _final(
                    row | {name: twin[name] for name in ("kept", "source", "repo", "path")},
                    "exact-duplicate",
                    via=via,
                    to_kept=twin["similarity"],
                )
            )
    final.sort(key=lambda row: row["member"])
    table = pa.Table.from_pylist(final, schema=FINAL)
    for key, rows in split_by(table["member"].to_numpy() >> np.uint64(32)):
        yield key, pack_table(table.take(pa.array(rows)))


FINAL = pa.schema(
    [
        ("member", pa.uint64()),
        ("rule", pa.string()),
        ("kept", pa.uint64()),
        ("similarity", pa.float64()),
        ("size", pa.int64()),
        ("evidence", pa.string()),
    ]
)


def _final(row: Mapping[str, Any], rule: str, via: Mapping[str, str] | None = None, to_kept: float | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if rule != "kept":
        told["kept"] = _who(row)
        told["cluster"] = told["kept"]["id"]
        if via is not None:
            told["via"] = _who(via) | {"similarity_to_kept": to_kept}
    evidence = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return {name: row[name] for name in ("member", "kept", "similarity", "size")} | {"rule": rule, "evidence": evidence}


def _who(row: Mapping[str, str]) -> dict[str, Any]:
    told = {"id": document_id(row["source"], row["repo"], row["path"]), "source": row["source"], "repo": row["repo"]}
    return told | ({"path": row["path"]} if row["path"] else {})  # without a path it is a repository


def file_duplicates(packed: bytes) -> bytes:
    """Packed FINAL of one shard's files as packed DUPLICATES."""
    final = unpack_tables([packed], FINAL)
    starts = (final["member"].to_numpy() & _ROW_MASK).astype(np.int64)
    return pack_table(_duplicates("file", starts, starts + 1, final))


def repository_duplicates(repository: Repository, packed: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The verdict on a repository, if there is one in packed FINAL, as ``(shard, packed DUPLICATES)`` for each of its pieces."""
    final = unpack_tables(packed, FINAL)
    own = final.filter(pc.equal(final["member"], pa.scalar(repository.address, pa.uint64())))
    for shard, start, end in repository.pieces if len(own) else ():
        yield shard, pack_table(_duplicates("repository", np.array([start]), np.array([end]), own))


def _duplicates(kind: str, starts: Any, ends: Any, final: pa.Table) -> pa.Table:
    columns = {name: final[name] for name in ("rule", "kept", "similarity", "size", "evidence")}
    columns |= {"kind": pa.array([kind] * len(final)), "start": starts, "end": ends}
    return pa.table({name: columns[name] for name in DUPLICATES.names}, schema=DUPLICATES)


def gather_duplicates(packed: Iterable[bytes]) -> pa.Table:
    """All DUPLICATES rows of one shard, in order."""
    table = unpack_tables(packed, DUPLICATES)
    return table.sort_by([("kind", "ascending"), ("start", "ascending"), ("end", "ascending")])
