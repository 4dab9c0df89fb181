"""Small shards as beam_seed/shards/format.py describes them: runs of letters, which a tiny model learns to go on with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from beam_seed.shards.format import FORMAT, SEQUENCES, Manifest, ShardFile
from beam_seed.special_tokens import END, PADDING, SPECIAL_TOKENS

LENGTH = 48


def tokenizer() -> Tokenizer:
    """One token a byte, after the special ones."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({name: n for n, name in enumerate([*SPECIAL_TOKENS, *letters])}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL_TOKENS))
    return made


def documents(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    alphabet = "abcdefghijklmnopqrstuvwxyz" * 4
    starts, lengths = random.integers(26, size=count), random.integers(1, 60, count)
    return [alphabet[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def write_shards(
    folder: Path, sequences: int = 96, per_shard: int = 40, per_group: int = 7, length: int = LENGTH, seed: int = 0
) -> tuple[Path, list[list[list[int]]]]:
    """Shards, and of each sequence the tokens of each of its pieces."""
    words = tokenizer()
    end, padding = words.token_to_id(END), words.token_to_id(PADDING)
    rows, pieces_of = [], []
    waiting = iter(documents(sequences * 6, seed))
    for number in range(sequences):
        pieces: list[list[int]] = []
        while (room := length - sum(map(len, pieces))) > 3:
            pieces.append([*words.encode(next(waiting)).ids[: room - 1], end])
        tokens = [token for piece in pieces for token in piece]
        piece = {"source": "code", "repo": "r", "path": "p", "language": "Text", "epoch": 0, "form": "plain", "start": 0}
        told = [piece | {"id": f"{number}-{n}", "length": len(each), "total": len(each)} for n, each in enumerate(pieces)]
        identity = hashlib.sha256(f"{seed} {number}".encode()).digest()[:16]
        rows.append({"id": identity, "tokens": tokens + [padding] * (length - len(tokens)), "pieces": told})
        pieces_of.append(pieces)
    shards = []
    (folder / "shards").mkdir(parents=True)
    for start in range(0, sequences, per_shard):
        path = folder / "shards" / f"{start // per_shard:05d}.parquet"
        pq.write_table(pa.Table.from_pylist(rows[start : start + per_shard], SEQUENCES), path, row_group_size=per_group, compression="zstd")
        content = path.read_bytes()
        part = len(rows[start : start + per_shard])
        shards.append(ShardFile(f"shards/{path.name}", part, len(content), hashlib.sha256(content).hexdigest()))
    (folder / "tokenizer").mkdir()
    words.save(str(folder / "tokenizer" / "tokenizer.json"))
    digest = hashlib.sha256((folder / "tokenizer" / "tokenizer.json").read_bytes()).hexdigest()
    text = sum(len(piece) for pieces in pieces_of for piece in pieces)
    counts = {"text": text, "padding": sequences * length - text}
    manifest = Manifest(
        FORMAT, length, sequences, shards, counts, {}, {}, words.get_vocab_size(), padding, end, digest, {"seed": seed}, {}, [], "0"
    )  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest._asdict() | {"shards": [shard._asdict() for shard in shards]}))
    return folder, pieces_of


def ids(sequences: int, seed: int = 0) -> list[bytes]:
    return [hashlib.sha256(f"{seed} {number}".encode()).digest()[:16] for number in range(sequences)]
