import json
import math
import statistics as standard
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_seed.statistics import collect, validate
from beam_seed.statistics.collect import MAX_DISTINCT, Statistics
from beam_seed.statistics.numbers import Numbers, bin_edges
from beam_seed.statistics.schema import corpus_schema, from_text, to_text

unhurried = settings(max_examples=50, deadline=None)  # the machine may be busy

COLUMNS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("content", pa.large_string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("stars", pa.int64()),
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("quality", pa.float32()),
    ]
)
LANGUAGES = ["C", "Python", "reStructuredText"]
SCHEMA = corpus_schema(COLUMNS, LANGUAGES)
GOOD = {
    "id": "a" * 32,
    "path": "a.py",
    "content": "x = 1\n",
    "language": "Python",
    "size": 6,
    "stars": None,
    "cluster_size": 1,
    "quality": 0.5,
}

values = st.lists(st.one_of(st.none(), st.floats(width=64)), max_size=30)
integers = st.lists(st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=30)
texts = st.lists(
    st.one_of(st.none(), st.sampled_from(["", "a", "b", "ü", "\0", "<b>"]), st.text(st.characters(exclude_categories=["Cs"]))), max_size=20
)


def of(*rows, schema=COLUMNS):
    found = Statistics()
    found.add(pa.Table.from_pylist(list(rows), schema=schema))
    return found


def feature(found, name, categorical=()):
    return next(f for f in found.to_proto("d", categorical).datasets[0].features if f.path.step[0] == name)


def kinds(*rows, schema=COLUMNS):
    anomalies = validate.validate(of(*rows, schema=schema).to_proto("d", ["language"]), SCHEMA)
    return [(anomaly.column, anomaly.kind) for anomaly in anomalies]


class TestSchema:
    def test_types_presence_and_domains(self):
        own = {f.name: f for f in SCHEMA.feature}
        assert list(own) == COLUMNS.names
        assert [own[n].type for n in ("id", "content", "size", "cluster_size", "quality")] == [
            schema_pb2.BYTES,
            schema_pb2.BYTES,
            schema_pb2.INT,
            schema_pb2.INT,
            schema_pb2.FLOAT,
        ]
        assert own["id"].presence.min_fraction == 1
        assert not own["stars"].HasField("presence")
        assert list(own["language"].string_domain.value) == LANGUAGES
        assert (own["quality"].float_domain.min, own["quality"].float_domain.max) == (0, 1)
        assert own["size"].int_domain.min == 0
        assert own["cluster_size"].int_domain.min == 1

    def test_text_parses_back(self):
        assert from_text(to_text(SCHEMA)) == SCHEMA
        assert text_format.Parse(to_text(SCHEMA), schema_pb2.Schema()) == SCHEMA

    def test_a_type_without_counterpart_is_an_error(self):
        with pytest.raises(ValueError, match="found a column of type list"):
            corpus_schema(pa.schema([("x", pa.list_(pa.int64()))]), [])


