"""Takedown from finished shards: what is removed becomes padding, so that positions, counts and ids of sequences stay as they were.

A sequence keeps its place, its length and its id; its other pieces move together, and PADDING follows them. A trainer that goes on from a
position, on whatever number of ranks, sees the sequences it would have seen. A sequence of which nothing is left has no pieces.

New files are written beside the old ones, then a journal, then each is put in its place and the manifest last: who kills the job and
starts it again gets the same end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.curation.datasets import write_batches
from beam_seed.shards.documents import FORMATTED
from beam_seed.shards.format import PIECE, SEQUENCES, Manifest, ShardFile
from beam_seed.shards.publish import manifest_json, read_manifest, write_manifest
from beam_seed.shards.read import Name
from beam_seed.shards.sequences import Counts, add, count, list_column, token_matrix
from beam_seed.shards.takedown import TOMBSTONES, Tombstones
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.shards.write import NOTHING, shard_file

_WORK = "_removal"
_JOURNAL = "journal.json"


class Part(NamedTuple):
    """Tokens of one piece of a document that lies in several sequences."""

    start: int
    total: int
    repo: str
    path: str
    sha256: bytes
    tokens: bytes  # little-endian int32


class Removed(NamedTuple):
    """One document's pieces in one sequence."""

    position: int  # of the sequence in the directory
    sequence: str  # its id, 32 hex digits
    source: str
    id: str
    epoch: int
    repo: str
    path: str
    tokens: int
    why: str


class Rewritten(NamedTuple):
    """What became of one shard."""

    file: ShardFile  # as it is after it
    found: list[Removed]  # empty: the shard is as it was
    before: Counts  # of the row groups that changed
    after: Counts


def scan(root: str, shard: ShardFile, tombstones: Tombstones, tokenizer: ShardTokenizer) -> Iterator[tuple[Name, str | Part]]:
    """Documents of a shard that are to go, and why; of formatted ones that lie in several sequences the parts, see :func:`decide`."""
    if not tombstones.reads_texts:
        for pieces in _pieces(root, shard):
            for piece in pieces:
                if why := tombstones.holds(*_who(piece)):
                    yield _name(piece), why
        return
    for group in _row_groups(root, shard):
        for pieces, tokens in zip(group["pieces"].to_pylist(), token_matrix(group), strict=True):
            for piece, own in _with_tokens(pieces, tokens):
                read, whole = piece["form"] == FORMATTED, piece["length"] == piece["total"]
                if why := tombstones.holds(*_who(piece), tokenizer.decode(own) if read and whole else None):
                    yield _name(piece), why
                elif read and not whole:
                    yield _name(piece), Part(piece["start"], piece["total"], *_who(piece), own.astype("<i4").tobytes())


def _who(piece: Mapping[str, Any]) -> tuple[str, str, bytes]:
    return piece["repo"], piece["path"], piece["sha256"] or b""


