"""Statistics of a dataset, table by table, as tensorflow-metadata protocol buffers: mergeable, bounded, order does not matter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_seed.statistics.numbers import Numbers
from beam_seed.statistics.schema import feature_type

# Distinct values are kept, and counted exactly, up to these bounds together; then only "more than that many" is known.
MAX_DISTINCT = 10_000
MAX_DISTINCT_BYTES = 1 << 20

TOP_VALUES = 20  # as many as TensorFlow Data Validation shows
RANKED_VALUES = 1000  # as many as it ranks; holds every language, licence and scorer

# Custom statistics, where the protocol buffer has no field of its own.
UNIQUE_AT_LEAST = "unique_at_least"  # there are more distinct values than were counted
EMPTY = "num_empty"  # strings that are ''
INFINITE = "num_infinite"


@dataclass
class Strings:
    """Statistics of a string or bytes column."""

    bytes: int = 0
    longest: int = 0
    empty: int = 0
    values: dict[str, int] | None = field(default_factory=dict)  # None = too many distinct ones

    def add(self, column: Any) -> None:
        lengths: Any = pc.binary_length(column)
        self.bytes += pc.sum(lengths).as_py() or 0
        self.longest = max(self.longest, pc.max(lengths).as_py() or 0)
        self.empty += pc.sum(pc.equal(lengths, pa.scalar(0, lengths.type))).as_py() or 0
        if self.values is not None:
            counted = pc.value_counts(column)
            distinct_bytes = pc.sum(pc.binary_length(counted.field("values"))).as_py() or 0
            if len(counted) > MAX_DISTINCT or distinct_bytes > MAX_DISTINCT_BYTES:
                self.values = None
            else:
                self.values = _merged(self.values, {_text(each["values"]): each["counts"] for each in counted.to_pylist()})

    def merge(self, other: Strings) -> None:
        self.bytes += other.bytes
        self.longest = max(self.longest, other.longest)
        self.empty += other.empty
        self.values = None if self.values is None or other.values is None else _merged(self.values, other.values)


@dataclass
class Column:
    """Statistics of one column."""

    type: int  # schema_pb2.FeatureType
    present: int = 0
    missing: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    strings: Strings = field(default_factory=Strings)

    def add(self, column: Any) -> None:
        values = column.drop_null()
        self.present += len(values)
        self.missing += column.null_count
        if self.type == schema_pb2.BYTES:
            self.strings.add(values)
        else:
            self.numbers.add(values.cast(pa.int64() if self.type == schema_pb2.INT else pa.float64()).to_numpy())

    def merge(self, other: Column) -> None:
        self.present += other.present
        self.missing += other.missing
        self.numbers.merge(other.numbers)
        self.strings.merge(other.strings)


@dataclass
class Statistics:
    """Statistics of the tables added so far."""

    rows: int = 0
    columns: dict[str, Column] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Count a table's rows. Raises ValueError where a column's type is not the one it had before, or has no counterpart."""
        self.rows += table.num_rows
        for name in table.column_names:
            self._column(name, feature_type(table.schema.field(name).type)).add(table[name])

    def merge(self, other: Statistics) -> Statistics:
        """Add ``other`` to these statistics and return them; associative and commutative."""
        self.rows += other.rows
        for name, column in other.columns.items():
            self._column(name, column.type).merge(column)
        return self

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal statistics give equal bytes."""
        columns = {
            name: {"type": c.type, "present": c.present, "missing": c.missing, "numbers": c.numbers.to_json(), "strings": vars(c.strings)}
            for name, c in self.columns.items()
        }
        return json.dumps({"rows": self.rows, "columns": columns}, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Statistics:
        value = json.loads(data)
        columns = {
            name: Column(**{**own, "numbers": Numbers.from_json(own["numbers"]), "strings": Strings(**own["strings"])})
            for name, own in value["columns"].items()
        }
        return cls(value["rows"], columns)

    def to_proto(self, dataset: str, categorical: Sequence[str] = ()) -> statistics_pb2.DatasetFeatureStatisticsList:
        """The statistics of ``dataset``, columns by name. Values are told of the ``categorical`` string columns only."""
        found = statistics_pb2.DatasetFeatureStatisticsList()
        own = found.datasets.add(name=dataset, num_examples=self.rows)
        for name in sorted(self.columns):
            column = self.columns[name]
            feature = own.features.add()
            feature.path.step.append(name)
            if column.type == schema_pb2.BYTES:
                feature.type = statistics_pb2.FeatureNameStatistics.STRING
                _tell_strings(feature, column, name in categorical)
            else:
                integer = column.type == schema_pb2.INT
                feature.type = statistics_pb2.FeatureNameStatistics.INT if integer else statistics_pb2.FeatureNameStatistics.FLOAT
                _tell_numbers(feature, column)
        return found

    def _column(self, name: str, type_: int) -> Column:
        column = self.columns.setdefault(name, Column(type_))
        if column.type != type_:
            names = [schema_pb2.FeatureType.Name(each) for each in (type_, column.type)]
            raise ValueError(f"found column {name!r} as {names[0]} in one table and {names[1]} in another; expected one type")
        return column


def to_text(message: statistics_pb2.DatasetFeatureStatisticsList) -> str:
    """The statistics in protocol buffers' text format, as statistics.pbtxt holds them."""
    return str(text_format.MessageToString(message))


