"""The verdict on every page, from what was measured: duplicates, its category's threshold, its category's sample. No text is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import pyarrow as pa

from beam_seed.curation.datasets import DUPLICATES, read_table, shard_path
from beam_seed.curation.decide import Kept, duplicate_fate, rejection, write_verdicts
from beam_seed.decontamination.judge import CONTAMINATED, contamination_fate
from beam_seed.packing import unpack_tables
from beam_seed.quality.threshold import STEPS, ScoreHistogram
from beam_seed.web.categories import Policy, Table
from beam_seed.web.job import VARIANT
from beam_seed.web.sampling import RANGE, draw, sampling_rates

VERDICTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field(VARIANT, pa.bool_(), nullable=False),  # in the corpus
        pa.field("category", pa.string(), nullable=False),
        pa.field("detected_by", pa.string(), nullable=False),
        pa.field("relevance", pa.float32()),
        pa.field("quality", pa.float32()),
        pa.field("sampling_rate", pa.float64(), nullable=False),  # of the category
        pa.field("cluster_size", pa.int32(), nullable=False),
    ]
)


class Limits(NamedTuple):
    """What a run's pages are decided by."""

    thresholds: Mapping[str, float]  # category -> score from which on a page passes; none where nothing was scored
    rates: Mapping[str, Fraction]  # category -> share of what passes that is taken


class _Shard:
    """Everything measured of one shard's pages, row by row."""

    def __init__(self, root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes]):
        self.documents = read_table(shard_path(root, "documents", number), ["id", "source", "repo", "path", "size"]).to_pylist()
        columns = ["category", "detected_by", "relevance", "stage", "rule", "measured", "limit", "evidence"]
        self.measures = read_table(shard_path(root, "measures", number), columns).to_pylist()
        self.duplicates = {row["start"]: row for row in unpack_tables(duplicates, DUPLICATES).to_pylist()}
        self.quality = {row["row"]: row for row in read_table(shard_path(root, "quality", number)).to_pylist()}
        self.contaminated = {row["row"]: row for row in unpack_tables(contaminated, CONTAMINATED).to_pylist()}

    def early_fate(self, row: int, near_threshold: float) -> dict[str, Any] | None:
        """What dropped the page before its score was looked at."""
        measures, duplicate = self.measures[row], self.duplicates.get(row)
        if measures["stage"] is not None:
            return {name: measures[name] for name in ("stage", "rule", "measured", "limit", "evidence")}
        if duplicate is not None and duplicate["rule"] != "kept":
            return duplicate_fate(duplicate, near_threshold)
        if row in self.contaminated:
            return contamination_fate(self.contaminated[row])
        if row in self.quality and self.quality[row]["error"] is not None:
            return {"stage": "quality", "error": self.quality[row]["error"]}
        return None

    def score(self, row: int) -> float | None:
        """None where nothing was scored."""
        return self.quality[row]["quality"] if row in self.quality else None

    def cluster_size(self, row: int) -> int:
        duplicate = self.duplicates.get(row)
        return duplicate["size"] if duplicate is not None and duplicate["rule"] == "kept" else 1


def score_histogram(root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes], near_threshold: float) -> bytes:
    """Packed ScoreHistogram, by category, of a shard's pages that deduplication left; without scores, of missing ones."""
    shard = _Shard(root, number, duplicates, contaminated)
    scores: dict[str, list[float | None]] = {}
    for row, measures in enumerate(shard.measures):
        if shard.early_fate(row, near_threshold) is None:
            scores.setdefault(measures["category"], []).append(shard.score(row))
    histogram = ScoreHistogram()
    for category, own in sorted(scores.items()):
        histogram.add(own, group=category)
    return histogram.to_bytes()


def limits_of(table: Table, packed: bytes) -> Limits:
    """The limits that a table sets for the pages counted in a packed ScoreHistogram. Raises ValueError where a target mix is infeasible."""
    histogram = ScoreHistogram.from_bytes(packed)
    found = {category: _threshold(policy, histogram, category) for category, policy in table.policies.items()}
    thresholds = {category: threshold for category, threshold in found.items() if threshold is not None}
    passed = {
        category: histogram.total(category) + histogram.missing(category) - histogram.below(thresholds.get(category, 0.0), category)
        for category in table.policies
    }
    return Limits(thresholds, sampling_rates(table, passed))


def _threshold(policy: Policy, histogram: ScoreHistogram, category: str) -> float | None:
    if policy.threshold is not None:
        return math.ceil(policy.threshold * STEPS) / STEPS  # the histogram counts in these steps, and its counts must be exact
    return histogram.threshold(policy.drop_lowest or 0.0, category)


def decide_shard(
    root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes], near_threshold: float, limits: Limits
) -> list[Kept]:
    """Write a shard's ``verdicts/``, ``rejected/`` and ``failed/``; returns what it has in the corpus.

    duplicates, contaminated: packed DUPLICATES and CONTAMINATED of the shard.
    """
    shard = _Shard(root, number, duplicates, contaminated)
    documents = [document | {"language": measures["category"]} for document, measures in zip(shard.documents, shard.measures, strict=True)]
    fates = [
        shard.early_fate(row, near_threshold) or category_fate(document["id"], shard.measures[row]["category"], shard.score(row), limits)
        for row, document in enumerate(documents)
    ]
    verdicts = [_verdict(shard, row, fate, limits) for row, fate in enumerate(fates)]
    table = pa.Table.from_pylist(verdicts, schema=VERDICTS)
    return write_verdicts(root, number, documents, [{VARIANT: fate} for fate in fates], table, (VARIANT,))


def category_fate(identity: str, category: str, score: float | None, limits: Limits) -> dict[str, Any] | None:
    """What a page's category drops it for, its threshold first, then its sampling rate; None where the page is kept.

    identity: id of the page. score: from 0 to 1; None where it has none, then no threshold applies.
    """
    told = json.dumps({"category": category})
    threshold = limits.thresholds.get(category)
    if score is not None and threshold is not None and score < threshold:
        return rejection("quality", "low-quality", score, threshold, told)
    drawn, rate = draw(identity), limits.rates[category]
    if drawn >= rate * RANGE:
        return rejection("sampling", "not-sampled", drawn / RANGE, float(rate), told)
    return None


def _verdict(shard: _Shard, row: int, fate: dict[str, Any] | None, limits: Limits) -> dict[str, Any]:
    measures = shard.measures[row]
    return {
        "id": shard.documents[row]["id"],
        VARIANT: fate is None,
        "quality": shard.score(row),
        "sampling_rate": float(limits.rates[measures["category"]]),
        "cluster_size": shard.cluster_size(row),
    } | {name: measures[name] for name in ("category", "detected_by", "relevance")}
