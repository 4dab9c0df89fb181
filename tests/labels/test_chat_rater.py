"""The chat oracle against a scripted server process: faults, limits, money, keys."""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

from beam_seed.labels import chat_rater
from beam_seed.labels.chat import RefusedClientError
from beam_seed.labels.oracles import Chat
from beam_seed.records import make_document

KEY = "sk-test-51c9f0e7a2"


def document(first_line: str, name: str = "a.py", language: str = "Python"):
    return make_document("r", name, f"# {first_line}\nx = 1\n", language=language)


def rate(oracle: Chat, *first_lines: str, run: str | None = None):
    rater = oracle.start(1, run or oracle.cache)
    return rater.rate([document(line, f"{n}.py") for n, line in enumerate(first_lines)])


def test_a_rating_with_its_account(endpoint, chat):
    (opinion,) = rate(chat(endpoint, price_in=2.0, price_out=8.0), "@rate=7")
    stats = endpoint.stats()
    assert (opinion.rating, opinion.explanation, opinion.error, opinion.model) == (7.0, "Readable enough.", "", "scripted-1")
    assert (opinion.tokens_in, opinion.tokens_out) == (stats["prompt_tokens"], stats["completion_tokens"])
    assert opinion.cost == pytest.approx((2 * opinion.tokens_in + 8 * opinion.tokens_out) / 1e6)
    assert (opinion.requests, opinion.reused, opinion.lost) == (1, False, 0.0)


@pytest.mark.parametrize("fault", ["429", "500", "503", "408", "reset", "cut"])
def test_what_may_pass_is_tried_again(endpoint, chat, fast_retries, fault):
    (opinion,) = rate(chat(endpoint), f"@fault={fault}*2 @rate=4")
    assert (opinion.rating, opinion.requests) == (4.0, 3)


@pytest.mark.parametrize(
    ("directive", "error", "requests"),
    [
        ("@fault=500", "HTTP 500", 4),
        ("@fault=429", "HTTP 429", 4),
        ("@fault=cut", "TransientError", 4),
        ("@fault=400", "HTTP 400", 1),
        ("@fault=422", "HTTP 422", 1),
        ("@fault=413", "HTTP 413", 1),
        ("@fault=garbage", "no chat completion", 1),
        ("@fault=shape", "expected text", 1),
        ("@fault=huge", "more than 4194304 bytes", 1),
        ("@fault=gzip", "encoded as 'gzip'", 1),
        ("@answer=null", "content is NoneType", 1),
        ("@answer=long", "cut off after", 1),
        ("@answer=missing", "no rating", 1),
        ("@answer=literal", "expected a number", 1),
        ("@answer=range", "expected a number", 1),
    ],
)
def test_what_stays_wrong_fails_its_own_file_only(endpoint, chat, fast_retries, directive, error, requests):
    bad, good = rate(chat(endpoint), directive, "@rate=3")
    assert bad.rating is None
    assert error in bad.error
    assert bad.requests == requests
    assert good.rating == 3.0


def test_the_raw_answer_is_kept(endpoint, chat):
    missing, garbage = rate(chat(endpoint), "@answer=missing", "@fault=garbage")
    assert missing.answer == "I would rather not."
    assert garbage.answer.startswith("<html>�� not JSON")


@pytest.mark.parametrize(("answer", "rating"), [("decimal", 7.5), ("several", 5.0), ("bold", 5.0), ("unsealed", 5.0)])
def test_forms_of_an_answer(endpoint, chat, answer, rating):
    assert rate(chat(endpoint), f"@answer={answer} @rate=5")[0].rating == rating


@pytest.mark.parametrize("fault", ["slow", "trickle"])
def test_slow_answers_time_out(endpoint, chat, fast_retries, fault):
    (opinion,) = rate(chat(endpoint, timeout=0.6, retries=1, price_in=1.0, price_out=1.0), f"@fault={fault}*1 @rate=2")
    assert (opinion.rating, opinion.requests) == (2.0, 2)
    assert opinion.lost > 0, "an answer that did not arrive may have been charged"


def test_retry_after_holds_all_requests_back(endpoint, chat, fast_retries):
    rater = chat(endpoint, concurrency=4).start(1, "pause")
    rater.rate([document("@fault=429*1"), *(document(f"{n}", f"{n}.py") for n in range(20))])
    times = endpoint.stats()["times"]
    assert max(b - a for a, b in itertools.pairwise(times)) > 0.25


def test_concurrency_is_used_and_kept_to(start_endpoint, chat):
    endpoint = start_endpoint(delay=0.1)
    rater = chat(endpoint, concurrency=5).start(1, "five")
    assert all(opinion.rating is not None for opinion in rater.rate([document(str(n), f"{n}.py") for n in range(20)]))
    assert endpoint.stats()["most_in_flight"] == 5