def _tell_common(common: statistics_pb2.CommonStatistics, column: Column) -> None:
    common.num_non_missing = common.tot_num_values = column.present
    common.num_missing = column.missing
    if column.present:
        common.min_num_values = common.max_num_values = 1
        common.avg_num_values = 1.0


def _tell_strings(feature: statistics_pb2.FeatureNameStatistics, column: Column, categorical: bool) -> None:
    told, strings = feature.string_stats, column.strings
    _tell_common(told.common_stats, column)
    told.avg_length = strings.bytes / column.present if column.present else 0.0  # of the UTF-8 bytes
    feature.custom_stats.add(name="max_length", num=strings.longest)
    feature.custom_stats.add(name=EMPTY, num=strings.empty)
    if strings.values is None:
        feature.custom_stats.add(name=UNIQUE_AT_LEAST, num=MAX_DISTINCT)
        return
    told.unique = len(strings.values)
    if categorical:
        ranked = sorted(strings.values.items(), key=lambda item: (-item[1], item[0]))
        for value, frequency in ranked[:TOP_VALUES]:
            told.top_values.add(value=value, frequency=frequency)
        for rank, (value, frequency) in enumerate(ranked[:RANKED_VALUES]):
            told.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=frequency)


def _tell_numbers(feature: statistics_pb2.FeatureNameStatistics, column: Column) -> None:
    told, numbers = feature.num_stats, column.numbers
    _tell_common(told.common_stats, column)
    told.mean, told.std_dev, told.median = numbers.mean(), numbers.std_dev(), numbers.median()
    told.num_zeros = numbers.zeros
    if numbers.low is not None and numbers.high is not None:
        told.min, told.max = numbers.low, numbers.high
    if numbers.infinite:
        feature.custom_stats.add(name=INFINITE, num=numbers.infinite)
    histogram = told.histograms.add(num_nan=numbers.nan)
    for low, high, count in numbers.histogram(shares=column.type == schema_pb2.FLOAT):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=count)


def _merged(one: dict[str, int], other: dict[str, int]) -> dict[str, int] | None:
    merged = dict(one)
    for value, count in other.items():
        merged[value] = merged.get(value, 0) + count
    # Both bounds only ever grow with the set of distinct values, so the result does not depend on the order of merging.
    too_many = len(merged) > MAX_DISTINCT or sum(len(value.encode("utf-8", "surrogatepass")) for value in merged) > MAX_DISTINCT_BYTES
    return None if too_many else merged


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()
