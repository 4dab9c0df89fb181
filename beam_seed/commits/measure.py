"""What is measured of samples: the digests and bands their duplicates are found by, and what further judges say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from beam_seed import metrics
from beam_seed.commits.datasets import SAMPLE_MEASURES
from beam_seed.curation.datasets import PIECES, read_groups, shard_path, write_batches, write_table
from beam_seed.judge import Judge, judge_in_turn
from beam_seed.near_dedup.lsh import Bands, packed_bands
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle
from beam_seed.records import Document, Failed, Judgement, Rejected

DECONTAMINATION = "decontamination"


def measure_shard(root: str, number: int, bands: Bands, judges: Sequence[Judge]) -> None:
    """Write ``measures/`` of a shard, and an empty ``repositories/``: commits are deduplicated one by one, not by repository.

    The digest is that of the patch's id, so equal patches are exact duplicates wherever they apply; the bands are of the target's text.
    """
    write_batches(shard_path(root, "measures", number), SAMPLE_MEASURES, _measured(root, number, bands, judges))
    write_table(shard_path(root, "repositories", number), PIECES.empty_table())


def _measured(root: str, number: int, bands: Bands, judges: Sequence[Judge]) -> Iterator[pa.Table]:
    for _, table in read_groups(shard_path(root, "documents", number), [*Document._fields, "prompt", "patch_id"]):
        rows = table.to_pylist()
        judgements = _judge(rows, judges)
        kept = [row for row, judgement in enumerate(judgements) if not isinstance(judgement, Rejected | Failed)]
        signatures = sign(shingle([rows[row]["content"].encode() for row in kept]), bands.num_perm)
        packed: list[bytes | None] = [None] * len(rows)
        for row, own in zip(kept, packed_bands(signatures, bands), strict=True):
            packed[row] = own
        digests = [hashlib.sha256(row["patch_id"].encode()).digest() for row in rows]
        told = [_told(judgement) for judgement in judgements]
        columns = [
            {"id": row["id"], "digest": digest, "bands": each} | fields
            for row, digest, each, fields in zip(rows, digests, packed, told, strict=True)
        ]
        yield pa.Table.from_pylist(columns, schema=SAMPLE_MEASURES)


def _judge(rows: Sequence[dict[str, Any]], judges: Sequence[Judge]) -> list[Judgement]:
    """Judges are given whole samples, prompt and target."""
    samples = [Document(**{name: row[name] for name in Document._fields} | {"content": row["prompt"] + row["content"]}) for row in rows]
    judgements = judge_in_turn([(judge, DECONTAMINATION) for judge in judges], samples)
    metrics.count_judgements("measures", samples, judgements)
    return judgements


def _told(judgement: Judgement) -> dict[str, Any]:
    if isinstance(judgement, Rejected):
        return {name: getattr(judgement, name) for name in ("stage", "rule", "measured", "limit", "evidence")}
    return {"stage": judgement.stage, "error": judgement.error} if isinstance(judgement, Failed) else {}