def test_the_rate_is_kept_by_all_attempts(endpoint, chat, fast_retries):
    rate(chat(endpoint, requests_per_minute=1200.0), *("@fault=500*1 " + str(n) for n in range(5)))
    times = endpoint.stats()["times"]
    assert len(times) == 10
    assert times[-1] - times[0] > 9 * 0.05 * 0.9


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"api_key_env": "WRONG_KEY"}, "401"),
        ({"model": "unknown"}, "404"),
        ({"endpoint": "elsewhere"}, "404"),
    ],
)
def test_a_refusal_stops_everything_at_once(start_endpoint, chat, monkeypatch, values, told):
    monkeypatch.setenv("RIGHT_KEY", KEY)
    monkeypatch.setenv("WRONG_KEY", "sk-wrong-" + KEY)
    endpoint = start_endpoint(key=KEY)
    if "endpoint" in values:
        values = {"endpoint": endpoint.url.replace("/v1", "/v2")}
    oracle = chat(endpoint, **{"api_key_env": "RIGHT_KEY"} | values)
    with pytest.raises(RefusedClientError, match=told) as raised:
        rate(oracle, *map(str, range(300)))
    assert KEY not in str(raised.value)
    assert endpoint.stats()["requests"] <= oracle.concurrency


def test_redirects_are_refused(endpoint, chat):
    with pytest.raises(RefusedClientError, match="HTTP 307"):
        rate(chat(endpoint), "@fault=redirect")


def test_an_endpoint_that_is_not_there_is_given_up(chat, endpoint, fast_retries):
    endpoint.stop()
    with pytest.raises(RefusedClientError, match="failed 32 files in a row, the last one with TransientError: ConnectError"):
        rate(chat(endpoint, retries=1), *map(str, range(200)))


def test_answers_are_paid_for_once(endpoint, chat):
    oracle = chat(endpoint)
    lines = [*map(str, range(10)), "@answer=missing"]
    first = rate(oracle, *lines)
    again = rate(oracle, *lines)
    assert endpoint.stats()["requests"] == 11
    assert [opinion._replace(reused=False, requests=1) for opinion in again] == first
    assert all(opinion.reused for opinion in again)


def test_copies_in_a_batch_are_asked_about_once(endpoint, chat):
    rater = chat(endpoint).start(1, "copies")
    opinions = rater.rate([document("same", f"{n}.py") for n in range(5)])
    assert len({opinion.rating for opinion in opinions}) == 1
    assert sum(opinion.requests for opinion in opinions) == endpoint.stats()["requests"] == 1


@pytest.mark.parametrize("change", [{"model": "n"}, {"temperature": 0.5}, {"max_answer_tokens": 99}, {"max_characters": 10}])
def test_what_an_answer_depends_on_is_asked_anew(endpoint, chat, change):
    rate(chat(endpoint), "a")
    rate(chat(endpoint, **change), "a")
    assert endpoint.stats()["requests"] == 2


def test_another_language_is_asked_anew_and_another_path_is_not(endpoint, chat):
    rater = chat(endpoint).start(1, "language")
    rater.rate([document("a"), document("a", language="Ruby"), document("a", "b.py")])
    assert endpoint.stats()["requests"] == 2


def test_damaged_lines_of_a_cache_are_passed_over(endpoint, chat, tmp_path):
    oracle = chat(endpoint)
    rate(oracle, "a", "b")
    (file,) = (tmp_path / "cache").iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b'{"key": 3}\nnot json\n[1]\n\n' + lines[0] + lines[1][:-20])
    assert sorted(opinion.reused for opinion in rate(oracle, "a", "b")) == [False, True]
    assert endpoint.stats()["requests"] == 3


def test_the_budget_is_never_exceeded_and_goes_on_with_a_higher_one(endpoint, chat):
    lines = list(map(str, range(60)))
    prices = {"price_in": 100.0, "price_out": 300.0, "max_answer_tokens": 50}
    whole = sum(opinion.cost for opinion in rate(chat(endpoint, **prices, cache=chat(endpoint).cache + "-whole"), *lines))
    asked = endpoint.stats()["requests"]
    limit = whole / 2
    opinions = rate(chat(endpoint, **prices, max_cost=limit), *lines, run="first")
    spent = sum(opinion.cost for opinion in opinions)
    assert 0 < spent <= limit
    failed = [opinion for opinion in opinions if opinion.rating is None]
    assert {opinion.error.split(":")[0] for opinion in failed} == {"budget"}
    assert endpoint.stats()["requests"] == asked + 60 - len(failed)
    again = rate(chat(endpoint, **prices, max_cost=limit), *lines, run="same limit")
    assert sum(opinion.requests for opinion in again) <= 1, "what was spent before counts"
    raised = rate(chat(endpoint, **prices, max_cost=whole * 2), *lines, run="higher limit")
    assert all(opinion.rating is not None for opinion in raised)
    assert endpoint.stats()["requests"] == asked + 60