class TestNumbers:
    @unhurried
    @given(values)
    def test_floats_against_the_standard_library(self, given_values):
        found = of(*({"x": v} for v in given_values), schema=pa.schema([("x", pa.float64())]))
        told = feature(found, "x").num_stats
        finite = [v for v in given_values if v is not None and math.isfinite(v)]
        assert told.common_stats.num_missing == given_values.count(None)
        assert told.histograms[0].num_nan == sum(1 for v in given_values if v is not None and math.isnan(v))
        if finite:
            exact = [Fraction(v) for v in finite]
            mean = sum(exact) / len(exact)
            assert told.mean == float(mean)
            assert told.num_zeros == finite.count(0)
            variance = sum((v - mean) ** 2 for v in exact) / len(exact)
            # Rational arithmetic throughout: the square of a double overflows. Below 1e-300 a double has few bits left.
            assert abs(Fraction(told.std_dev) ** 2 - variance) <= max(variance / 10**12, Fraction(1, 10**600))
        known = [v for v in given_values if v is not None and not math.isnan(v)]
        if known:
            assert (told.min, told.max) == (min(known), max(known))
        assert sum(b.sample_count for b in told.histograms[0].buckets) == len(finite)

    @unhurried
    @given(integers)
    def test_integers_are_exact(self, given_values):
        found = of(*({"x": v} for v in given_values), schema=pa.schema([("x", pa.int64())])).columns["x"].numbers
        known = [v for v in given_values if v is not None]
        assert found.total == sum(known)
        assert found.squares == sum(v * v for v in known)

    def test_against_numpy_on_realistic_data(self):
        random = np.random.default_rng(3)
        sizes = np.exp(random.normal(8, 2, 50_000)).astype(np.int64)
        scores = random.beta(4, 2, 50_000).astype(np.float32)
        found = Statistics()
        found.add(pa.table({"size": sizes, "quality": scores}))
        size, quality = feature(found, "size").num_stats, feature(found, "quality").num_stats
        assert size.mean == pytest.approx(sizes.mean(), rel=1e-12)
        assert size.std_dev == pytest.approx(sizes.std(), rel=1e-9)
        assert size.median == pytest.approx(np.median(sizes), rel=1 / 16)
        assert quality.mean == pytest.approx(scores.astype(np.float64).mean(), rel=1e-12)
        assert quality.median == pytest.approx(np.median(scores), rel=1 / 16)
        counts, edges = np.histogram(scores.astype(np.float64), bins=50, range=(0, 1))
        assert [b.sample_count for b in quality.histograms[0].buckets] == counts.tolist()
        assert [b.low_value for b in quality.histograms[0].buckets] == pytest.approx(edges[:-1].tolist())

    @unhurried
    @given(st.floats(-1e308, 1e308))
    def test_a_value_lies_between_its_bins_edges(self, value):
        found = Numbers()
        found.add(np.array([value]))
        (number,) = found.bins
        low, high = bin_edges(number)
        assert low <= value <= high
        assert high - low <= max(abs(value) / 8 * 1.01, 5e-324 * 16)

    def test_octaves_of_sizes(self):
        found = of(*({"x": v} for v in [0, 1, 2, 3, 4, 1023, 1024]), schema=pa.schema([("x", pa.int64())]))
        buckets = [(b.low_value, b.high_value, b.sample_count) for b in feature(found, "x").num_stats.histograms[0].buckets]
        assert buckets == [(0, 0, 1), (1, 2, 1), (2, 4, 2), (4, 8, 1), (512, 1024, 1), (1024, 2048, 1)]

    def test_negative_values_mirror(self):
        found = of(*({"x": v} for v in [-5, -4, 4, 5]), schema=pa.schema([("x", pa.int64())]))
        buckets = [(b.low_value, b.high_value, b.sample_count) for b in feature(found, "x").num_stats.histograms[0].buckets]
        assert buckets == [(-8, -4, 2), (4, 8, 2)]


class TestStrings:
    @unhurried
    @given(texts)
    def test_against_plain_python(self, given_values):
        found = of(*({"x": v} for v in given_values), schema=pa.schema([("x", pa.string())]))
        told = feature(found, "x", ["x"])
        known = [v for v in given_values if v is not None]
        assert told.string_stats.unique == len(set(known))
        assert told.string_stats.common_stats.num_missing == len(given_values) - len(known)
        if known:
            assert told.string_stats.avg_length == pytest.approx(standard.mean(len(v.encode()) for v in known))
        assert {b.label: b.sample_count for b in told.string_stats.rank_histogram.buckets} == {v: known.count(v) for v in known}

    def test_many_distinct_values_are_at_least_so_many(self):
        found = Statistics()
        found.add(pa.table({"x": [str(i) for i in range(MAX_DISTINCT)]}))
        assert feature(found, "x").string_stats.unique == MAX_DISTINCT
        found.add(pa.table({"x": ["one more"]}))
        told = feature(found, "x")
        assert {c.name: c.num for c in told.custom_stats}[collect.UNIQUE_AT_LEAST] == MAX_DISTINCT
        assert told.string_stats.unique == 0

    def test_long_values_are_not_held(self):
        found = Statistics()
        found.add(pa.table({"x": [str(i) * 1_000_000 for i in range(3)]}))
        assert found.columns["x"].strings.values is None
        assert len(found.to_bytes()) < 1000

    def test_values_are_told_of_categorical_columns_only(self):
        assert not feature(of(GOOD), "content").string_stats.top_values
        assert feature(of(GOOD), "language", ["language"]).string_stats.top_values[0].value == "Python"


tables = st.lists(
    st.lists(
        st.fixed_dictionaries(
            {
                "s": texts.map(lambda t: t[0] if t else None),
                "i": st.one_of(st.none(), st.integers(-9, 1 << 40)),
                "f": st.one_of(st.none(), st.floats()),
            }
        ),
        max_size=6,
    ),
    max_size=4,
)
MERGED = pa.schema([("s", pa.string()), ("i", pa.int64()), ("f", pa.float64())])


