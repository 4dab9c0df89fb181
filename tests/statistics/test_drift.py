"""Drift: nothing where nothing changed; new values, moved shares, other shapes and missing columns are found."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon

from beam_seed.statistics.collect import Statistics
from beam_seed.statistics.drift import Drift, compare, jensen_shannon
from beam_seed.statistics.schema import corpus_schema

SCHEMA = pa.schema(
    [
        pa.field("language", pa.string()),
        pa.field("license", pa.string()),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("quality", pa.float32()),
    ]
)
CATEGORICAL = ("language", "license")


def table(
    scale: float = 1.0, languages: tuple[str | None, ...] = ("C", "Go"), licenses: tuple[str, ...] = ("MIT", "BSD"), rows: int = 400
) -> pa.Table:
    numbers = np.random.default_rng(1)
    return pa.table(
        {
            "language": [languages[n % len(languages)] for n in range(rows)],
            "license": [licenses[n % len(licenses)] for n in range(rows)],
            "tokens": (numbers.lognormal(5, 1, rows) * scale).astype(np.int64) + 1,
            "quality": pa.array(numbers.random(rows), pa.float32()),
        },
        schema=SCHEMA,
    )


def drift(now: pa.Table, baseline: pa.Table, limit: float = 0.1) -> Drift:
    protos = []
    for each in (now, baseline):
        statistics = Statistics()
        statistics.add(each)
        protos.append(statistics.to_proto("documents", CATEGORICAL))
    return compare(*protos, corpus_schema(SCHEMA, ["C", "Go"]), limit)


def over(found: Drift) -> set[tuple[str, str]]:
    return {(column.column, column.measure) for column in found.columns if column.distance > column.limit}


def test_equal_runs_have_no_drift() -> None:
    found = drift(table(), table())
    assert not found.found
    assert all(column.distance == 0 for column in found.columns)
    assert found.rows == (400, 400)
    assert not drift(table(rows=350), table()).found


def test_what_changed_is_found() -> None:
    found = drift(table(scale=50, languages=("C", "C", "C", "Rust", None)), table())
    assert over(found) == {("language", "new values"), ("language", "L-infinity"), ("language", "missing"), ("tokens", "Jensen-Shannon")}
    assert found.found
    by_measure = {column.measure: column for column in found.columns if column.column == "language"}
    assert by_measure["new values"].moved == [("Rust", 0.0, pytest.approx(0.25))]
    assert by_measure["L-infinity"].moved[0] == ("Go", pytest.approx(0.5), 0.0)
    assert by_measure["missing"].moved == [("missing", 0.0, pytest.approx(0.2))]
    mean, median = next(column for column in found.columns if column.column == "tokens").moved
    assert mean.now > 40 * mean.before
    assert median.now > 40 * median.before


def test_a_rare_new_value_is_told_and_is_no_drift() -> None:
    licenses = ("MIT", "BSD") * 100
    found = drift(table(licenses=(*licenses, "WTFPL")), table())
    (told,) = [column for column in found.columns if column.measure == "new values"]
    assert (told.column, told.moved[0].value, found.found) == ("license", "WTFPL", False)
    assert drift(table(licenses=("MIT", "BSD", "WTFPL")), table()).found


def test_what_the_schema_does_not_allow_is_drift() -> None:
    found = drift(table().drop_columns(["tokens"]), table())
    assert [(anomaly["column"], anomaly["kind"]) for anomaly in found.anomalies] == [("tokens", "SCHEMA_MISSING_COLUMN")]
    assert found.found


def test_the_limit_decides() -> None:
    changed = table(languages=("C", "Go", "C"))
    assert drift(changed, table(), limit=0.1).found
    assert not drift(changed, table(), limit=0.3).found


@pytest.mark.parametrize("seed", range(4))
def test_divergence_is_scipys(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    one, other = numbers.integers(0, 9, 12), numbers.integers(0, 9, 12)
    bins = [(float(n), float(n + 1)) for n in range(12)]
    expected = jensenshannon(one, other, base=2) ** 2
    assert jensen_shannon(dict(zip(bins, one.tolist(), strict=True)), dict(zip(bins, other.tolist(), strict=True))) == pytest.approx(
        expected
    )


def test_divergence_of_nothing() -> None:
    assert jensen_shannon({}, {}) == 0
    assert jensen_shannon({(0, 1): 3}, {}) == 1
    assert jensen_shannon({(0, 1): 3}, {(1, 2): 5}) == 1
