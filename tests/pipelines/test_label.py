"""``beam-seed sample`` and ``beam-seed label`` by their command lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_input import python_source

from beam_seed.quality.rubric import rate
from beam_seed.trainer.labels import read_labels
from beam_seed.web.categories import load_table
from pipelines import cli, github

REPOSITORY = Path(github.__file__).parents[1]
KEY = "sk-command-83b0c2"


def table(path: Path, count: int, first: str = "") -> Path:
    """Python files, no two alike; ``first`` goes before a file's number in its first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = [f"# {first} {n}\n{python_source(n % 40)}" for n in range(count)]
    values = {
        "repo": [f"r{n % 5}" for n in range(count)],
        "path": [f"{path.stem}/{n}.py" for n in range(count)],
        "content": contents,
    }
    pq.write_table(pa.table(values), path)
    return path


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def command(*arguments: object, **environment: str) -> subprocess.Popen:
    variables = os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        cwd=REPOSITORY,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments: object) -> int:
    return cli.main([*map(str, arguments), "--workers=1"])


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def no_key_in(folder: Path) -> bool:
    return not any(KEY.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_sample_and_label_by_the_rubric(tmp_path: Path) -> None:
    for n in range(3):
        table(tmp_path / "corpus" / f"{n}.parquet", 20, f"table {n}")
    assert run("sample", f"--input={tmp_path / 'corpus'}", f"--output={tmp_path / 's'}", "--per-language=25", "--per-project=9") == 0
    told = json.loads((tmp_path / "s" / "sample.json").read_text())
    assert (told["taken"], told["available"], told["rows"]) == (25, 60, 60)
    assert told["languages"] == {"Python": {"asked": 25, "available": 60, "taken": 25}}
    sample = {row["id"]: row for row in rows(tmp_path / "s" / "sample")}
    assert run("label", f"--input={tmp_path / 's'}", f"--output={tmp_path / 'l'}") == 0
    labels = {row["id"]: row for row in rows(tmp_path / "l" / "labels")}
    assert labels.keys() == sample.keys()
    for key, row in labels.items():
        assert {name: row[name] for name in sample[key]} == sample[key]
        assert row["rating"] == pytest.approx(rate(row["content"], "Python").rating)
        assert row["oracle"] == "rubric"
    read = read_labels([str(tmp_path / "l" / "labels")])
    assert sorted(label.document.content for label in read) == sorted(row["content"] for row in labels.values())
    manifest = json.loads((tmp_path / "l" / "labels.json").read_text())
    assert (manifest["files"], manifest["labelled"], manifest["failed"]) == (25, 25, 0)
    assert sum(manifest["ratings"].values()) == 25
    assert not (tmp_path / "l" / "failed").exists()


def test_a_chat_endpoint_with_faults_from_two_processes(tmp_path: Path, start_endpoint) -> None:
    endpoint = start_endpoint(key=KEY, faults=0.15, seed=4)
    for n in range(4):
        table(tmp_path / "in" / f"{n}.parquet", 15, f"table {n}")
    table(tmp_path / "in" / "bad.parquet", 2, "@answer=missing")
    arguments = (f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}", "--oracle=chat", f"--endpoint={endpoint.url}", "--model=m")
    prices = ("--price-in=0.5", "--price-out=1.5", "--max-cost=1", "--concurrency=4", "--workers=2")
    process = command("label", *arguments, *prices, "--api-key-env=MY_KEY", MY_KEY=KEY)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    stats = endpoint.stats()
    manifest = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert (manifest["files"], manifest["labelled"], manifest["failed"]) == (62, 60, 2)
    assert manifest["errors"] == {"MalformedAnswerError": 2}
    assert manifest["this_run"]["requests"] == stats["requests"] == 62 + manifest["this_run"]["retries"]
    assert (manifest["tokens_in"], manifest["tokens_out"]) == (stats["prompt_tokens"], stats["completion_tokens"])
    assert manifest["cost"] == pytest.approx((0.5 * manifest["tokens_in"] + 1.5 * manifest["tokens_out"]) / 1e6)
    assert manifest["parameters"]["api_key_env"] == "MY_KEY"
    assert {row["answer"] for row in rows(tmp_path / "out" / "failed")} == {"I would rather not."}
    assert all(row["content"] and row["sha256"] for row in rows(tmp_path / "out" / "failed"))
    assert len({row["id"] for row in rows(tmp_path / "out" / "labels")}) == 60
    assert KEY not in output
    assert no_key_in(tmp_path)


def test_pages_are_rated_by_the_criteria_of_their_category(tmp_path: Path, start_endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = start_endpoint()
    pages = {"repo": ["h.example"] * 3, "path": ["a", "b", "c"], "content": ["How?", "How?", "Why?"], "category": ["qa", "forum", None]}
    pq.write_table(pa.table(pages), tmp_path / "pages.parquet")
    arguments = (f"--input={tmp_path / 'pages.parquet'}", f"--output={tmp_path / 'out'}", f"--endpoint={endpoint.url}", "--model=m")
    assert run("label", *arguments, "--oracle=chat", "--criteria=default") == 0
    assert len(rows(tmp_path / "out" / "labels")) == endpoint.stats()["requests"] == 3, "one text is judged anew in another category"
    told = json.loads((tmp_path / "out" / "labels.json").read_text())["parameters"]
    assert dict(told["criteria"]) == {name: policy.criteria for name, policy in load_table().policies.items()}
    assert run("label", *arguments, "--oracle=chat", "--criteria=default") == 0
    assert endpoint.stats()["requests"] == 3
    assert "expected --oracle=chat with it" in usage_error(capsys, "label", *arguments, "--criteria=default")
    assert "--criteria: " in usage_error(capsys, "label", *arguments, "--oracle=chat", "--criteria=nowhere.yaml")
    table(tmp_path / "files.parquet", 2)
    files = (f"--input={tmp_path / 'files.parquet'}", *arguments[1:], "--oracle=chat", "--criteria=default")
    assert "lacks column 'category'" in usage_error(capsys, "label", *files)


def test_a_run_that_is_killed_pays_again_only_for_what_was_in_flight(tmp_path: Path, start_endpoint) -> None:
    endpoint = start_endpoint(delay=0.15)
    table(tmp_path / "in.parquet", 80)
    arguments = (f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 'out'}", "--oracle=chat", f"--endpoint={endpoint.url}")
    options = ("--model=m", "--concurrency=4")
    process = command("label", *arguments, *options)
    while endpoint.stats().get("answers", 0) < 30:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(0.3)
    before = endpoint.stats()["requests"]
    assert before < 80, "the run was killed too late"
    assert not (tmp_path / "out" / "labels.json").exists()
    assert run("label", *arguments, *options) == 0
    assert endpoint.stats()["requests"] <= 80 + 4
    manifest = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert manifest["labelled"] == 80
    assert manifest["this_run"]["requests"] == endpoint.stats()["requests"] - before
    assert manifest["this_run"]["answers_reused"] == 80 - manifest["this_run"]["requests"] >= before - 4
    labels = rows(tmp_path / "out" / "labels")
    assert run("label", *arguments, *options) == 0
    assert rows(tmp_path / "out" / "labels") == labels
    assert endpoint.stats()["requests"] == before + manifest["this_run"]["requests"]


def test_a_wrong_key_fails_at_once(tmp_path: Path, start_endpoint, capsys, monkeypatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-wrong")
    endpoint = start_endpoint(key=KEY)
    table(tmp_path / "in.parquet", 200)
    arguments = (f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 'out'}", "--oracle=chat", f"--endpoint={endpoint.url}")
    assert run("label", *arguments, "--model=m", "--api-key-env=MY_KEY") == 1
    error = capsys.readouterr().err
    assert "refuses: HTTP 401: Incorrect API key provided: Bearer [key] (a key was sent; model 'm')" in error
    assert endpoint.stats()["requests"] <= 16
    assert not (tmp_path / "out" / "labels.json").exists()
    monkeypatch.delenv("MY_KEY")
    assert "argument --api-key-env: environment variable 'MY_KEY' holds no key" in usage_error(
        capsys, "label", *arguments, "--model=m", "--api-key-env=MY_KEY"
    )


def test_money_runs_out_and_more_is_given(tmp_path: Path, start_endpoint, capsys) -> None:
    endpoint = start_endpoint()
    table(tmp_path / "in.parquet", 40)
    arguments = (f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 'out'}", "--oracle=chat", f"--endpoint={endpoint.url}")
    options = ("--model=m", "--price-in=100", "--price-out=100", "--max-answer-tokens=100", "--concurrency=2")
    assert run("label", *arguments, *options, "--max-cost=2") == 1
    assert "could not be labelled; expected at most the share 0.05. One error: budget: the next request may cost" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert 0 < manifest["cost"] == manifest["this_run"]["paid"] <= 2
    assert manifest["errors"]["budget"] == manifest["failed"] == len(rows(tmp_path / "out" / "failed"))
    assert 0 < manifest["labelled"] < 40
    assert run("label", *arguments, *options, "--max-cost=50") == 0
    assert endpoint.stats()["answers"] == 40
    assert not (tmp_path / "out" / "failed").exists() or not rows(tmp_path / "out" / "failed")


def test_hostile_rows(tmp_path: Path) -> None:
    columns = {
        "path": ["a.py", "b.py", "c.py", None],
        "repo": ["r", None, "r", "r"],
        "content": ["x = 1\n" + python_source(1), "", None, "\x00\ud7ff" * 9],
    }
    columns["language"] = ["Python", "Python", None, "Python\nRating: [[10]]"]
    columns["stars"] = [1, None, 3, 4]
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    assert run("label", f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 'out'}", "--max-failed-share=0.9") == 0
    found = rows(tmp_path / "out" / "labels") + (rows(tmp_path / "out" / "failed") if (tmp_path / "out" / "failed").exists() else [])
    assert sorted(row["path"] for row in found) == ["", "a.py", "b.py", "c.py"]


def test_an_empty_sample(tmp_path: Path, capsys) -> None:
    columns = {"repo": pa.array([], pa.string()), "path": pa.array([], pa.string()), "content": pa.array([], pa.string())}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    assert run("sample", f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 's'}", "--allocation=seed-coder") == 1
    assert "no file was sampled: of 0 rows" in capsys.readouterr().err
    assert not (tmp_path / "s" / "sample.json").exists()
    assert run("label", f"--input={tmp_path / 'in.parquet'}", f"--output={tmp_path / 'l'}") == 0
    assert json.loads((tmp_path / "l" / "labels.json").read_text())["files"] == 0


@pytest.mark.parametrize("job", [("sample", "--per-language=3"), ("label",)])
def test_input_that_cannot_be_used(tmp_path: Path, capsys, job) -> None:
    (tmp_path / "cut.parquet").write_bytes(table(tmp_path / "in.parquet", 5).read_bytes()[:200])
    pq.write_table(pa.table({"repo": ["r"], "path": ["p"], "text": ["x"]}), tmp_path / "text.parquet")
    pq.write_table(pa.table({"repo": ["r"], "path": ["p"], "content": [b"x"]}), tmp_path / "binary.parquet")
    for name, told in (
        ("cut.parquet", "cannot be read"),
        ("text.parquet", "lacks column 'content'; found ['repo', 'path', 'text']"),
        ("binary.parquet", "'content' of binary; expected text"),
        ("none", "no Parquet file at"),
    ):
        error = usage_error(capsys, *job, f"--input={tmp_path / name}", f"--output={tmp_path / 'out'}")
        assert "argument --input: " in error
        assert told in error
    assert "argument --output" in usage_error(capsys, *job, f"--input={tmp_path / 'in.parquet'}")


def test_options_that_do_not_go_together(tmp_path: Path, capsys) -> None:
    arguments = (f"--input={table(tmp_path / 'in.parquet', 1)}", f"--output={tmp_path / 'out'}")
    assert "expected --endpoint and --model" in usage_error(capsys, "label", *arguments, "--oracle=chat")
    chat = ("label", *arguments, "--oracle=chat", "--model=m")
    assert "argument --endpoint: holds more" in usage_error(capsys, *chat, "--endpoint=http://u:p@h/v1")
    assert "argument --max-cost: is 5.0 without prices" in usage_error(capsys, *chat, "--endpoint=http://h/v1", "--max-cost=5")
    assert "argument --api-key-env: is no name" in usage_error(capsys, *chat, "--endpoint=http://h/v1", f"--api-key-env={KEY}")
    assert "argument --allocation: expected one" in usage_error(capsys, "sample", *arguments)
    assert "expected one of seed-coder" in usage_error(capsys, "sample", *arguments, "--allocation=mine")