class TestMerge:
    @unhurried
    @given(tables, st.randoms(use_true_random=False))
    def test_order_and_partition_do_not_matter(self, parts, random):
        whole = of(*[row for part in parts for row in part], schema=MERGED)
        shuffled = list(parts)
        random.shuffle(shuffled)
        merged = Statistics()
        for part in shuffled:
            merged.merge(Statistics.from_bytes(of(*part, schema=MERGED).to_bytes()))
        merged.merge(of(schema=MERGED))
        assert merged.to_bytes() == whole.to_bytes()
        assert merged.to_proto("d", ["s"]) == whole.to_proto("d", ["s"])

    def test_a_column_of_two_types_is_an_error(self):
        with pytest.raises(ValueError, match="'x' as BYTES in one table and INT in another"):
            Statistics.from_bytes(of({"x": 1}, schema=pa.schema([("x", pa.int64())])).to_bytes()).add(pa.table({"x": ["a"]}))

    def test_protocol_buffers_parse_back(self):
        found = of(GOOD, GOOD | {"path": '"\n\u202e<script>'}).to_proto("corpora/file_level", ["language"])
        assert text_format.Parse(collect.to_text(found), statistics_pb2.DatasetFeatureStatisticsList()) == found
        assert statistics_pb2.DatasetFeatureStatisticsList.FromString(found.SerializeToString()) == found

    def test_state_is_json(self):
        assert json.loads(of(GOOD).to_bytes())["rows"] == 1


class TestValidate:
    def test_a_good_row(self):
        assert kinds(GOOD, GOOD | {"quality": None, "stars": 7}) == []

    def test_no_rows(self):
        assert kinds() == []
        assert validate.validate(Statistics().to_proto("d"), SCHEMA) == []

    @pytest.mark.parametrize(
        ("column", "value", "kind"),
        [
            ("language", "Klingon", "ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
            ("size", -1, "INT_TYPE_SMALL_INT"),
            ("cluster_size", 0, "INT_TYPE_SMALL_INT"),
            ("stars", -3, "INT_TYPE_SMALL_INT"),
            ("quality", 1.5, "FLOAT_TYPE_BIG_FLOAT"),
            ("quality", -0.5, "FLOAT_TYPE_SMALL_FLOAT"),
            ("quality", float("nan"), "FLOAT_TYPE_HAS_NAN"),
            ("path", "", "CUSTOM_VALIDATION"),
        ],
    )
    def test_one_bad_value_among_good_ones(self, column, value, kind):
        assert kinds(GOOD, GOOD | {column: value}, GOOD) == [(column, kind)]

    def test_an_infinite_score(self):
        found = kinds(GOOD, GOOD | {"quality": math.inf})
        assert found == [("quality", "FLOAT_TYPE_BIG_FLOAT"), ("quality", "FLOAT_TYPE_HAS_INF")]

    def test_a_missing_value(self):
        columns = pa.schema([field.with_nullable(True) for field in COLUMNS])
        assert kinds(GOOD, GOOD | {"id": None}, schema=columns) == [("id", "FEATURE_TYPE_LOW_FRACTION_PRESENT")]

    def test_columns_missing_new_and_of_another_type(self):
        fields = [field for field in COLUMNS if field.name not in ("size", "path")]
        columns = pa.schema([*fields, pa.field("size", pa.string()), pa.field("surprise", pa.int64())])
        row = {name: value for name, value in GOOD.items() if name != "path"} | {"size": "6", "surprise": 1}
        assert kinds(row, schema=columns) == [
            ("path", "SCHEMA_MISSING_COLUMN"),
            ("size", "UNEXPECTED_DATA_TYPE"),
            ("surprise", "SCHEMA_NEW_COLUMN"),
        ]

    def test_uncounted_languages_are_unexpected(self):
        rows = [GOOD | {"language": f"L{number}"} for number in range(MAX_DISTINCT + 1)]
        assert kinds(*rows) == [("language", "ENUM_TYPE_UNEXPECTED_STRING_VALUES")]

    def test_description_names_found_and_expected(self):
        anomalies = validate.validate(of(GOOD | {"language": "<Klingon>"}).to_proto("d", ["language"]), SCHEMA)
        assert anomalies[0].description == "found '<Klingon>' (1 times); expected one of the 3 languages."

    def test_anomalies_as_protocol_buffers(self):
        found = validate.validate(of(GOOD | {"quality": math.inf, "size": -1}).to_proto("d", ["language"]), SCHEMA)
        message = validate.to_proto(found, SCHEMA)
        assert set(message.anomaly_info) == {"quality", "size"}
        assert [reason.short_description for reason in message.anomaly_info["quality"].reason] == [
            "FLOAT_TYPE_BIG_FLOAT",
            "FLOAT_TYPE_HAS_INF",
        ]
        assert message.anomaly_info["size"].severity == anomalies_pb2.AnomalyInfo.ERROR
        assert text_format.Parse(validate.to_text(message), anomalies_pb2.Anomalies()) == message
