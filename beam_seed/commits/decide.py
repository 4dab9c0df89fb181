"""The verdict on every sample, from what was measured; and the rows of the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.commits.datasets import COMMITS, CORPUS, SAMPLE_VERDICTS
from beam_seed.curation.datasets import DUPLICATES, read_table, shard_path
from beam_seed.curation.decide import Kept, duplicate_fate, measured_fate, quality_fate, write_verdicts
from beam_seed.packing import unpack_tables
from beam_seed.quality.threshold import ScoreHistogram

(VARIANT,) = COMMITS.variants


class Limits(NamedTuple):
    """What the verdicts are decided by."""

    near_threshold: float  # Jaccard
    drop_lowest: float  # share of the commits


class _Shard:
    """What was measured of one shard's samples."""

    def __init__(self, root: str, number: int, packed: Iterable[bytes]):
        self.measures = read_table(shard_path(root, "measures", number)).to_pylist()
        duplicates = unpack_tables(packed, DUPLICATES).to_pylist()
        self.duplicates = {row["start"]: row for row in duplicates if row["kind"] == "file"}
        self.quality = {row["row"]: row for row in read_table(shard_path(root, "quality", number)).to_pylist()}

    def dropped(self, row: int) -> dict[str, Any] | None:
        found = self.duplicates.get(row)
        return found if found is not None and found["rule"] != "kept" else None

    def cluster_size(self, row: int) -> int:
        found = self.duplicates.get(row)
        return found["size"] if found is not None and found["rule"] == "kept" else 1

    def scored(self) -> list[float]:
        """The quality of the samples that nothing but quality can drop."""
        return [each["quality"] for row, each in sorted(self.quality.items()) if each["quality"] is not None and not self.dropped(row)]


def score_histogram(root: str, number: int, packed: Iterable[bytes]) -> bytes:
    """Packed :class:`ScoreHistogram` of a shard's samples."""
    scores = _Shard(root, number, packed).scored()
    histogram = ScoreHistogram()
    histogram.add(scores, [1] * len(scores), "")
    return histogram.to_bytes()


def decide_shard(root: str, number: int, packed: Iterable[bytes], threshold: float | None, limits: Limits) -> list[Kept]:
    """Write a shard's ``verdicts/``, ``rejected/`` and ``failed/``; returns what it has left."""
    shard = _Shard(root, number, packed)
    documents = read_table(shard_path(root, "documents", number), ["id", "source", "repo", "path", "size", "language"]).to_pylist()
    fates = [{VARIANT: _fate(shard, row, threshold, limits)} for row in range(len(documents))]
    columns = {
        "id": [document["id"] for document in documents],
        VARIANT: [fate[VARIANT] is None for fate in fates],
        "cluster_size": [shard.cluster_size(row) for row in range(len(documents))],
        "quality": [shard.quality.get(row, {}).get("quality") for row in range(len(documents))],
    }
    verdicts = pa.table(columns, schema=SAMPLE_VERDICTS)
    return write_verdicts(root, number, documents, fates, verdicts, COMMITS.variants)


def _fate(shard: _Shard, row: int, threshold: float | None, limits: Limits) -> dict[str, Any] | None:
    measured, duplicate = measured_fate(shard.measures[row]), shard.dropped(row)
    if measured is not None:
        return measured
    if duplicate is not None:
        return duplicate_fate(duplicate, limits.near_threshold)
    return quality_fate(shard.quality.get(row), threshold, {"drop_lowest": limits.drop_lowest})


def corpus_rows(documents: pa.Table, verdicts: pa.Table, variant: str, scorer: str) -> pa.Table:
    """The rows of the corpus. ``scorer``: fingerprint of the model, '' where nothing was scored."""
    prompts, targets = documents["prompt"].to_pylist(), documents["content"].to_pylist()
    columns: Mapping[str, Any] = {name: documents[name] for name in documents.column_names if name in CORPUS.names} | {
        "content": pa.array([prompt + target for prompt, target in zip(prompts, targets, strict=True)], pa.large_string()),
        "language": pc.if_else(pc.equal(documents["language"], ""), None, documents["language"]),
        "target_offset": pa.array(list(map(len, prompts)), pa.int64()),
        "cluster_id": documents["id"],
        "cluster_size": verdicts["cluster_size"],
        "quality": verdicts["quality"],
        "scorer": pa.array([scorer] * len(documents), pa.string()),
    }
    return pa.table({name: columns[name] for name in CORPUS.names}, schema=CORPUS)
