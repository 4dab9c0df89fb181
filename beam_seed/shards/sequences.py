"""A group of tokenised documents to its packed sequences, and sequences to the rows of shards."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.draws import draws
from beam_seed.shards.format import PIECE, SEQUENCES
from beam_seed.shards.pack import I64, Pieces, pack

U64 = npt.NDArray[np.uint64]

KEYED = SEQUENCES.insert(0, pa.field("key", pa.uint64(), nullable=False))
"""A sequence with its place in the global shuffle: sequences are in the order of (key, id)."""


class Packed(NamedTuple):
    """What became of a group of documents."""

    sequences: pa.Table  # KEYED, in order
    documents: pa.Table  # those that are in them, as TOKENISED but for ``tokens``, which is their number
    copies: dict[str, int]  # source -> documents left out because another row of the source has their id


def pack_group(documents: pa.Table, capacity: int, padding: int, seed: int) -> Packed:
    """Pack the documents (TOKENISED) of one group; what comes out does not depend on their order."""
    column = documents["tokens"].combine_chunks()
    tokens, lengths = column.flatten().to_numpy(), pc.list_value_length(column).to_numpy().astype(np.int64)
    begins = pa.array(np.cumsum(lengths) - lengths)
    # Tokens stay where they are; what is sorted is small.
    who = documents.drop_columns(["tokens"]).append_column("tokens", pa.array(lengths)).append_column("begin", begins)
    who = who.sort_by([(name, "ascending") for name in ("order", "source", "id", "epoch", "table", "row")])
    who, copies = _first_of_each(who)
    pieces = pack(who["tokens"].to_numpy(), capacity)
    pieces, ids, keys = _shuffled(who, pieces, seed)
    filled = _filled(tokens, who["begin"].to_numpy(), pieces, len(ids), capacity, padding)
    columns = [pa.array(keys), pa.array(ids, pa.binary(16)), list_column(filled), _piece_column(who, pieces, len(ids))]
    return Packed(pa.table(columns, schema=KEYED), who.drop_columns(["begin"]), copies)


def _first_of_each(documents: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    names = [documents[name].to_pylist() for name in ("source", "id", "epoch")]
    who = list(zip(*names, strict=True))
    # Rows of one id have one order, so they stand together.
    first = [number == 0 or who[number] != who[number - 1] for number in range(len(who))]
    copies: dict[str, int] = {}
    for (source, _, _), is_first in zip(who, first, strict=True):
        if not is_first:
            copies[source] = copies.get(source, 0) + 1
    return (documents.filter(pa.array(first)) if copies else documents), copies


def _shuffled(documents: pa.Table, pieces: Pieces, seed: int) -> tuple[Pieces, list[bytes], U64]:
    """The pieces with their sequences in the order of (key, id), and these."""
    ids = _ids(documents, pieces)
    keys = [draws(seed, "shuffle", each.hex()).words[0] for each in ids]
    order = sorted(range(len(ids)), key=lambda number: (keys[number], ids[number]))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    moved = pieces._replace(sequence=places[pieces.sequence])
    by_place = np.lexsort((moved.document, moved.sequence))
    return Pieces(*(column[by_place] for column in moved)), [ids[number] for number in order], np.array(keys, np.uint64)[order]


def _ids(documents: pa.Table, pieces: Pieces) -> list[bytes]:
    names = list(zip(*(documents[name].to_pylist() for name in ("source", "id", "epoch")), strict=True))
    digests: list[Any] = []
    for sequence, document, start, length in zip(*(column.tolist() for column in pieces), strict=True):
        if sequence == len(digests):
            digests.append(hashlib.blake2b(digest_size=16))
        digests[-1].update("\0".join(map(str, (*names[document], start, length))).encode("utf-8", "surrogatepass") + b"\n")
    return [digest.digest() for digest in digests]


def _filled(tokens: Any, begins: I64, pieces: Pieces, count: int, capacity: int, padding: int) -> npt.NDArray[np.int32]:
    filled = np.full((count, capacity), padding, np.int32)
    place, last = 0, -1
    for sequence, document, start, length in zip(*(column.tolist() for column in pieces), strict=True):
        place = place if sequence == last else 0
        begin = begins[document] + start
        filled[sequence, place : place + length] = tokens[begin : begin + length]
        place, last = place + length, sequence
    return filled


def list_column(filled: npt.NDArray[np.int32]) -> pa.ListArray:
    """A matrix as a column of lists, one for each row."""
    offsets = np.arange(filled.shape[0] + 1, dtype=np.int32) * np.int32(filled.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(filled.reshape(-1)))


def _piece_column(documents: pa.Table, pieces: Pieces, count: int) -> pa.ListArray:
    rows = pa.array(pieces.document)
    columns = {
        "start": pa.array(pieces.start),
        "length": pa.array(pieces.length.astype(np.int32)),
        "total": documents["tokens"].take(rows).combine_chunks(),
    }
    arrays = [
        columns[field.name] if field.name in columns else documents[field.name].take(rows).combine_chunks().cast(field.type)
        for field in PIECE
    ]
    structs = pa.StructArray.from_arrays(arrays, fields=list(PIECE))
    offsets = np.searchsorted(pieces.sequence, np.arange(count + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def token_matrix(sequences: pa.Table) -> npt.NDArray[np.int32]:
    """The tokens of sequences, ``[sequences, sequence_length]``."""
    matrix: npt.NDArray[np.int32] = sequences["tokens"].combine_chunks().flatten().to_numpy().reshape(len(sequences), -1)
    return matrix


def in_order(sequences: pa.Table) -> pa.Table:
    """The rows of a KEYED table in the order of (key, id), without the key."""
    order = pc.sort_indices(sequences, [("key", "ascending"), ("id", "ascending")])
    # Arrow takes lists one by one; numpy takes rows of a matrix ten times as fast.
    tokens = list_column(token_matrix(sequences)[order.to_numpy()])
    return pa.table([sequences["id"].take(order), tokens, sequences["pieces"].take(order)], schema=SEQUENCES)


class Counts(NamedTuple):
    """What sequences hold. Counts of disjoint sets of sequences add up."""

    text: int  # tokens, END included
    by_source: dict[str, dict[str, int]]
    by_language: dict[str, dict[str, int]]


UNKNOWN = "unknown"  # language of a document that has none


def count(pieces: pa.ListArray) -> Counts:
    """Counts of a column of pieces. A document counts where its first piece is."""
    flat = pieces.flatten()
    table = pa.table(
        {
            "sequence": pc.list_parent_indices(pieces),
            "source": flat.field("source"),
            "language": pc.if_else(pc.equal(flat.field("language"), ""), UNKNOWN, flat.field("language")),
            "documents": pc.equal(flat.field("start"), 0).cast(pa.int64()),
            "tokens": flat.field("length").cast(pa.int64()),
        }
    )
    return Counts(int(pc.sum(table["tokens"]).as_py() or 0), _by(table, "source"), _by(table, "language"))


def _by(table: pa.Table, name: str) -> dict[str, dict[str, int]]:
    grouped = table.group_by(name).aggregate([("documents", "sum"), ("tokens", "sum"), ("sequence", "count_distinct")])
    return {
        row[name]: {"documents": row["documents_sum"], "tokens": row["tokens_sum"], "sequences": row["sequence_count_distinct"]}
        for row in grouped.to_pylist()
    }


def add(one: Counts, other: Counts, sign: int = 1) -> Counts:
    """Both together, or with ``sign`` -1 what is left of the first without the second."""
    parts = []
    for mine, theirs in ((one.by_source, other.by_source), (one.by_language, other.by_language)):
        merged = {name: dict(each) for name, each in mine.items()}
        for name, each in theirs.items():
            own = merged.setdefault(name, dict.fromkeys(each, 0))
            for key, value in each.items():
                own[key] += sign * value
        parts.append({name: merged[name] for name in sorted(merged)})
    return Counts(one.text + sign * other.text, *parts)
