"""``beam-seed commits`` from its command line: what it keeps is held against git, what it drops against what was put in."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import commit_history
import pyarrow.parquet as pq
import pytest

from beam_seed import options as opt
from beam_seed.commits.measure import DECONTAMINATION
from beam_seed.commits.patch import apply_hunks
from beam_seed.commits.target import parse_target
from beam_seed.commits.transforms import MeasureSamples
from beam_seed.curation.datasets import Shard, read_table, shard_path
from beam_seed.near_dedup.lsh import Bands
from beam_seed.records import reject
from pipelines import cli, commits

PROGRAM, LINK = b"100755", b"120000"
git = commit_history.run_git


def source(seed: int, lines: int = 40) -> bytes:
    return b"".join(b"def function_%d_%d(value):\n    return value * %d + %d\n" % (seed, line, line * seed, line) for line in range(lines))


def grow(history: Any) -> Any:
    """A history in which most commits become samples, and the others each break one rule."""
    history.commit({b"README.md": b"# Numbers\n\nMultiplies them.\n", b"src/a.py": source(1), b"LICENSE": b"MIT\n"}, b"Initial import")
    for number in range(20):
        text = source(number + 2, 8 + number)
        history.commit({b"src/module_%d.py" % (number % 6): text}, b"Rework module %d of the package" % (number % 6))
    history.commit({b"src/a.py": (PROGRAM, source(1))}, b"Make a.py a program that can be run")
    history.commit({b"src/a.py": None, b"src/lib/b.py": source(1).replace(b"value", b"number", 2)}, b"Move a.py to the library folder")
    history.commit({b"src/link.py": (LINK, b"lib/b.py")}, b"Keep the old name as a link")
    history.commit({b"src/crlf.py": b"x = 1\r\ny = 2\r\nz = 3"}, b"Add constants for Windows users")
    history.commit({b"src/crlf.py": b"x = 1\r\ny = 4\r\nz = 3"}, b"Correct the second constant")
    history.commit({b"yarn.lock": b"left-pad 1\n", b"src/c.py": source(90, 5)}, b"Use left-pad in a new module c")
    for message, changes, more in (
        (b"Update the lock file to new versions", {b"yarn.lock": b"left-pad 2\n"}, {}),
        (b"Add the logo of the project", {b"logo.png": b"\x89PNG\0\1"}, {}),
        (b"wip", {b"src/c.py": source(91, 5)}, {}),
        (b"Fixes #123", {b"src/c.py": source(92, 5)}, {}),
        (b'Revert "Use left-pad in a new module c"', {b"src/c.py": source(90, 5)}, {}),
        (b"Bump left-pad from 1 to 2", {b"src/c.py": source(93, 5)}, {"author": b"dependabot[bot] <a@b.c>"}),
        (b"Reformat everything everywhere", {b"all/%d.py" % number: source(number, 1) for number in range(120)}, {}),
        (b"caf\xe9 is not UTF-8", {b"src/c.py": source(94, 5)}, {}),
        (b"Nothing at all is changed", {}, {}),
    ):
        history.commit(changes, message, **more)
    last = history.commit({b"src/d.py": source(95, 6)}, b"Add module d with more functions")
    side = history.commit({b"src/e.py": source(96, 6)}, b"Add module e on a branch", parents=[last - 1])
    history.commit({b"src/e.py": source(96, 6)}, b"Merge branch e into the main one", parents=[last, side])
    return history


DROPPED = {
    "root-commit": 1,
    "generated-only": 1,
    "binary-only": 1,
    "message-short": 1,
    "message-reference": 1,
    "revert": 1,
    "bot": 1,
    "too-many-files": 1,
    "message-undecodable": 1,
    "no-changes": 1,
    "merge": 1,
}
COMMITS = 39


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("histories")
    folder = root / "in"
    grow(commit_history.History(folder / "upstream.git")).write()
    fork = grow(commit_history.History(root / "fork.git"))
    big = source(200, 60)
    fork.commit({b"src/own.py": big}, b"Add functions of the fork alone")
    fork.commit({b"src/near.py": big.replace(b"value", b"number", 3)}, b"Add nearly the same functions again")
    git(fork.write(), "bundle", "create", "-q", str(folder / "fork.bundle"), "main")
    small = commit_history.History(folder / "small.git")
    small.commit({b"a": b"1\n"})
    small.write()
    grow(commit_history.History(folder / "unknown.git")).write()
    brief = commit_history.History(root / "brief.git")
    for number in range(30):
        brief.commit({b"a": b"%d\n" % number}, time=1_700_000_000 + number)
    git(brief.write(), "bundle", "create", "-q", str(folder / "brief.bundle"), "main")
    git(folder, "init", "-q", "--bare", "empty.git")
    (folder / "tree").mkdir()
    (folder / "tree" / "a.py").write_text("x = 1\n")
    (folder / "broken.tar").write_bytes(b"no archive at all")
    git(folder, "init", "-q", "--object-format=sha256", "long")
    git(folder / "long", "commit", "-q", "--allow-empty", "-m", "One")
    shutil.copytree(folder / "small.git", folder / "corrupt.git")
    for file in (path for path in (folder / "corrupt.git" / "objects").rglob("*") if path.is_file()):
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:5] + b"\xaa" * 20)
    return folder


@pytest.fixture(scope="module")
def arguments(histories: Path, scorer: Path) -> list[str]:
    known = [{"repo": name, "stars": 100, "forks": 10, "license": "MIT"} for name in ("fork", "small", "brief", "broken")]
    known.append({"repo": "owner/upstream", "stars": 500, "forks": 50, "license": "Apache-2.0"})
    metadata = histories.parent / "repos.jsonl"
    metadata.write_text("".join(json.dumps(each) + "\n" for each in known))
    return [f"--input={histories}", f"--metadata={metadata}", f"--scorer={scorer}", "--min-commits=20", "--min-days=20"]


@pytest.fixture(scope="module")
def output(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("commits")
    assert commits.main([*arguments, f"--output={output}", "--workers=1"]) == 0
    return output


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def corpus(output: Path) -> list[dict[str, Any]]:
    return sorted(rows(output / "corpora" / "commits"), key=lambda row: row["id"])


def test_every_commit_is_accounted_for(output: Path) -> None:
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["job"] == "commits"
    assert all(invariant["holds"] for invariant in manifest["invariants"])
    repositories = 8  # one record for each that is not read: small, unknown, brief, empty, long, corrupt, and what is none
    assert manifest["read"]["files"] == 2 * COMMITS + 2 + repositories
    ids = [row["id"] for dataset in ("rejected", "failed") for row in rows(output / dataset)] + [row["id"] for row in corpus(output)]
    assert len(ids) == len(set(ids)) == manifest["read"]["files"]


def test_commits_are_dropped_by_the_rule_they_break(output: Path) -> None:
    dropped = Counter((row["repo"], row["rule"]) for row in rows(output / "rejected") if row["stage"] == "commit_rules")
    assert dropped == {(repo, rule): count for repo in ("upstream", "fork") for rule, count in DROPPED.items()}


def test_repositories_are_dropped_with_their_figures(output: Path) -> None:
    dropped = {row["repo"]: row for row in rows(output / "rejected") if row["path"] == ""}
    assert {repo: row["rule"] for repo, row in dropped.items()} == {
        "small": "few-commits",
        "unknown": "few-stars",
        "brief": "short-lived",
        "empty": "empty-repository",
    }
    figures = json.loads(dropped["brief"]["evidence"])
    assert figures == {"stars": 100, "forks": 10, "commits": 30, "days": pytest.approx(29 / 86_400)}
    assert json.loads(dropped["unknown"]["evidence"])["stars"] is None
    failed = {row["repo"]: row["error"] for row in rows(output / "failed")}
    assert set(failed) == {"tree", "broken", "long", "corrupt"}
    assert "expected a git repository" in failed["tree"]
    assert "of SHA-256" in failed["long"]


def test_figures_of_all_repositories_are_kept_and_reported(output: Path) -> None:
    told = {row["repo"]: row for row in rows(output / "histories")}
    assert {repo: (row["outcome"], row["rules"]) for repo, row in told.items()} == {
        "upstream": ("kept", ""),
        "fork": ("kept", ""),
        "small": ("rejected", "few-commits short-lived"),
        "unknown": ("rejected", "few-stars few-forks"),
        "brief": ("rejected", "short-lived"),
        "empty": ("rejected", "empty-repository"),
        "tree": ("failed", ""),
        "broken": ("failed", ""),
        "long": ("failed", ""),
        "corrupt": ("failed", ""),
    }
    assert (told["upstream"]["stars"], told["upstream"]["forks"], told["upstream"]["commits"]) == (500, 50, COMMITS)
    assert told["upstream"]["days"] == pytest.approx(COMMITS - 1)
    assert told["unknown"]["stars"] is None
    assert (told["broken"]["stars"], told["broken"]["commits"]) == (None, None)
    assert "expected a git repository" in told["tree"]["error"]
    kept, others = json.loads((output / "report.json").read_text())["sections"]
    assert [row[0] for row in kept["rows"]] == ["fork", "upstream"]  # the fork has two commits more
    assert kept["text"] == f"2 with {2 * COMMITS + 2} commits."
    assert [row[0] for row in others["rows"]] == ["empty", "small", "unknown", "brief", "broken", "corrupt", "long", "tree"]
    assert others["text"].startswith("8: 4 could not be read; 2 short-lived; 1 ")
    page = (output / "report.html").read_text()
    assert "few-commits, short-lived" in page
    assert "Repositories not kept" in page


def test_forks_are_one_and_near_copies_go(output: Path) -> None:
    kept = Counter(row["repo"] for row in corpus(output))
    samples = COMMITS - sum(DROPPED.values())
    assert kept == {"upstream": samples, "fork": 1}
    rules = Counter((row["repo"], row["rule"]) for row in rows(output / "rejected") if row["stage"].endswith("dedup"))
    assert rules == {("fork", "exact-duplicate"): samples, ("fork", "near-duplicate"): 1}
    assert {row["cluster_size"] for row in corpus(output) if row["repo"] == "upstream"} == {2}


def test_targets_make_of_the_snapshot_what_the_commit_made(output: Path, histories: Path) -> None:
    for row in corpus(output):
        folder = (histories.parent if row["repo"] == "fork" else histories) / f"{row['repo']}.git"
        document, target = row["content"], row["content"][row["target_offset"] :]
        assert (row["size"], row["sha256"]) == (len(document.encode()), hashlib.sha256(document.encode()).hexdigest())
        for change in parse_target(target):
            before = git(folder, "cat-file", "blob", f"{row['revision']}:{change.old_path}") if change.old_path else b""
            if change.new_path:
                assert apply_hunks(before, change.hunks) == git(folder, "cat-file", "blob", f"{row['path']}:{change.new_path}")
                assert git(folder, "ls-tree", row["path"], change.new_path).split()[0].decode() == change.new_mode
        raw = git(folder, "diff-tree", "-r", "-M", "--no-commit-id", "--name-only", row["path"]).decode().split()
        assert sorted((row["paths"] + "\n" + row["omitted_paths"]).split()) == sorted(raw)
        assert row["snapshot"] == git(folder, "rev-parse", f"{row['path']}^^{{tree}}").decode().strip()
        told = git(folder, "log", "-1", "--format=%P%n%at%n%ct%n%B", row["path"]).decode().strip().split("\n", 3)
        assert told == [row["parents"], str(row["author_time"]), str(row["commit_time"]), row["message"]]


def test_rows_tell_where_they_come_from(output: Path) -> None:
    kept = corpus(output)
    upstream = [row for row in kept if row["repo"] == "upstream"]
    assert {(row["license"], row["stars"], row["forks"]) for row in upstream} == {("Apache-2.0", 500, 50)}
    assert {row["language"] for row in kept if row["paths"] != "src/link.py"} == {"Python"}
    (lock,) = [row for row in upstream if row["omitted_paths"]]
    assert (lock["paths"], lock["omitted_paths"]) == ("src/c.py", "yarn.lock")
    assert {row["context_paths"].split("\n")[0] for row in upstream} == {"README.md"}
    linked = [row for row in upstream if row["quality"] is None]
    assert [row["paths"] for row in linked] == ["src/link.py"], "a link alone has no file to score"


def test_lowest_quality_can_be_dropped(arguments: list[str], output: Path, tmp_path: Path) -> None:
    before = corpus(output)
    again = tmp_path / "again"
    subprocess.run(["cp", "-r", str(output), str(again)], check=True)
    assert commits.main([*arguments, f"--output={again}", "--workers=1", "--drop-lowest=0.5"]) == 0
    scores = sorted(row["quality"] for row in before if row["quality"] is not None)
    left = corpus(again)
    assert len(before) - len(scores) // 2 <= len(left) < len(before)
    low = [row for row in rows(again / "rejected") if row["rule"] == "low-quality"]
    assert len(low) == len(before) - len(left)
    assert max(row["measured"] for row in low) <= min(row["quality"] for row in left if row["quality"] is not None)


def test_scores_are_not_computed_again(
    arguments: list[str], output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = [row for path in (output / "_cache" / "scores").glob("*-float32/*.parquet") for row in pq.read_table(path).to_pylist()]
    scored = sum(row["quality"] is not None for row in corpus(output))
    assert len(known) >= scored > 0

    def refuse(*_: object) -> None:
        raise AssertionError("a score that is known was computed again")

    monkeypatch.setattr("beam_seed.quality.scorer.Scorer.score", refuse)
    with caplog.at_level(logging.INFO):
        again = [*arguments, f"--output={tmp_path / 'out'}", f"--cache={output / '_cache'}", "--range-commits=7", "--partitions=3"]
        assert commits.main([*again, "--workers=1"]) == 0
    assert f"beam-seed commits: scores: {len(known)} in, {len(known)} kept, {len(known)} reused" in caplog.messages
    assert corpus(tmp_path / "out") == corpus(output)


def test_scores_of_a_gpu_are_not_those_of_a_cpu(arguments: list[str], output: Path) -> None:
    options, _ = opt.parse(commits.Options, [*arguments, f"--output={output}"], "beam-seed commits")
    marks = []
    for accelerator in ("", "type:nvidia-l4;count:1"):
        chosen = replace(options, accelerator=accelerator)
        stages = commits._stages(beam.Pipeline(runner="FnApiRunner"), chosen, "model")
        marks.append({name: stage.parameters for name, stage in stages.items()})
    assert [name for name in marks[0] if marks[0][name] != marks[1][name]] == ["scores"]


def test_ranges_and_processes_make_no_difference(arguments: list[str], output: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "pipelines.cli", "commits", *arguments, f"--output={tmp_path / 'out'}"]
    command += ["--range-commits=20", "--score=false"]  # the model is loaded by each process, and has tests of its own
    command += ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.getcwd(), "TMPDIR": str(scratch)})
    assert done.returncode == 0, done.stderr
    assert not list(scratch.glob("beam-seed-history-*")), "copies are gone with the workers"
    assert len(list((tmp_path / "out" / "documents").iterdir())) > 1  # which bucket a range falls into depends on the folder's name
    by_repo = [sorted(rows(each / "histories"), key=lambda row: row["repo"]) for each in (tmp_path / "out", output)]
    assert by_repo[0] == by_repo[1]
    unscored = {"quality": None, "scorer": ""}
    assert corpus(tmp_path / "out") == [row | unscored for row in corpus(output)]


def test_why_takes_a_commit(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = corpus(output)[0]
    assert cli.main(["why", str(output), f"{kept['repo']}/{kept['path']}"]) == 0
    assert "kept" in capsys.readouterr().out
    (bot,) = [row for row in rows(output / "rejected") if row["rule"] == "bot" and row["repo"] == "upstream"]
    assert cli.main(["why", str(output), f"upstream/{bot['path']}"]) == 0
    assert "bot" in capsys.readouterr().out


def test_why_takes_the_beginning_of_an_id(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def why(name: str) -> tuple[int, str]:
        status = cli.main(["why", str(output), name])
        told = capsys.readouterr()
        return status, told.out + told.err

    (near,) = [row for row in rows(output / "rejected") if row["rule"] == "near-duplicate"]
    whole = why(f"fork/{near['path']}")
    assert whole[0] == 0
    assert whole == why(near["path"]) == why(near["path"][:12]) == why(f"fork/{near['path'][:12]}")
    shared = next(row["path"] for row in corpus(output) if row["repo"] == "upstream")
    for name in (shared, shared[:12]):
        status, told = why(name)
        assert status == 1
        assert f"fork/{shared}, upstream/{shared}" in told
    assert why(f"upstream/{shared[:12]}") == why(f"upstream/{shared}")
    for name in ("0" * 12, shared[:3], shared[:-1] + "x", "upstream/" + "0" * 12):
        status, told = why(name)
        assert status == 1
        assert "no commit" in told


def test_judges_are_given_whole_samples(output: Path) -> None:
    path = next((output / "documents").iterdir())
    bucket, part = path.stem.split("-")
    shard = Shard(int(bucket) << 10 | int(part), 0, 0)
    before = read_table(str(output / "measures" / path.name))

    def judge(documents: list[Any]) -> list[Any]:
        found = ["README.md" in each.content and "module c" in each.content for each in documents]
        return [reject(each, DECONTAMINATION, "shared-text") if bad else each for bad, each in zip(found, documents, strict=True)]

    assert [shard] == [shard] | MeasureSamples(str(output), Bands(21, 6), [lambda: judge])
    told = read_table(shard_path(str(output), "measures", shard.number)).to_pylist()
    contents = rows(output / "documents")
    assert {row["rule"] for row in told} <= {None, "shared-text"}
    assert any(row["rule"] for row in told) == any("module c" in row["prompt"] + row["content"] for row in contents)
    assert len(told) == len(before)


def test_samples_that_share_text_with_a_benchmark_are_dropped(output: Path, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"id": "fork", "code": source(200, 6).decode()}) + "\n")
    shutil.copytree(output, tmp_path / "out")
    command = [*arguments, f"--benchmarks={tmp_path / 'tasks.jsonl'}", f"--output={tmp_path / 'out'}", "--workers=1"]
    assert commits.main(command) == 0
    dropped = [row for row in rows(tmp_path / "out" / "rejected") if row["stage"] == DECONTAMINATION]
    assert {(row["repo"], row["rule"]) for row in dropped} == {("fork", "benchmark-overlap")}
    wanted = "def function_200_5(value)"
    assert any(wanted in row["content"] for row in corpus(output))
    assert not any(wanted in row["content"] for row in corpus(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    told = {section["title"]: section["rows"] for section in report["sections"]}
    assert told["Decontamination"] == [["tasks", 1.0, 1.0, 1.0, float(len(dropped))]]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([], "--input: none given"),
        (["--input=/no/such/place"], "--input: no input found"),
        (["--input={in}", "--min-days=-1"], "--min-days"),
        (["--input={in}", "--tokenizer={in}/broken.tar"], "--tokenizer"),
    ],
)
def test_command_lines_that_cannot_be_run(
    extra: list[str], message: str, histories: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        commits.main([f"--output={tmp_path / 'out'}", *(each.replace("{in}", str(histories)) for each in extra)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
