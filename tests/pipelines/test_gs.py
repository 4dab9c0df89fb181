"""Every job with its input, models and output on ``gs://``: what comes out is what a run on local paths gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commit_history
import made_corpus
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input
import tiny_scorer
import web_input

from beam_seed import storage
from beam_seed.trainer.tokenizer import train_tokenizer
from beam_seed.web.datasets import pages_table
from beam_seed.web.records import Extracted, Response, make_page
from pipelines import cli

# What says when and how fast a run was.
TIMED = ("report.html", "report.json")
PATHS = ("source", "id")


def upload(folder: Path, target: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with storage.open_write(f"{target}/{path.relative_to(folder)}") as out:
                out.write(path.read_bytes())


def contents(root: str) -> dict[str, bytes]:
    """Every published file; a bucket's as a local folder's."""
    found = {}
    for info in storage.match(storage.join(storage.escape(root), "**")):
        name = info.path.removeprefix(root).lstrip("/")
        if not {"_work", "_cache", "_stages", ".lock"} & {*name.split("/")} and name not in TIMED and not _is_folder(info.path):
            with storage.open_read(info.path) as file:
                found[name] = file.read()
    return found


def _is_folder(path: str) -> bool:
    return storage.is_local(path) and Path(path).is_dir()


def assert_same_bytes(local: str, remote: str) -> None:
    here, there = contents(local), contents(remote)
    assert any(name.endswith(".parquet") for name in here)
    assert {*here} == {*there}
    assert not [name for name in here if here[name] != there[name]]


def documents(root: str) -> list[str]:
    """Rows of the datasets, without what says where a row is from."""
    return sorted(
        json.dumps({name: value for name, value in row.items() if name not in PATHS}, default=str)
        for name, data in contents(root).items()
        if name.endswith(".parquet")
        for row in pq.read_table(io.BytesIO(data)).to_pylist()
    )


def code(folder: Path) -> None:
    (folder / "corpus").mkdir(parents=True)
    texts = [sample_input.python_source(number)[number:] for number in range(30)]
    columns: dict[str, list[Any]] = {
        "id": [f"i{n}" for n in range(34)],
        "repo": [f"o/r{n % 3}" for n in range(34)],
        "path": [f"m{n}.py" for n in range(34)],
        "content": [*texts, *texts[:4]],
        "quality": [n / 40 for n in range(34)],
        "language": ["Python"] * 34,
    }
    pq.write_table(pa.table(columns), folder / "corpus" / "a.parquet")
    (folder / "benchmark.jsonl").write_text(json.dumps({"prompt": texts[7][200:600]}) + "\n")
    train_tokenizer(texts, 300).save(str(folder / "tokenizer.json"))
    (folder / "s.yaml").write_text("sequence_length: 64\nfim_rate: 0.5\nsources:\n  code: {epochs: 1}\n")
    (folder / "repos").write_text("o/r1\n")
    tiny_scorer._scorer(folder / "scorer")
    book = json.dumps({"cells": [{"cell_type": "code", "source": "x = 1", "outputs": []}], "nbformat": 4})
    sample_input.write(folder / "books" / "one", {"a.ipynb": book, "b.ipynb": "{"})


def repositories(folder: Path) -> None:
    sample_input.make_input(folder / "in")
    (folder / "in" / "trees" / "nothing").rmdir()  # an object store has no empty folders
    sample_input.write_metadata(folder / "repos.jsonl")
    tiny_scorer._scorer(folder / "scorer")


def histories(folder: Path) -> None:
    history = commit_history.History(folder / "in" / "one.git")
    for number in range(8):
        lines = b"".join(b"def f%d(x):\n    return x + %d\n" % (line, line * number) for line in range(10 + number))
        history.commit({b"src/a.py": lines}, b"Change what the functions return, number %d" % number)
    history.write()
    (folder / "in" / "bundles").mkdir()
    commit_history.run_git(folder / "in" / "one.git", "bundle", "create", "-q", str(folder / "in" / "bundles" / "two.bundle"), "main")
    code(folder)


def made(folder: Path) -> None:
    folder.mkdir()
    files = [made_corpus.file(number) | {"language": "Python"} for number in range(480)]
    pq.write_table(pa.Table.from_pylist(files), folder / "a.parquet", row_group_size=100)
    (folder / "sources.yaml").write_text(made_corpus.SOURCES)


def archives(folder: Path) -> None:
    (folder / "in").mkdir(parents=True)
    web_input.make_archives(folder / "in")
    tiny_scorer._scorer(folder / "scorer")


# Command -> what makes its input, and its arguments; {0} is the folder of the input.
JOBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "github": (
        repositories,
        "--input={0}/in/trees --input={0}/in/archives/* --input={0}/in/tables --metadata={0}/repos.jsonl --scorer={0}/scorer",
    ),
    "commits": (
        histories,
        "--input={0}/in/*.git --input={0}/in/bundles/* --min-stars=0 --min-forks=0 --min-commits=1 --min-days=0"
        " --scorer={0}/scorer --tokenizer={0}/tokenizer.json --benchmarks={0}/benchmark.jsonl",
    ),
    "web": (archives, "--input={0}/in/*.warc.gz --scorer={0}/scorer"),
    "dedup": (code, "--input={0}/corpus"),
    "decontaminate": (code, "--input={0}/corpus --benchmarks={0}/benchmark.jsonl"),
    "sample": (code, "--input={0}/corpus --per-language=9"),
    "label": (code, "--input={0}/corpus --oracle=rubric"),
    "score": (code, "--input={0}/corpus --scorer={0}/scorer"),
    "notebooks": (code, "--input={0}/books"),
    "long-context": (code, "--input={0}/corpus --files={0}/corpus --min-tokens=300 --budget=900 --tokenizer={0}/tokenizer.json"),
    "high-quality": (made, "--input={0} --sources={0}/sources.yaml --rounds=1"),
    "shards": (code, "--stage={0}/s.yaml --source=code={0}/corpus --tokenizer={0} --shards=2"),
}


STAGED = ("github", "commits", "web")
FAST = ("notebooks",)


@pytest.mark.parametrize("command", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in JOBS])
def test_a_bucket_changes_nothing(command: str, emulated_bucket: str, tmp_path: Path) -> None:
    make, arguments = JOBS[command]
    make(tmp_path / "given")
    upload(tmp_path / "given", f"{emulated_bucket}/given")

    def run(given: str, output: str, *more: str) -> str:
        told = [*arguments.format(given).split(), *more]
        assert cli.main([command, *told, f"--output={output}", "--workers=1"]) == 0
        return output

    # A document's id tells where it is from, so that only runs over one input can agree to the byte; what is read must be the same anyway.
    remote = run(f"{emulated_bucket}/given", f"{emulated_bucket}/out")
    assert_same_bytes(run(f"{emulated_bucket}/given", f"{tmp_path}/out"), remote)
    if command in STAGED:
        until = "--until=documents"
        assert documents(run(f"{tmp_path}/given", f"{tmp_path}/here", until)) == documents(
            run(f"{emulated_bucket}/given", f"{emulated_bucket}/there", until)
        )
        before = {info.path: info.modified for info in storage.match(f"{remote}/documents/*")}
        run(f"{emulated_bucket}/given", remote)
        assert before == {info.path: info.modified for info in storage.match(f"{remote}/documents/*")}
        run(f"{emulated_bucket}/given", f"{emulated_bucket}/again", f"--against={remote}")
        kept = storage.read_json(f"{emulated_bucket}/again/manifest.json")["kept"]
        assert not any(variant["files"] for variant in kept.values())
        name = pq.read_table(io.BytesIO(contents(remote)["documents/00000-0000.parquet"])).to_pylist()[0]
        assert cli.main(["why", remote, f"{name['repo']}/{name['path']}"]) == 0
    else:
        assert documents(run(f"{tmp_path}/given", f"{tmp_path}/here")) == documents(remote)


def rated(folder: Path) -> None:
    code(folder)
    table = pq.read_table(folder / "corpus" / "a.parquet")
    labels = table.select(["repo", "path", "content", "language"])
    labels = labels.append_column("rating", pa.array([float(number % 11) for number in range(len(table))]))
    labels = labels.append_column("oracle", pa.array(["rubric"] * len(table)))
    (folder / "labels").mkdir()
    pq.write_table(labels, folder / "labels" / "a.parquet")
    throughput = [{"stage": "measures", "seconds": 2.0, "bytes": 4000, "files": 10, "reused": False}]
    report = {"read": {"bytes": 4000, "files": 10}, "throughput": throughput}
    sample_input.write(folder / "run", {"report.json": json.dumps(report)})


def pages(folder: Path) -> None:
    """Pages of 12 hosts, half of which are about code; of each host, in turns, one of two categories."""
    found = []
    for number in range(240):
        host, words = f"h{number % 12}.example", ("import class function" if number % 2 else "river valley village").split()
        text = " ".join(words[(number + shift) % 3] for shift in range(40 + number % 7))
        response = Response("crawl.warc.gz", number, f"http://{host}/{number}", "2024-01-01T00:00:00Z", "text/html", "", b"")
        extracted = Extracted("T", text, "utf-8", "en", number % 2, number % 2, 40, 0.1)
        found.append(make_page(response, host, f"/{number}", extracted, "", ""))
    for name, labels in (("relevance", ["0", "1"]), ("categories", ["forum", "qa"])):
        label = pa.array([labels[number % 2] for number in range(240)])
        (folder / name).mkdir(parents=True)
        table = pages_table(found).append_column("label", label if name == "categories" else label.cast(pa.int64()))
        pq.write_table(table, folder / name / "a.parquet")


# As JOBS, of commands that run no Beam job.
TOOLS: dict[str, tuple[Callable[[Path], None], str]] = {
    "train-tokenizer": (code, "--input={0}/corpus --vocabulary=300"),
    "train-relevance": (pages, "--input={0}/relevance --recall=0.9 --confidence=0 --epochs=2"),
    "train-categories": (pages, "--input={0}/categories --epochs=2"),
    "evaluate": (rated, "--labels={0}/labels --scorer={0}/scorer --split=all"),
    "estimate": (rated, "--run={0}/run --size=1G --cores=2"),
}


@pytest.mark.parametrize("command", [pytest.param(name, marks=pytest.mark.slow if name == "evaluate" else ()) for name in TOOLS])
def test_tools_read_and_write_a_bucket(command: str, emulated_bucket: str, tmp_path: Path) -> None:
    make, arguments = TOOLS[command]
    make(tmp_path / "given")
    upload(tmp_path / "given", f"{emulated_bucket}/given")
    name = "found.json" if command == "estimate" else ""
    for output in (f"{tmp_path}/out/{name}", f"{emulated_bucket}/out/{name}"):
        assert cli.main([command, *arguments.format(f"{emulated_bucket}/given").split(), f"--output={output.rstrip('/')}"]) == 0
    here, there = contents(f"{tmp_path}/out"), contents(f"{emulated_bucket}/out")
    assert here
    assert here == there


@pytest.mark.slow
def test_shards_on_a_bucket_are_removed_from(emulated_bucket: str, tmp_path: Path) -> None:
    make, arguments = JOBS["shards"]
    make(tmp_path / "given")
    upload(tmp_path / "given", f"{emulated_bucket}/given")
    told = arguments.format(f"{emulated_bucket}/given").split()
    for output in (f"{tmp_path}/out", f"{emulated_bucket}/out"):
        assert cli.main(["shards", *told, f"--output={output}", "--workers=1"]) == 0
        before = contents(output)
        assert cli.main(["remove", output, f"--repos={emulated_bucket}/given/repos", "--workers=1"]) == 0
        assert contents(output) != before
        assert len(storage.read_json(storage.join(output, "manifest.json"))["removed"]) == 1
    here, there = contents(f"{tmp_path}/out"), contents(f"{emulated_bucket}/out")
    assert {name: data for name, data in here.items() if "shards/" in name} == {n: data for n, data in there.items() if "shards/" in n}
    assert len(here) == len(there)


@pytest.mark.slow
def test_a_corpus_on_a_bucket_is_distilled(emulated_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The steps are processes, in which Beam looks for credentials.
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    code(tmp_path / "given")
    upload(tmp_path / "given", f"{emulated_bucket}/given")
    sizes = "--layers=1 --hidden-size=32 --vocabulary=300 --max-length=64 --batch=8 --device-batch=8 --bag-epochs=1 --held-out=0.4"
    command = ["distill", f"--input={emulated_bucket}/given/corpus", f"--output={tmp_path}/out", f"--train={sizes}", "--workers=1"]
    assert cli.main([*command, "--sample=--per-language=100"]) == 0
    assert len(documents(f"{tmp_path}/out/scored")) == 34