def test_each_process_has_its_share_of_the_budget(endpoint, chat):
    prices = {"price_in": 100.0, "price_out": 300.0, "max_answer_tokens": 50}
    documents = [document(str(n), f"{n}.py") for n in range(60)]
    limit = 5.0
    whole = chat(endpoint, **prices, max_cost=limit).start(1, "one").rate(documents)
    share = chat(endpoint, **prices, max_cost=limit, cache=chat(endpoint).cache + "2").start(3, "third").rate(documents)
    assert sum(opinion.cost for opinion in share) <= limit / 3
    assert sum(opinion.cost for opinion in share) < sum(opinion.cost for opinion in whole)


def test_a_rater_made_anew_in_one_process_has_no_new_budget(endpoint, chat):
    prices = {"price_in": 100.0, "price_out": 300.0, "max_answer_tokens": 50, "max_cost": 4.0}
    first = rate(chat(endpoint, **prices), *map(str, range(60)), run="run")
    anew = rate(chat(endpoint, **prices), *map(str, range(60, 120)), run="run")
    assert sum(opinion.cost for opinion in [*first, *anew]) <= 4.0


def test_without_usage_the_most_is_taken_to_be_spent(endpoint, chat):
    oracle = chat(endpoint, price_in=1.0, price_out=1.0)
    with_usage, without = rate(oracle, "@rate=1", "@rate=1 @usage=none")
    assert without.cost > with_usage.cost > 0
    assert without.tokens_in == 0


def test_lost_answers_stay_in_the_ledger(endpoint, chat, fast_retries):
    prices = {"price_in": 100.0, "price_out": 300.0, "max_answer_tokens": 50}
    (opinion,) = rate(chat(endpoint, **prices), "@fault=cut*2")
    assert opinion.lost > 0
    assert chat(endpoint).start(1, "look")._cache.spent == pytest.approx(opinion.lost + opinion.cost)


def test_a_cache_that_cannot_be_written_stops_the_spending(endpoint, chat, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(chat_rater.AnswerCache, "add", full)
    with pytest.raises((RefusedClientError, OSError), match="no space left"):
        rate(chat(endpoint), *map(str, range(100)))
    assert endpoint.stats()["requests"] <= 2 * 16


def test_the_key_is_nowhere(start_endpoint, chat, monkeypatch, tmp_path, caplog, fast_retries):
    monkeypatch.setenv("MY_KEY", KEY)
    endpoint = start_endpoint(key=KEY)
    caplog.set_level(logging.DEBUG)
    opinions = rate(chat(endpoint, api_key_env="MY_KEY", retries=1), "a", "@answer=leak", "@fault=500", "@fault=cut", "@fault=400")
    assert opinions[1].rating is not None
    assert "Bearer [key]" in opinions[1].explanation
    assert KEY not in repr(opinions)
    assert KEY not in caplog.text
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    monkeypatch.setenv("MY_KEY", "sk-other-" + KEY)
    with pytest.raises(RefusedClientError) as raised:
        rate(chat(endpoint, api_key_env="MY_KEY"), "new")
    assert "sk-other" not in str(raised.value)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"endpoint": "deepseek"}, "endpoint"),
        ({"endpoint": "https://user:secret@host/v1"}, "endpoint"),
        ({"endpoint": "https://host/v1?key=secret"}, "endpoint"),
        ({"model": ""}, "model"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout": float("nan")}, "timeout"),
        ({"price_in": -1.0}, "price_in"),
        ({"max_cost": 5.0}, "max_cost"),
        ({"api_key_env": "sk-abc123"}, "api_key_env"),
    ],
)
def test_settings_that_cannot_be(endpoint, chat, values, named):
    with pytest.raises(ValueError, match=f"^{named} .*expected") as raised:
        chat(endpoint, **values)
    assert "secret" not in str(raised.value)
    assert "abc123" not in str(raised.value)


def test_threads_share_one_rater(endpoint, chat):
    rater = chat(endpoint, concurrency=4).start(1, "threads")
    results: list[list] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(rater.rate([document(f"{n}-{m}", f"{m}.py") for m in range(10)])))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(opinion.rating is not None for opinions in results for opinion in opinions) == 60
    assert endpoint.stats()["requests"] == 60
