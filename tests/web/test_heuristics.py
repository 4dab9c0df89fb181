from __future__ import annotations

import pytest

from beam_seed.web.heuristics import Limits, judge_page
from beam_seed.web.records import Extracted, Page, Response, make_page


def page(content="words " * 50, **facts):
    response = Response("crawl.warc.gz", 0, "http://example.org/", "2024-01-01T00:00:00Z", "text/html", "", b"")
    given = {"title": "A page", "words": 50, "link_share": 0.1, "code_blocks": 0, **facts}
    return make_page(response, "example.org", "/", Extracted("", content, "utf-8", "en", 0, 0, 0, 0.0))._replace(**given)


def test_a_page_of_prose_is_kept():
    kept = page()
    assert judge_page(kept, Limits()) is kept


REJECTED = {
    "too-few-words": ({"words": 9}, 9, 10),
    "error-page": ({"title": "404 Not Found"}, 50, 120),
    "mostly-links": ({"link_share": 0.9}, 0.9, 0.85),
}


@pytest.mark.parametrize(("rule", "case"), REJECTED.items())
def test_rules(rule, case):
    facts, measured, limit = case
    judged = judge_page(page(**facts), Limits())
    assert (judged.stage, judged.rule, judged.measured, judged.limit) == ("heuristics", rule, measured, limit)


def test_damaged_text():
    judged = judge_page(page("a�" * 60), Limits())
    assert (judged.rule, judged.measured) == ("damaged-text", 0.5)
    assert judged.evidence == '{"charset": "utf-8"}'
    assert judge_page(page("a" * 199 + "�"), Limits()).content  # one in two hundred is not damage


@pytest.mark.parametrize("facts", [{"words": 10}, {"link_share": 0.85}, {"words": 120, "title": "404 Not Found"}])
def test_limits_themselves_pass(facts):
    assert isinstance(judge_page(page(**facts), Limits()), Page)


@pytest.mark.parametrize(
    "title",
    [
        "Not Found",
        "Error 404",
        "Error: 503 Service Unavailable",
        "Page not found | Example",
        "Example - 404",
        "Just a moment...",
        "Access denied",
    ],
)
def test_titles_of_error_pages(title):
    assert judge_page(page(title=title), Limits()).rule == "error-page"


@pytest.mark.parametrize(
    "title", ["How to fix a 404 in nginx", "Fixing page faults", "400 things", "The forbidden island", "HTTP/2 errors"]
)
def test_titles_of_articles(title):
    judged = judge_page(page(title=title), Limits())
    assert isinstance(judged, Page), judged


def test_code_is_not_told_by_its_links():
    assert isinstance(judge_page(page(link_share=0.95, code_blocks=1), Limits()), Page)
