"""Shards back to documents, byte for byte: pieces put together across sequences, fill-in-the-middle undone, escapes removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.fim.split import reassemble
from beam_seed.shards.documents import FORMATTED
from beam_seed.shards.publish import read_manifest
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.special_tokens import unescape

Name = tuple[str, str, int]
"""Source, id and epoch: which copy of which document."""


class Decoded(NamedTuple):
    """One copy of a document as it is in its corpus."""

    id: str
    source: str
    repo: str
    path: str
    language: str
    epoch: int
    form: str
    sha256: bytes | None
    content: str


class Assembler:
    """Documents from sequences, in whatever order these come; a document is given back with its last piece."""

    def __init__(self, tokenizer: ShardTokenizer):
        self._tokenizer = tokenizer
        self._waiting: dict[Name, dict[int, Any]] = {}

    def add(self, sequence: Mapping[str, Any]) -> Iterator[Decoded]:
        """The documents that a row of a shard (``tokens``, ``pieces``) makes whole."""
        place = 0
        for piece in sequence["pieces"]:
            tokens = sequence["tokens"][place : place + piece["length"]]
            place += piece["length"]
            name = piece["source"], piece["id"], piece["epoch"]
            pieces = self._waiting.setdefault(name, {})
            pieces[piece["start"]] = tokens
            if sum(map(len, pieces.values())) == piece["total"]:
                del self._waiting[name]
                yield self._decoded(piece, [token for start in sorted(pieces) for token in pieces[start]])

    @property
    def incomplete(self) -> list[Name]:
        """The documents of which pieces are missing so far."""
        return sorted(self._waiting)

    def _decoded(self, piece: Mapping[str, Any], tokens: list[int]) -> Decoded:
        text = self._tokenizer.decode(tokens)
        content = text if piece["form"] == FORMATTED else unescape(reassemble(text, piece["form"]))
        return Decoded._make([*(piece[name] for name in Decoded._fields[:-1]), content])


def documents_of(sequences: Iterable[Mapping[str, Any]], tokenizer: ShardTokenizer) -> Iterator[Decoded]:
    """The documents of rows of shards, as ``pyarrow`` (``to_pylist``) or Hugging Face ``datasets`` give them.

    Raises ValueError at the end where a document's pieces are not all there.
    """
    assembler = Assembler(tokenizer)
    for sequence in sequences:
        yield from assembler.add(sequence)
    if missing := assembler.incomplete:
        raise ValueError(f"{len(missing)} documents lack pieces, such as {missing[0]}; expected all sequences of a directory")


def read_sequences(root: str) -> Iterator[dict[str, Any]]:
    """The rows of a directory's shards, in order. Raises ValueError where it is none."""
    for shard in read_manifest(root).shards:
        with storage.open_read(storage.join(root, *shard.path.split("/"))) as file:
            for batch in pq.ParquetFile(file).iter_batches(64):
                yield from batch.to_pylist()


def read_documents(root: str) -> Iterator[Decoded]:
    """The documents of a directory of shards. Raises ValueError where it is none, or holds less than its pieces say."""
    return documents_of(read_sequences(root), ShardTokenizer.load(storage.join(root, "tokenizer")))
