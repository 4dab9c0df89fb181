"""The vocabulary of counters, and lineage."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.metrics.metric import Lineage

from beam_seed import metrics
from beam_seed.records import make_document, reject
from beam_seed.rules.transforms import ApplyRules
from pipelines.logs import JsonLines


def run(build):
    pipeline = beam.Pipeline("FnApiRunner")
    build(pipeline)
    result = pipeline.run()
    result.wait_until_finish()
    return result


def test_a_filter_counts_what_it_did():
    texts = ["x = 1\n", "", "y = 22\n", "   \n"]
    documents = [make_document("r", f"{number}.py", text, language="Python") for number, text in enumerate(texts)]
    found = metrics.counters(run(lambda pipeline: pipeline | beam.Create(documents) | ApplyRules()))["judge/rules"]
    assert {name: found[name] for name in ("in", "kept", "rejected", "failed", "rejected/size")} == {
        "in": 4, "kept": 2, "rejected": 2, "failed": 0, "rejected/size": 2,
    }  # fmt: skip
    assert (found["bytes_in"], found["bytes_kept"]) == (6 + 7 + 4, 6 + 7)
    assert "busy_ms" in found


def test_books_that_do_not_close_are_told():
    assert not metrics.unbalanced({"syntax": {"in": 3, "kept": 1, "rejected": 1, "rejected/syntax": 1, "failed": 1}})
    lost = metrics.unbalanced({"syntax": {"in": 4, "kept": 1, "rejected": 1, "rejected/syntax": 1, "failed": 1}})
    assert lost == "syntax: 4 in, 1 kept, 1 rejected (1 by reason), 1 failed"
    assert metrics.unbalanced({"syntax": {"in": 2, "kept": 1, "rejected": 1}})


def test_only_names_of_the_vocabulary_are_counted():
    with pytest.raises(KeyError, match="expected one of"):
        metrics.count("mine", 1, 1)
    with pytest.raises(KeyError, match="expected one of"):
        metrics.count("scores", 1, 1, more={"speed": 2})
    document = make_document("r", "a.py", "x")
    found = metrics.counters(run(lambda p: p | beam.Create([0]) | beam.Map(_count_judgements, document)))
    assert found["judge/mine"]["rejected/other"] == 1, "a rule of somebody's own has no name of its own"


def _count_judgements(_, document):
    metrics.count_judgements("judge/mine", [document], [reject(document, "mine", "my-rule")])


def test_lineage_is_what_the_options_name(tmp_path: Path):
    sources = ["gs://bucket/code/*/part-?.parquet", str(tmp_path)]
    result = run(lambda p: p | beam.Create([0]) | beam.Map(metrics.add_lineage, sources, ["gs://bucket/out"]))
    told = Lineage.query(result.metrics(), Lineage.SOURCE)
    assert "gcs:bucket.code" in told
    assert any(str(tmp_path) in each for each in told), told
    assert Lineage.query(result.metrics(), Lineage.SINK) == {"gcs:bucket.out"}


def test_log_lines_are_json():
    record = logging.LogRecord("root", logging.WARNING, "f", 1, "%d of %s", (3, "ü\n"), None)
    record.fields = {"job": "beam-seed github", "counters": {"in": 3}}
    line = JsonLines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["severity"], told["message"], told["counters"]) == ("WARNING", "3 of ü\n", {"in": 3})
