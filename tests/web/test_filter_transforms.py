from __future__ import annotations

from collections import Counter

import apache_beam as beam
import pytest
import yaml
from apache_beam import coders
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.fasttext_model.package import write_package
from beam_seed.fasttext_model.training import Line, Settings, train
from beam_seed.judge import judge_all
from beam_seed.web import relevance
from beam_seed.web.categories import NAMES
from beam_seed.web.filter_transforms import CategorisePages, FilterPages, ReadPages, RecallRelevant, SelectByCategory, _judge_relevance_by
from beam_seed.web.heuristics import Limits
from beam_seed.web.records import Extracted, Page, Response, make_page

MULTI_PROCESSING = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def page(number, host="plain.example", words=50, code_tags=0, content="the river flows by the village church", **facts):
    response = Response("crawl.warc.gz", number, f"http://{host}/{number}", "2024-01-01T00:00:00Z", "text/html", "", b"")
    extracted = Extracted("A page", content, "utf-8", "en", code_tags, code_tags, words, 0.1)
    return make_page(response, host, f"/{number}", extracted)._replace(**facts)


def record(url, body):
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Type: application/http\r\nContent-Length: {len(http)}"
    return f"{head}\r\n\r\n".encode() + http + b"\r\n\r\n"


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.warc"
    bodies = {
        "long": b"<p>" + b"the river valley and a village church " * 10,
        "short": b"<p>five words and no more",
        "code": b"<p>run <code>ls</code> " + b"x " * 20,
    }
    records = [record(f"http://h.example/{name}", body) for name, body in bodies.items()]
    path.write_bytes(b"".join(records) + record("http://h.example/cut", b"<p>a page that is cut off")[:-20])
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    about = {
        relevance.RELEVANT: "function returns iterator mapping raises exception",
        relevance.OTHER: "river valley village church bells sheep",
    }
    lines = [Line("h", label, text) for label, text in about.items() for _ in range(30)]
    _, data = train(lines, Settings(epochs=20))
    folder = str(tmp_path_factory.mktemp("relevance"))
    write_package(folder, data, relevance.KIND, {"text": relevance.TextFormat()._asdict(), "threshold": 0.5}, "")
    return folder


def test_pages_are_deterministic_rows():
    coder = coders.registry.get_coder(Page)
    assert coder.is_deterministic()
    assert tuple(coder.decode(coder.encode(page(1)))) == tuple(page(1))


def test_archives_are_read(archive):
    outcome = [archive] | ReadPages()
    assert sorted(kept.path for kept in outcome.kept) == ["code", "long"]
    assert [rejected.rule for rejected in outcome.rejected] == ["too-few-words"]
    assert [failed.stage for failed in outcome.failed] == ["read"]


def test_limits_decide(archive):
    outcome = [archive] | ReadPages(Limits(min_words=2))
    assert len(outcome.kept) == 3
    strict = list(outcome.kept) | FilterPages(Limits(min_words=30))
    assert [kept.path for kept in strict.kept] == ["long"]
    assert {rejected.limit for rejected in strict.rejected} == {30}


def test_relevance(model):
    pages = [page(1), page(2, content="a function that returns an iterator raises an exception"), page(3, code_tags=1)]
    without = pages | RecallRelevant()
    assert ([kept.path for kept in without.kept], {each.rule for each in without.rejected}) == (["/3"], {"no-code-tags"})
    recalled = pages | RecallRelevant(model)
    assert sorted(kept.path for kept in recalled.kept) == ["/2", "/3"]
    assert [(each.path, each.rule, each.limit) for each in recalled.rejected] == [("/1", "not-code-related", 0.5)]


def test_a_page_on_which_the_model_cannot_be_run_fails_alone(model):
    broken, sound = judge_all(
        _judge_relevance_by(model), [page(1)._replace(content=None), page(2, content="function iterator")], "relevance"
    )
    assert broken.error.startswith("TypeError")
    assert sound.path == "/2"


