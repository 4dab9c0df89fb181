"""What a directory of training shards holds. Those who write shards, take from them and train on them agree on this module alone.

::

    DIR/shards/00000.parquet ...   equally many sequences each, but for the last ones; their order is the order of training
    DIR/tokenizer/tokenizer.json   what the ids mean
    DIR/schema.pbtxt, statistics.pbtxt    tensorflow-metadata of the documents that went in
    DIR/tombstones.json            what was taken down and must not come back, where there is any
    DIR/manifest.json              written last

A sequence has a position: its number in the order of the shards, from 0. ``manifest.json`` has the keys of :class:`Manifest`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

FORMAT = "beam-seed-shards-1"

PIECE = pa.struct(
    [
        pa.field("id", pa.string(), nullable=False),  # of the document, as in its corpus
        pa.field("source", pa.string(), nullable=False),  # of the mixture: 'code', 'web', ...
        pa.field("repo", pa.string(), nullable=False),  # repository, or host of a page
        pa.field("path", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),  # how often the document was taken before this, from 0
        pa.field("form", pa.string(), nullable=False),  # 'plain', 'spm', 'psm' (fill-in-the-middle), or 'formatted' (has its own markers)
        pa.field("start", pa.int64(), nullable=False),  # of the document's tokens, where this piece begins
        pa.field("length", pa.int32(), nullable=False),  # tokens of this piece, END included
        pa.field("total", pa.int64(), nullable=False),  # tokens of the document, END included
        pa.field("sha256", pa.binary(32)),  # of the document's text as UTF-8, as in its corpus
    ]
)
"""One piece of a document in a sequence; a document shorter than a sequence is one piece."""

SEQUENCES = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),  # digest of the pieces it was made of; unique in the directory
        pa.field("tokens", pa.list_(pa.int32()), nullable=False),  # sequence_length ids; after the last piece, PADDING
        # In order, without gaps: attention does not cross from one to the next. A takedown leaves fewer of them, perhaps none.
        pa.field("pieces", pa.list_(PIECE), nullable=False),
    ]
)


class ShardFile(NamedTuple):
    """One file of shards."""

    path: str  # below the directory
    sequences: int
    size: int  # bytes
    sha256: str


class Manifest(NamedTuple):
    """``manifest.json``: what was made, from what, how."""

    format: str  # FORMAT
    sequence_length: int
    sequences: int
    shards: list[ShardFile]
    tokens: dict[str, int]  # 'text' (END included), 'padding'
    by_source: dict[str, dict[str, int]]  # source -> documents, tokens, sequences that hold some of it
    by_language: dict[str, dict[str, int]]
    vocabulary: int  # ids are below it
    padding: int  # id of PADDING
    end: int  # id of END
    tokenizer: str  # fingerprint: SHA-256 of tokenizer.json
    stage: dict[str, object]  # the mixture, as given
    inputs: dict[str, dict[str, str]]  # source -> fingerprints: of the corpus' manifest, of the scorer, ...
    removed: list[dict[str, object]]  # what `beam-seed remove` took out, newest last
    version: str  # of beam_seed
    tokenizer_added: Sequence[str] = ()  # our special tokens that the tokenizer lacked
    tokenizer_exact: bool = True  # whether ids give back every text byte for byte
    skipped: dict[str, dict[str, int]] | None = None  # source -> reason -> documents that were read and are in no sequence
    factors: dict[str, float] | None = None  # source -> copies of each document that the mixture asked for
    drift: str = ""  # of the run that --baseline names: 'none' or 'found', see drift.json


def parse_manifest(text: str | bytes, path: str) -> Manifest:
    """The manifest that is the content of the file at ``path``; keys that are not ours are left out.

    Raises ValueError, which names the path, where it is none, of another format, or where its shards have other sequences than it says.
    """
    try:
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}")
        known = {name: told[name] for name in Manifest._fields if name in told}
        manifest = Manifest(**known | {"shards": [ShardFile(**shard) for shard in told["shards"]]})
        there = sum(shard.sequences for shard in manifest.shards)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} describes no shards ({type(error).__name__}: {error}); expected the manifest of {FORMAT}") from error
    if not there or there != manifest.sequences:
        raise ValueError(f"{path} says {manifest.sequences} sequences and its shards have {there}; expected the same, and one at least")
    return manifest
