"""Stage 2: everything that is a pure function of one document, in one pass over the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from beam_seed import metrics
from beam_seed.curation.datasets import MEASURES, PIECES, read_documents, shard_path, write_batches, write_table
from beam_seed.exact_dedup.duplicates import set_digest
from beam_seed.judge import judge_in_turn
from beam_seed.languages.detect import detect
from beam_seed.languages.judge import judge_languages
from beam_seed.members import preference
from beam_seed.near_dedup.lsh import Bands, packed_bands
from beam_seed.near_dedup.minhash import EMPTY, sign
from beam_seed.near_dedup.shingles import shingle
from beam_seed.records import Document, Failed, Judgement, Rejected
from beam_seed.rules.rules import Limits, judge_rules


class _Piece:
    """The rows of one repository in one shard, so far."""

    def __init__(self, document: Document, shard: int, start: int, num_perm: int):
        self.repo, self.source = document.repo, document.source
        self.preference = preference(document.stars, document.created, document.repo, document.source)
        self.shard, self.start, self.end = shard, start, start
        self.pairs: list[tuple[str, str]] = []
        self.signature = np.full(num_perm, EMPTY, dtype=np.uint32)

    def row(self) -> dict[str, Any]:
        names = ("repo", "source", "preference", "shard", "start", "end")
        own = {name: getattr(self, name) for name in names}
        return own | {"files": len(self.pairs), "digest": set_digest(self.pairs), "signature": self.signature.astype("<u4").tobytes()}


def measure_shard(root: str, number: int, limits: Limits, bands: Bands) -> None:
    """Write the shard's ``measures/`` (row by row as in ``documents/``) and ``repositories/`` (its pieces of repositories)."""
    pieces: list[_Piece] = []
    write_batches(shard_path(root, "measures", number), MEASURES, _measure_groups(root, number, limits, bands, pieces))
    table = pa.Table.from_pylist([piece.row() for piece in pieces], schema=PIECES)
    write_table(shard_path(root, "repositories", number), table)


def _measure_groups(root: str, number: int, limits: Limits, bands: Bands, pieces: list[_Piece]) -> Iterator[pa.Table]:
    for start, documents in read_documents(shard_path(root, "documents", number)):
        judgements = judge_documents(documents, limits)
        passed = [row for row, judgement in enumerate(judgements) if not isinstance(judgement, Rejected | Failed)]
        signatures = sign(shingle([documents[row].content.encode() for row in passed]), bands.num_perm)
        _extend_pieces(pieces, documents, passed, signatures, number, start)
        metrics.count_judgements("measures", documents, judgements)
        yield _measures(documents, judgements, passed, packed_bands(signatures, bands))


def judge_documents(documents: list[Document], limits: Limits) -> list[Judgement]:
    """Language, then the minimal rules."""
    return judge_in_turn([(judge_languages, "language"), (lambda batch: judge_rules(batch, limits), "rules")], documents)


def _extend_pieces(
    pieces: list[_Piece], documents: Sequence[Document], passed: Sequence[int], signatures: Any, shard: int, start: int
) -> None:
    position = {row: index for index, row in enumerate(passed)}
    for row, document in enumerate(documents):
        if not pieces or pieces[-1].repo != document.repo:
            pieces.append(_Piece(document, shard, start + row, signatures.shape[1]))
        piece = pieces[-1]
        piece.end = start + row + 1
        if row in position:
            piece.pairs.append((document.path, document.sha256))
            np.minimum(piece.signature, signatures[position[row]], out=piece.signature)


def _measures(
    documents: Sequence[Document], judgements: Sequence[Judgement], passed: Sequence[int], packed: Sequence[bytes | None]
) -> pa.Table:
    bands: list[bytes | None] = [None] * len(documents)
    for row, own in zip(passed, packed, strict=True):
        bands[row] = own
    out = [isinstance(judgement, Rejected | Failed) for judgement in judgements]
    rejected = [isinstance(judgement, Rejected) for judgement in judgements]
    columns = {
        "id": [document.id for document in documents],
        "language": [judgement.language for judgement in judgements],
        "detected_by": [detect(document.path, document.content).how for document in documents],
        "stage": _where(out, judgements, "stage"),
        **{name: _where(rejected, judgements, name) for name in ("rule", "measured", "limit", "evidence")},
        "error": _where([gone and not ruled for gone, ruled in zip(out, rejected, strict=True)], judgements, "error"),
        "digest": [bytes.fromhex(document.sha256) for document in documents],
        "bands": bands,
    }
    return pa.table(columns, schema=MEASURES)


def _where(told: Sequence[bool], judgements: Sequence[Judgement], name: str) -> list[Any]:
    return [getattr(judgement, name) if each else None for each, judgement in zip(told, judgements, strict=True)]