def test_categories():
    pages = [page(1), page(2, "docs.tool.example"), page(3, "stackoverflow.com"), page(4, markup="phpbb")]
    told = {kept.path: category for kept, category in pages | CategorisePages()}
    assert told == {"/1": "other", "/2": "documentation", "/3": "qa", "/4": "forum"}


def table(tmp_path, change, **more):
    policies = {name: {"criteria": "Rate it."} | change(name) for name in NAMES}
    (tmp_path / "table.yaml").write_text(yaml.safe_dump({"categories": policies} | more))
    return str(tmp_path / "table.yaml")


SCORED = [
    (page(number, category), category, base + number / 1000) for category, base in (("qa", 0.1), ("news", 0.8)) for number in range(40)
]


def test_each_category_has_its_own_threshold(tmp_path):
    outcome = SCORED | SelectByCategory(table(tmp_path, lambda name: {"drop_lowest": 0.25, "sampling_rate": 1.0}))
    assert Counter(kept.repo for kept in outcome.kept) == {"qa": 30, "news": 30}
    assert Counter((each.language, each.rule) for each in outcome.rejected) == {("qa", "low-quality"): 10, ("news", "low-quality"): 10}


def test_rates_are_solved_for_a_mix(tmp_path):
    mix = {"target_mix": {"qa": 1.0}}
    outcome = SCORED | SelectByCategory(table(tmp_path, lambda name: {"threshold": 0.0, "sampling_rate": 0.0}, **mix))
    assert Counter(kept.repo for kept in outcome.kept) == {"qa": 40}
    assert {(each.rule, each.limit) for each in outcome.rejected} == {("not-sampled", 0.0)}


def test_a_page_without_a_score_meets_no_threshold(tmp_path):
    path = table(tmp_path, lambda name: {"threshold": 1.0, "sampling_rate": 1.0})
    assert len(([(page(1), "qa", None)] | SelectByCategory(path)).kept) == 1


def test_a_table_that_is_none_is_told_when_built(tmp_path):
    with pytest.raises(ValueError, match="category documentation: expected drop_lowest or threshold"):
        SelectByCategory(table(tmp_path, lambda name: {"sampling_rate": 1.0}))


kinds = st.tuples(
    st.integers(0, 60), st.integers(0, 1), st.sampled_from(["river church", "function iterator", "�" * 9]), st.sampled_from(NAMES)
)


@settings(deadline=None, max_examples=8)
@given(st.lists(kinds, min_size=1, max_size=12))
def test_every_filter_divides_its_input(model, drawn):
    pages = [page(number, words=words, code_tags=tags, content=content) for number, (words, tags, content, _) in enumerate(drawn)]
    scored = [(each, category, None) for each, (*_, category) in zip(pages, drawn, strict=True)]
    for outcome in (pages | FilterPages(), pages | RecallRelevant(model), scored | SelectByCategory()):
        assert sorted(each.id for part in outcome for each in part) == sorted(each.id for each in pages)


def test_in_a_row_across_processes(archive, model, tmp_path):
    # Every page is sampled: the draw depends on the archive's path, which changes from run to run.
    policies = table(tmp_path, lambda name: {"drop_lowest": 0.0, "sampling_rate": 1.0})
    with beam.Pipeline(options=PipelineOptions(MULTI_PROCESSING)) as pipeline:
        read = pipeline | beam.Create([archive]) | ReadPages(Limits(min_words=2))
        recalled = (read.kept | FilterPages()).kept | RecallRelevant(model)
        scored = recalled.kept | CategorisePages() | "Score" >> beam.MapTuple(lambda kept, category: (kept, category, 0.5))
        chosen = scored | SelectByCategory(policies)
        assert_that(chosen.kept | "Path" >> beam.Map(lambda kept: kept.path), equal_to(["code"]), label="kept")
