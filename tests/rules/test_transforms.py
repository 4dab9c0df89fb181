import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.records import Document
from beam_seed.rules import rules
from beam_seed.rules.rules import Limits, apply_rules
from beam_seed.rules.transforms import ApplyRules


def document(path, content, language="Python"):
    return Document(path, "source", "repo", path, "", content, len(content), "0" * 64, "", None, None, "", language)


DOCUMENTS = [document("ok.py", "x = 1\n"), document("empty.py", ""), document("long.py", "x = 1\n" * 20 + "y" * 200)]


def test_transform_on_lists():
    outcome = DOCUMENTS | ApplyRules(Limits(longest_line=100))
    assert list(outcome.kept) == DOCUMENTS[:1]
    assert {(rejected.id, rejected.rule, rejected.measured, rejected.limit) for rejected in outcome.rejected} == {
        ("empty.py", "empty", 0.0, 1.0),
        ("long.py", "long-line", 200.0, 100.0),
    }
    assert list(outcome.failed) == []


def test_default_limits():
    assert ApplyRules().limits == Limits()
    assert len((DOCUMENTS | ApplyRules()).kept) == 2


def test_a_document_that_breaks_a_rule_function_fails_alone(monkeypatch):
    def broken(document, limits):
        if document.id == "bad":
            raise RuntimeError("made to fail")
        return apply_rules(document, limits)

    monkeypatch.setattr(rules, "apply_rules", broken)
    outcome = [DOCUMENTS[0], DOCUMENTS[0]._replace(id="bad")] | ApplyRules()
    assert [kept.id for kept in outcome.kept] == ["ok.py"]
    assert [failed.id for failed in outcome.failed] == ["bad"]


def test_transform_across_processes():
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create(DOCUMENTS) | ApplyRules(Limits(longest_line=100))
        assert_that(outcome.kept | beam.Map(lambda kept: kept.id), equal_to(["ok.py"]))
        assert_that(
            outcome.rejected | "Rule" >> beam.Map(lambda rejected: rejected.rule), equal_to(["empty", "long-line"]), label="Rejected"
        )


def test_limits_are_validated_when_built():
    with pytest.raises(ValueError, match="max_bytes is 0; expected a number above 0"):
        ApplyRules(Limits(max_bytes=0))
