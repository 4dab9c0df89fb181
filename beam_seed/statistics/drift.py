"""How the data of one run differ from those of another: values that are new, shares that moved, columns that are shaped otherwise.

Distances are those of TensorFlow Data Validation's drift comparators: for values, the largest difference of a value's share (L-infinity);
for numbers, the Jensen-Shannon divergence of the histograms, in bits, from 0 (equal) to 1 (nothing in common).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_seed.statistics.validate import validate

# A share that moved by a tenth of all documents, or histograms a tenth of a bit apart, is seen with the bare eye in a plot.
LIMIT = 0.1

# Values that the baseline has not are told in any case; one document in a hundred that has one is drift.
NEW_LIMIT = 0.01

_SHOWN = 5  # values named of those whose shares moved most


Feature: TypeAlias = statistics_pb2.FeatureNameStatistics


class Moved(NamedTuple):
    """A value's share of the rows, before and now."""

    value: str
    before: float
    now: float


class ColumnDrift(NamedTuple):
    """One column, compared."""

    column: str
    measure: str  # 'L-infinity', 'Jensen-Shannon', 'new values' (their share), 'missing' (difference of the shares without a value)
    distance: float
    limit: float
    moved: list[Moved]  # values, largest difference first; for numbers, mean and median


class Drift(NamedTuple):
    """What a run is like, held against a baseline."""

    rows: tuple[int, int]  # before, now
    anomalies: list[dict[str, str]]  # where the run is not as the baseline's schema says: types, missing values, ranges
    columns: list[ColumnDrift]

    @property
    def found(self) -> bool:
        return bool(self.anomalies) or any(column.distance > column.limit for column in self.columns)


def compare(
    now: statistics_pb2.DatasetFeatureStatisticsList,
    baseline: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    limit: float = LIMIT,
) -> Drift:
    """``now`` held against ``baseline`` and the schema of the baseline. Values are compared of columns whose values are told."""
    old, new = ({feature.path.step[0]: feature for feature in each.datasets[0].features} for each in (baseline, now))
    # Values outside the domain are compared with their shares, below.
    anomalies = [anomaly._asdict() for anomaly in validate(now, schema) if anomaly.kind != "ENUM_TYPE_UNEXPECTED_STRING_VALUES"]
    columns = [column for name in sorted(old.keys() & new.keys()) for column in _compare(name, old[name], new[name], limit)]
    return Drift((baseline.datasets[0].num_examples, now.datasets[0].num_examples), anomalies, columns)


def _compare(name: str, old: Feature, new: Feature, limit: float) -> Iterator[ColumnDrift]:
    missing = [_missing(feature) for feature in (old, new)]
    if any(missing):
        yield ColumnDrift(name, "missing", abs(missing[1] - missing[0]), limit, [Moved("missing", *missing)])
    before, now = _shares(old), _shares(new)
    strange = [Moved(value, 0.0, share) for value, share in now.items() if value not in before]
    if before and strange:
        strange.sort(key=lambda each: (-each.now, each.value))
        yield ColumnDrift(name, "new values", sum(each.now for each in strange), NEW_LIMIT, strange[:_SHOWN])
    if before and now:
        moved = [Moved(value, before.get(value, 0.0), now.get(value, 0.0)) for value in before.keys() | now.keys()]
        moved.sort(key=lambda each: (-abs(each.now - each.before), each.value))
        yield ColumnDrift(name, "L-infinity", abs(moved[0].now - moved[0].before), limit, moved[:_SHOWN])
    elif old.HasField("num_stats") and new.HasField("num_stats"):
        mean, median = ([getattr(each.num_stats, figure) for each in (old, new)] for figure in ("mean", "median"))
        distance = jensen_shannon(_histogram(old), _histogram(new))
        yield ColumnDrift(name, "Jensen-Shannon", distance, limit, [Moved("mean", *mean), Moved("median", *median)])


def _missing(feature: Feature) -> float:
    common = (feature.num_stats if feature.HasField("num_stats") else feature.string_stats).common_stats
    rows = common.num_missing + common.num_non_missing
    return common.num_missing / rows if rows else 0.0


def _shares(feature: Feature) -> dict[str, float]:
    """Shares of the values that are told; none where they are not, or not all."""
    buckets = feature.string_stats.rank_histogram.buckets
    total = sum(bucket.sample_count for bucket in buckets)
    return {bucket.label: bucket.sample_count / total for bucket in buckets} if total else {}


def _histogram(feature: Feature) -> dict[tuple[float, float], float]:
    # Our bins have the same edges in every run.
    buckets = feature.num_stats.histograms[0].buckets if feature.num_stats.histograms else []
    return {(bucket.low_value, bucket.high_value): bucket.sample_count for bucket in buckets if bucket.sample_count}


def jensen_shannon(one: Mapping[tuple[float, float], float], other: Mapping[tuple[float, float], float]) -> float:
    """Divergence of two histograms, in bits; 0 where both are empty, 1 where one is."""
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        return float(any(totals))
    divergence = 0.0
    for place in one.keys() | other.keys():
        shares = one.get(place, 0.0) / totals[0], other.get(place, 0.0) / totals[1]
        middle = sum(shares) / 2
        divergence += sum(share * math.log2(share / middle) for share in shares if share) / 2
    return max(divergence, 0.0)