def _with_tokens(pieces: Sequence[dict[str, Any]], tokens: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """The pieces of a sequence, each with its own of the sequence's tokens."""
    place = 0
    for piece in pieces:
        yield piece, tokens[place : place + piece["length"]]
        place += piece["length"]


def decide(parts: Sequence[Part], tombstones: Tombstones, tokenizer: ShardTokenizer) -> str:
    """Why the document of all these parts is to go; '' where it stays."""
    ordered = sorted(parts)
    tokens = np.concatenate([np.frombuffer(part[5], "<i4") for part in ordered])
    _, _, repo, path, digest, _ = ordered[0]
    return tombstones.holds(repo, path, digest, tokenizer.decode(tokens))


def rewrite(root: str, shard: ShardFile, first: int, why: Mapping[Name, str], padding: int, write: bool) -> Rewritten:
    """Write a shard without the documents in ``why`` to where :func:`publish` finds it; ``first``: position of its first sequence."""
    found: list[Removed] = []
    counts = [NOTHING, NOTHING]

    def groups() -> Iterator[pa.Table]:
        position = first
        for group in _row_groups(root, shard):
            rows = [row for row, pieces in enumerate(group["pieces"].to_pylist()) if any(_name(piece) in why for piece in pieces)]
            if rows:
                counts[0] = add(counts[0], count(group["pieces"].combine_chunks()))
                group = _without(group, rows, why, padding, position, found)
                counts[1] = add(counts[1], count(group["pieces"].combine_chunks()))
            position += len(group)
            yield group

    if not any(_name(piece) in why for pieces in _pieces(root, shard) for piece in pieces):
        return Rewritten(shard, [], *counts)
    if not write:
        for _ in groups():
            pass
        return Rewritten(shard, found, *counts)
    work = storage.join(root, _WORK)
    write_batches(storage.join(work, *shard.path.split("/")), SEQUENCES, groups())
    return Rewritten(shard_file(work, shard.path, shard.sequences), found, *counts)


def _without(group: pa.Table, rows: Sequence[int], why: Mapping[Name, str], padding: int, first: int, found: list[Removed]) -> pa.Table:
    tokens, pieces, ids = token_matrix(group).copy(), group["pieces"].to_pylist(), group["id"].to_pylist()
    for row in rows:
        kept, filled = [], 0
        old = tokens[row].copy()
        tokens[row] = padding
        for piece, own in _with_tokens(pieces[row], old):
            length = piece["length"]
            if reason := why.get(_name(piece)):
                told = [piece[name] for name in ("source", "id", "epoch", "repo", "path")]
                found.append(Removed._make([first + row, ids[row].hex(), *told, length, reason]))
            else:
                tokens[row, filled : filled + length] = own
                filled += length
                kept.append(piece)
        pieces[row] = kept
    return pa.table([group["id"], list_column(tokens), pa.array(pieces, pa.list_(PIECE))], schema=SEQUENCES)


def _name(piece: Mapping[str, Any]) -> Name:
    return piece["source"], piece["id"], piece["epoch"]


def _row_groups(root: str, shard: ShardFile) -> Iterator[pa.Table]:
    with storage.open_read(storage.join(root, *shard.path.split("/"))) as file:
        parquet = pq.ParquetFile(file)
        for number in range(parquet.num_row_groups):
            yield parquet.read_row_group(number).cast(SEQUENCES)


def _pieces(root: str, shard: ShardFile) -> Iterator[list[dict[str, Any]]]:
    with storage.open_read(storage.join(root, *shard.path.split("/"))) as file:
        for batch in pq.ParquetFile(file).iter_batches(1024, columns=["pieces"]):
            yield from batch["pieces"].to_pylist()


def without_removed(manifest: Manifest, shards: Sequence[Rewritten], told: Mapping[str, Any]) -> Manifest:
    """The manifest after a removal; ``told``: what it says of it besides the figures."""
    files = {each.file.path: each.file for each in shards}
    counts = Counts(manifest.tokens["text"], manifest.by_source, manifest.by_language)
    for each in shards:
        counts = add(add(counts, each.before, -1), each.after)
    gone = [removed for each in shards for removed in each.found]
    entry = dict(told) | {
        "documents": len({(each.source, each.id, each.epoch) for each in gone}),
        "pieces": len(gone),
        "tokens": sum(each.tokens for each in gone),
        "sequences": len({each.position for each in gone}),
        "shards": [each.file.path for each in shards if each.found],
    }
    return manifest._replace(
        shards=[files.get(shard.path, shard) for shard in manifest.shards],
        tokens={"text": counts.text, "padding": manifest.sequences * manifest.sequence_length - counts.text},
        by_source=_left(counts.by_source),
        by_language=_left(counts.by_language),
        removed=[*manifest.removed, entry],
    )


def _left(counts: Mapping[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {name: each for name, each in counts.items() if each["sequences"]}


def publish(root: str, manifest: Manifest, moved: Sequence[str], tombstones: Tombstones) -> None:
    """Put what :func:`rewrite` wrote in its place, and the manifest and the tombstones with it."""
    journal = {"moved": list(moved), "manifest": manifest_json(manifest), "tombstones": tombstones.to_json()}
    storage.write_json(storage.join(root, _WORK, _JOURNAL), journal)
    recover(root)


def recover(root: str) -> bool:
    """Finish a removal that was cut short once it was decided, forget one that was not; whether one was finished."""
    work = storage.join(root, _WORK)
    path = storage.join(work, _JOURNAL)
    finishes = storage.exists(path)
    if finishes:
        journal = storage.read_json(path)
        # First of all it must not come back.
        Tombstones.of(**journal["tombstones"]).write(storage.join(root, TOMBSTONES))
        for name in journal["moved"]:
            new = storage.join(work, *name.split("/"))
            if storage.exists(new):
                storage.move(new, storage.join(root, *name.split("/")))
        shards = [ShardFile(**shard) for shard in journal["manifest"]["shards"]]
        write_manifest(root, Manifest(**journal["manifest"] | {"shards": shards}))
    storage.delete_tree(work)
    return finishes


def positions(root: str) -> list[tuple[ShardFile, int]]:
    """The shards of a directory with the position of their first sequence."""
    first, found = 0, []
    for shard in read_manifest(root).shards:
        found.append((shard, first))
        first += shard.sequences
    return found
