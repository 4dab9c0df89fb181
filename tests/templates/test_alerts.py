"""Alert policies are what Cloud Monitoring takes, and watch counters that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.cloud.monitoring_v3 import AlertPolicy
from google.protobuf import json_format

from beam_seed import metrics

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "templates" / "alerts").glob("*.json"))


def parse(text: str) -> AlertPolicy:
    return AlertPolicy(json_format.Parse(text, AlertPolicy.pb(AlertPolicy()), ignore_unknown_fields=False))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_is_one(path: Path):
    policy = parse(path.read_text())
    assert policy.display_name.startswith("beam-seed: ")
    assert policy.combiner == AlertPolicy.ConditionCombinerType.OR
    assert policy.documentation.content
    for condition in policy.conditions:
        assert condition.condition_threshold.aggregations
        found = re.search(r'metric_name = "([^"]+)"', condition.condition_threshold.filter)
        assert found is None or found[1] in metrics.NAMES
    assert path.name in (ROOT / "docs" / "observability.md").read_text()


def test_unknown_fields_are_refused():
    with pytest.raises(json_format.ParseError):
        parse('{"displayName": "x", "threshold": 3}')


def test_there_are_alerts_on_failures_time_and_errors():
    assert [path.stem for path in FILES] == ["failed_records", "job_failed", "too_long", "worker_errors"]


def test_the_vocabulary_is_documented():
    text = (ROOT / "docs" / "observability.md").read_text()
    assert metrics.tables() in text, "docs/observability.md: put in what beam_seed.metrics.tables() gives"
