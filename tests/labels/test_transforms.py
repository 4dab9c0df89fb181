"""Labelling as a Beam step. Across processes: tests/pipelines/test_label.py."""

from __future__ import annotations

import apache_beam as beam
import pytest

from beam_seed.labels import transforms
from beam_seed.labels.oracles import Rubric
from beam_seed.labels.transforms import LabelDocuments, _BatchDocuments
from beam_seed.quality.rubric import rate
from beam_seed.records import make_document

SOURCE = "def area(width, height):\n    '''Area of a rectangle.'''\n    return width * height\n"
TWO = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def documents(count: int, first: str = ""):
    return [(n, make_document("r", f"{n}.py", f"# {first} {n}\n{SOURCE * (1 + n % 3)}", language="Python")) for n in range(count)]


def test_every_key_has_the_opinion_of_its_document():
    keyed = documents(20)
    labels, failed = keyed | LabelDocuments(Rubric())
    assert {key: opinion.rating for key, opinion in labels} == {key: rate(each.content, "Python").rating for key, each in keyed}
    assert failed == []
    assert all(opinion.explanation and "readability" in opinion.aspects for _, opinion in labels)


def test_full_batches_change_nothing(monkeypatch):
    keyed = documents(20)
    whole = keyed | LabelDocuments(Rubric())
    monkeypatch.setattr(_BatchDocuments, "MAX_DOCUMENTS", 3)
    monkeypatch.setattr(_BatchDocuments, "MAX_BYTES", 300)
    assert sorted((keyed | "Again" >> LabelDocuments(Rubric())).labels) == sorted(whole.labels)


def test_ratings_and_failures_of_a_chat_oracle(endpoint, chat):
    keyed = [*documents(10, "@rate=6"), ("bad", make_document("r", "bad.py", "# @answer=missing\n"))]
    labels, failed = keyed | LabelDocuments(chat(endpoint), max_failed_share=0.2)
    assert {opinion.rating for _, opinion in labels} == {6.0}
    assert len(labels) == 10
    assert [(key, opinion.answer) for key, opinion in failed] == [("bad", "I would rather not.")]


def test_too_many_failures_fail_the_job(endpoint, chat):
    keyed = [*documents(3, "@rate=6"), ("bad", make_document("r", "bad.py", "# @answer=missing\n"))]
    with pytest.raises(Exception, match=r"1 of 4 documents could not be labelled; expected at most the share 0.05"):
        keyed | LabelDocuments(chat(endpoint))


def test_counters(endpoint, chat, fast_retries):
    pipeline = beam.Pipeline("FnApiRunner")
    keyed = [*documents(5, "@rate=6"), (9, make_document("r", "x.py", "# @fault=500*2 @answer=missing\n"))]
    _ = pipeline | beam.Create(keyed) | LabelDocuments(chat(endpoint, price_in=1.0, price_out=1.0), max_failed_share=1.0)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace("beam_seed/label"))["counters"]
    counters = {counter.key.metric.name: counter.committed for counter in found}
    stats = endpoint.stats()
    assert (counters["kept"], counters["failed"]) == (5, 1)
    assert (counters["requests"], counters["retries"]) == (stats["requests"], 2)
    assert (counters["tokens_in"], counters["tokens_out"]) == (stats["prompt_tokens"], stats["completion_tokens"])
    assert counters["cost_millionths"] == pytest.approx(stats["prompt_tokens"] + stats["completion_tokens"], abs=6)


def test_the_key_is_not_in_the_graph(endpoint, chat, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-graph-7d1")
    pipeline = beam.Pipeline("FnApiRunner")
    _ = pipeline | beam.Create(documents(1)) | LabelDocuments(chat(endpoint, api_key_env="MY_KEY"))
    assert b"sk-graph-7d1" not in pipeline.to_runner_api().SerializeToString()


def test_windows_are_refused():
    windowed = beam.Pipeline("FnApiRunner") | beam.Create(documents(1)) | beam.WindowInto(beam.transforms.window.FixedWindows(60))
    with pytest.raises(ValueError, match="expected the global window"):
        windowed | LabelDocuments(Rubric())


@pytest.mark.parametrize("parameters", [{"max_failed_share": 1.5}, {"max_failed_share": float("nan")}, {"processes": -1}])
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match="expected"):
        LabelDocuments(Rubric(), **parameters)


def test_a_limit_that_cannot_be_divided_is_refused(endpoint, chat, monkeypatch):
    monkeypatch.setattr(transforms, "local_processes", lambda _: 0)
    keyed = beam.Pipeline("FnApiRunner") | beam.Create(documents(1))
    with pytest.raises(ValueError, match="expected processes"):
        keyed | LabelDocuments(chat(endpoint, requests_per_minute=5.0))
    assert keyed | "Told" >> LabelDocuments(chat(endpoint, requests_per_minute=5.0), processes=8)
