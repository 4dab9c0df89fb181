"""Every job with its input, models and output on ``gs://``: what comes out is what a run on local paths gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commit_history
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input
import tiny_scorer
import web_input

from beam_seed import storage
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import cli

# What says when or how fast a run was, or what a file system counts its files by.
TIMED = ("report.html", "report.json", "tombstones.json")
PATHS = ("source", "input", "evidence", "id", "kept_id", "cluster_id", "file", "document")


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


def assert_same(local: str, remote: str) -> None:
    here, there = contents(local), contents(remote)
    assert {*here} == {*there}
    assert any(name.endswith(".parquet") for name in here)
    different = [name for name in here if here[name] != there[name] and not _same_rows(here[name], there[name], name)]
    assert not different


def _same_rows(here: bytes, there: bytes, name: str) -> bool:
    """Whether two files differ in nothing but the paths that they record."""
    if not name.endswith(".parquet"):
        return name in ("manifest.json", "decontamination.json", "scores.json", "sample.json", "labels.json", "statistics.pbtxt", "schema.pbtxt", "report.txt")
    tables = [pq.read_table(io.BytesIO(data)) for data in (here, there)]
    rows = [sorted(json.dumps({k: v for k, v in row.items() if k not in PATHS}, default=str) for row in table.to_pylist()) for table in tables]
    return rows[0] == rows[1]


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


def archives(folder: Path) -> None:
    (folder / "in").mkdir(parents=True)
    web_input.make_archives(folder / "in")
    tiny_scorer._scorer(folder / "scorer")


# Command -> what makes its input, and its arguments; {0} is the folder of the input.
JOBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "github": (repositories, "--input={0}/in/trees --input={0}/in/archives/* --input={0}/in/tables --metadata={0}/repos.jsonl --scorer={0}/scorer"),
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
    "shards": (code, "--stage={0}/s.yaml --source=code={0}/corpus --tokenizer={0} --shards=2"),
}


@pytest.mark.parametrize("command", JOBS)
def test_a_bucket_changes_nothing(command: str, emulated_bucket: str, tmp_path: Path) -> None:
    make, arguments = JOBS[command]
    make(tmp_path / "given")
    upload(tmp_path / "given", f"{emulated_bucket}/given")
    for root in (str(tmp_path), emulated_bucket):
        given = arguments.format(f"{root}/given").split()
        assert cli.main([command, *given, f"--output={root}/out", "--workers=1"]) == 0
    assert_same(f"{tmp_path}/out", f"{emulated_bucket}/out")
