"""Kept answers, on disk and in an object store (an emulator on loopback), and the budget."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed import storage
from beam_seed.labels import cache as cache_module
from beam_seed.labels.cache import Answer, AnswerCache, answer_key
from beam_seed.labels.cost import Budget, Prices
from beam_seed.labels.prompt import build_prompt
from pipelines import cli


def answer(n: int) -> Answer:
    return Answer(f"text {n} \x00 é \n", "stop", "m", n, n + 1, n / 8)


@pytest.fixture
def bucket(emulated_bucket):
    return f"{emulated_bucket}/root"


@pytest.fixture(params=["disk", "gs"])
def folder(request, tmp_path):
    return str(tmp_path / "cache") if request.param == "disk" else request.getfixturevalue("bucket") + "/cache"


def test_answers_are_found_again_by_another_process(folder):
    first = AnswerCache(folder)
    assert first.find("k1") is None
    for n in range(150):
        first.add(f"k{n}", answer(n))
    first.add_lost(0.5)
    first.flush()
    second = AnswerCache(folder)
    assert all(cache.find(f"k{n}") == answer(n) for cache in (first, second) for n in range(150))
    assert second.spent == pytest.approx(sum(n / 8 for n in range(150)) + 0.5)
    assert second.find("k150") is None
    second.add("k150", answer(150))
    second.flush()
    assert len(storage.match(storage.join(folder, "*"))) == (2 if storage.is_local(folder) else 4), "writers do not share files"


def test_an_object_store_holds_answers_after_seconds(bucket, monkeypatch):
    monkeypatch.setattr(cache_module, "_WAITING_SECONDS", 0.05)
    first = AnswerCache(bucket)
    first.add("a", answer(1))
    time.sleep(0.06)
    first.add("b", answer(2))
    assert AnswerCache(bucket).find("a") == answer(1)


@given(st.binary(max_size=200))
def test_no_bytes_in_a_cache_are_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "0.jsonl").write_bytes(data)
    (folder / "1.jsonl").write_bytes(b'{"key": "k", "cost": 1}\n{"key": "", "cost": true}\n{"key": "k2", "cost": 1, "text": 3}\n')
    assert AnswerCache(str(folder)).find("k") is None


def test_keys_depend_on_every_part():
    keys = {answer_key("s", "Python", "v", "m", 0.0), answer_key("s", "Ruby", "v", "m", 0.0), answer_key("s", "Python", "w", "m", 0.0)}
    keys |= {answer_key("t", "Python", "v", "m", 0.0), answer_key("s", "Python", "v", "n", 0.0), answer_key("s", "Python", "v", "m", 0.5)}
    assert len(keys) == 6
    assert answer_key("s", "Python", "v", "m", 0.0) in keys


@given(st.text(max_size=300))
def test_the_worst_case_counts_every_byte_as_a_token(content):
    messages = build_prompt(content, "C", 1000).messages
    tokens = sum(len(message["content"].encode()) for message in messages)
    assert Prices(1e6, 0.0).worst(messages, 10) >= tokens
    assert Prices(0.0, 1e6).worst(messages, 10) == 10


def test_threads_never_spend_more_than_the_budget():
    budget, spent, lock = Budget(10.0), [], threading.Lock()

    def spend(n):
        for _ in range(20):
            if budget.reserve(1.0):
                cost = (n % 4) / 4
                with lock:
                    spent.append(cost)
                budget.settle(1.0, cost)

    threads = [threading.Thread(target=spend, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 9.0 < sum(spent) <= 10.0, "all but the last request's worst case is used"


def test_a_reservation_waits_for_what_may_come_back():
    budget = Budget(1.0)
    assert budget.reserve(0.8)
    results = []
    waiting = threading.Thread(target=lambda: results.append(budget.reserve(0.8)))
    waiting.start()
    time.sleep(0.05)
    assert not results
    budget.settle(0.8, 0.1)
    waiting.join(5)
    assert results == [True]


def test_sample_and_label_in_an_object_store(bucket, start_endpoint):
    endpoint = start_endpoint()
    contents = [f"# {n}\nx = {n}\n" for n in range(12)]
    with storage.open_write(f"{bucket}/in/0.parquet") as out:
        pq.write_table(pa.table({"repo": ["r"] * 12, "path": [f"{n}.py" for n in range(12)], "content": contents}), out)
    assert cli.main(["sample", f"--input={bucket}/in", f"--output={bucket}/s", "--per-language=8", "--workers=1"]) == 0
    label = ["label", f"--input={bucket}/s", f"--output={bucket}/l", "--oracle=chat", f"--endpoint={endpoint.url}", "--model=m"]
    for _ in range(2):
        assert cli.main([*label, "--workers=1"]) == 0
    assert endpoint.stats()["requests"] == 8
    with storage.open_read(f"{bucket}/l/labels/00000.parquet") as file:
        assert len(pq.read_table(file)) == 8
    assert storage.read_json(f"{bucket}/l/labels.json")["this_run"]["answers_reused"] == 8
