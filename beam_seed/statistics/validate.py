"""Statistics held against a schema: what is missing, of another type, or outside its domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_seed.statistics.collect import EMPTY, INFINITE
from beam_seed.statistics.schema import NON_EMPTY

_SHOWN_VALUES = 5  # unexpected values named in a description
_TYPES = {
    statistics_pb2.FeatureNameStatistics.INT: schema_pb2.INT,
    statistics_pb2.FeatureNameStatistics.FLOAT: schema_pb2.FLOAT,
    statistics_pb2.FeatureNameStatistics.STRING: schema_pb2.BYTES,
    statistics_pb2.FeatureNameStatistics.BYTES: schema_pb2.BYTES,
}


class Anomaly(NamedTuple):
    """One way in which a column is not as the schema says."""

    column: str
    kind: str  # name of an anomalies_pb2.AnomalyInfo.Type
    description: str  # what was found, what was expected


def validate(statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema) -> list[Anomaly]:
    """The anomalies of all datasets in ``statistics``; an empty dataset has none. Columns in the schema's order, unknown ones last."""
    return [anomaly for dataset in statistics.datasets if dataset.num_examples for anomaly in _validate_dataset(dataset, schema)]


def to_proto(anomalies: Sequence[Anomaly], schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    """The anomalies, all of severity ERROR, with the schema they were found by."""
    found = anomalies_pb2.Anomalies(baseline=schema)
    for anomaly in anomalies:
        info = found.anomaly_info[anomaly.column]
        info.path.step[:] = [anomaly.column]
        info.severity = anomalies_pb2.AnomalyInfo.ERROR
        kind = anomalies_pb2.AnomalyInfo.Type.Value(anomaly.kind)
        info.reason.add(type=kind, short_description=anomaly.kind, description=anomaly.description)
        info.description = " ".join(reason.description for reason in info.reason)
        info.short_description = anomaly.kind if len(info.reason) == 1 else "MULTIPLE_REASONS"
    return found


def to_text(message: anomalies_pb2.Anomalies) -> str:
    """The anomalies in protocol buffers' text format, as anomalies.pbtxt holds them."""
    return str(text_format.MessageToString(message))


def _validate_dataset(dataset: statistics_pb2.DatasetFeatureStatistics, schema: schema_pb2.Schema) -> Iterator[Anomaly]:
    found = {feature.path.step[0]: feature for feature in dataset.features}
    for expected in schema.feature:
        name = expected.name
        if name not in found:
            yield Anomaly(name, "SCHEMA_MISSING_COLUMN", f"found no column {name!r}; the schema has it.")
        elif _TYPES.get(found[name].type) != expected.type:
            types = statistics_pb2.FeatureNameStatistics.Type.Name(found[name].type), schema_pb2.FeatureType.Name(expected.type)
            yield Anomaly(name, "UNEXPECTED_DATA_TYPE", f"found values of type {types[0]}; expected {types[1]}.")
        else:
            yield from _validate_presence(found[name], expected)
            yield from _validate_number(found[name], expected)
            yield from _validate_string(found[name], expected)
    for name in sorted(set(found) - {expected.name for expected in schema.feature}):
        yield Anomaly(name, "SCHEMA_NEW_COLUMN", f"found a column {name!r}; the schema has none of this name.")


def _custom(feature: statistics_pb2.FeatureNameStatistics, name: str) -> int:
    return next((int(each.num) for each in feature.custom_stats if each.name == name), 0)


def _validate_presence(feature: statistics_pb2.FeatureNameStatistics, expected: schema_pb2.Feature) -> Iterator[Anomaly]:
    common = feature.num_stats.common_stats if feature.HasField("num_stats") else feature.string_stats.common_stats
    rows = common.num_non_missing + common.num_missing
    if common.num_non_missing < expected.presence.min_fraction * rows:
        share = f"{common.num_missing:,} of {rows:,} values missing; expected a share present of {expected.presence.min_fraction:g}."
        yield Anomaly(expected.name, "FEATURE_TYPE_LOW_FRACTION_PRESENT", f"found {share}")
    empty = _custom(feature, EMPTY)
    if NON_EMPTY in expected.annotation.tag and empty:
        yield Anomaly(expected.name, "CUSTOM_VALIDATION", f"found {empty:,} empty strings; expected none.")


def _validate_number(feature: statistics_pb2.FeatureNameStatistics, expected: schema_pb2.Feature) -> Iterator[Anomaly]:
    kind = expected.WhichOneof("domain_info")
    stats = feature.num_stats
    if kind not in ("int_domain", "float_domain"):
        return
    domain = getattr(expected, kind)
    type_ = "INT_TYPE" if kind == "int_domain" else "FLOAT_TYPE"
    size = "INT" if kind == "int_domain" else "FLOAT"
    # Without a single number min and max are 0 because they are unset, not because a value was 0.
    nan = stats.histograms[0].num_nan if stats.histograms else 0
    if stats.common_stats.num_non_missing > nan:
        if domain.HasField("min") and stats.min < domain.min:
            yield Anomaly(expected.name, f"{type_}_SMALL_{size}", f"found {stats.min:g}; expected at least {domain.min:g}.")
        if domain.HasField("max") and stats.max > domain.max:
            yield Anomaly(expected.name, f"{type_}_BIG_{size}", f"found {stats.max:g}; expected at most {domain.max:g}.")
    if kind == "float_domain" and domain.disallow_nan and nan:
        yield Anomaly(expected.name, "FLOAT_TYPE_HAS_NAN", f"found {nan:,} NaN; expected none.")
    infinite = _custom(feature, INFINITE)
    if kind == "float_domain" and domain.disallow_inf and infinite:
        yield Anomaly(expected.name, "FLOAT_TYPE_HAS_INF", f"found {infinite:,} infinities; expected none.")


def _validate_string(feature: statistics_pb2.FeatureNameStatistics, expected: schema_pb2.Feature) -> Iterator[Anomaly]:
    if expected.WhichOneof("domain_info") != "string_domain":
        return
    stats = feature.string_stats
    known = set(expected.string_domain.value)
    strange = [bucket for bucket in stats.rank_histogram.buckets if bucket.label not in known]
    told = [f"{bucket.label!r} ({bucket.sample_count:,.0f} times)" for bucket in strange[:_SHOWN_VALUES]]
    if len(strange) > _SHOWN_VALUES:
        told.append(f"{len(strange) - _SHOWN_VALUES} more")
    ranked = sum(bucket.sample_count for bucket in stats.rank_histogram.buckets)
    if ranked < stats.common_stats.num_non_missing:
        told.append("values that were not counted one by one")
    if told:
        description = f"found {', '.join(told)}; expected one of the {len(known)} {expected.string_domain.name}."
        yield Anomaly(expected.name, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", description)
