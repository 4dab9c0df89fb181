"""The main job as a program: determinism, resuming, earlier runs, and command lines that cannot be run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sample_input

from pipelines import cli, github

# What says when and how fast a run was; everything else must be equal byte by byte.
TIMED = ("report.html", "report.json")


def digests(output: Path) -> dict[str, str]:
    """Digest of every published file."""
    files = [path for path in output.rglob("*") if path.is_file() and path.name not in TIMED and not {"_work", "_cache"} & {*path.parts}]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def beam_seed(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(github.__file__).parents[1],
        **options,
    )


def test_workers_and_order_of_input_change_nothing(run: Path, arguments: list[str], tmp_path: Path) -> None:
    done = beam_seed("github", *reversed(arguments), f"--output={tmp_path / 'out'}", "--workers=2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert digests(tmp_path / "out") == digests(run)
    assert "report.html" in done.stdout


def test_other_partitions_and_shards_change_no_verdict(run: Path, arguments: list[str], tmp_path: Path) -> None:
    assert github.main([*arguments, f"--output={tmp_path}", "--workers=1", "--partitions=3", "--shard-bytes=4096"]) == 0
    assert len(list((tmp_path / "documents").iterdir())) > len(list((run / "documents").iterdir()))
    for dataset in ("corpora/file_level", "corpora/repo_level", "rejected", "failed"):
        both = [_by_id(folder / dataset) for folder in (tmp_path, run)]
        assert both[0] == both[1], dataset


def _by_id(folder: Path) -> list[tuple]:
    found = [row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted((row["id"], row.get("variant", ""), json.dumps(row, sort_keys=True, default=str)) for row in found)


def test_a_run_goes_on_where_it_stopped(run: Path, arguments: list[str], tmp_path: Path) -> None:
    arguments = [*arguments, f"--output={tmp_path}", "--workers=1"]
    assert github.main([*arguments, "--until=duplicates"]) == 0
    assert not (tmp_path / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "measures").iterdir()}
    assert github.main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "measures").iterdir()} == before
    assert digests(tmp_path) == digests(run)


def test_another_threshold_reuses_what_does_not_depend_on_it(run: Path, arguments: list[str], tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "out")
    untouched = {
        path: path.stat().st_mtime_ns for name in ("documents", "quality", "duplicates") for path in (tmp_path / "out" / name).iterdir()
    }
    assert github.main([*arguments, f"--output={tmp_path / 'out'}", "--workers=1", "--drop-lowest=0.9"]) == 0
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched
    kept = [json.loads((folder / "manifest.json").read_text())["kept"]["file_level"]["files"] for folder in (tmp_path / "out", run)]
    assert kept[0] < kept[1]


def test_changed_input_is_noticed(tmp_path: Path) -> None:
    sample_input.write(tmp_path / "in" / "one", {"a.py": sample_input.python_source(1)})
    arguments = [f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}", "--workers=1", "--score=false"]
    assert github.main(arguments) == 0
    sample_input.write(tmp_path / "in" / "two", {"b.py": sample_input.python_source(2)})
    assert github.main(arguments) == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["kept"]["file_level"]["files"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "sign",
    [*(f"_stages/{stage}.json" for stage in ("documents", "measures", "duplicates", "scores", "verdicts")), "_cache/scores/*/*.parquet"],
)
def test_a_killed_run_ends_like_a_clean_one(run: Path, arguments: list[str], tmp_path: Path, sign: str) -> None:
    arguments = ["github", *arguments, f"--output={tmp_path}", "--workers=2"]
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    process = subprocess.Popen(
        command, cwd=Path(github.__file__).parents[1], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(tmp_path.glob(sign)) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = beam_seed(*arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert digests(tmp_path) == digests(run)


def test_against_drops_what_a_joint_run_drops(tmp_path: Path) -> None:
    source = sample_input.python_source
    old = {"one": {f"m{n}.py": source(n) for n in range(4)}, "two": {f"n{n}.py": source(10 + n) for n in range(4)}}
    new = {
        "fresh": {"x.py": source(100), "y.py": source(101)},
        "mixed": {"copy.py": source(2), "near.py": sample_input.near_copy(source(3)), "own.py": source(102)},
        "one-again": {f"m{n}.py": source(n) for n in range(4)},
        "two-fork": {f"n{n}.py": (sample_input.near_copy(source(10)) if n == 0 else source(10 + n)) for n in range(4)},
    }
    for kind, repositories in (("old", old), ("new", new), ("joint", old | new)):
        for name, files in repositories.items():
            sample_input.write(tmp_path / kind / name, files)
    # In the joint run what is old has more stars, so that it wins there too.
    (tmp_path / "stars.jsonl").write_text("".join(json.dumps({"repo": name, "stars": 9}) + "\n" for name in old))
    common = ["--workers=1", "--score=false", f"--metadata={tmp_path / 'stars.jsonl'}"]
    assert github.main([f"--input={tmp_path / 'old'}", f"--output={tmp_path / 'out-old'}", *common]) == 0
    assert (
        github.main([f"--input={tmp_path / 'new'}", f"--output={tmp_path / 'out-new'}", f"--against={tmp_path / 'out-old'}", *common]) == 0
    )
    assert github.main([f"--input={tmp_path / 'joint'}", f"--output={tmp_path / 'out-joint'}", *common]) == 0
    for variant in ("file_level", "repo_level"):
        separate = _kept(tmp_path / "out-new", variant)
        joint = {name for name in _kept(tmp_path / "out-joint", variant) if name[0] in new}
        assert separate == joint, variant
        assert separate
    assert ("mixed", "near.py") not in _kept(tmp_path / "out-new", "file_level")
    assert not {name for name in _kept(tmp_path / "out-new", "repo_level") if name[0] in ("one-again", "two-fork")}


def test_an_earlier_run_with_other_bands_is_refused(run: Path, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        github.main([f"--input={sample / 'trees'}", f"--output={tmp_path}", f"--against={run}", "--near-threshold=0.9", "--score=false"])
    assert "--near-threshold" in capsys.readouterr().err


def test_the_output_itself_is_no_earlier_run(run: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        github.main([f"--input={sample / 'trees'}", f"--output={run}", f"--against={run}", "--score=false"])
    assert "--against" in capsys.readouterr().err
    assert (run / "manifest.json").exists()


def test_two_runs_do_not_share_a_folder(run: Path, arguments: list[str]) -> None:
    with open(run / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = beam_seed("github", *arguments, f"--output={run}", "--workers=1")
    assert second.returncode == 2
    assert "another run" in second.stderr
    assert (run / "manifest.json").exists()


def _kept(output: Path, variant: str) -> set[tuple[str, str]]:
    tables = [pq.read_table(path) for path in (output / "corpora" / variant).glob("*.parquet")]
    return {(row["repo"], row["path"]) for table in tables for row in table.to_pylist()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--bogus=1"], "--bogus"),
        (["--drop-lowest=2"], "--drop-lowest"),
        (["--near-threshold=x"], "--near-threshold"),
        (["--drop-by=lines"], "--drop-by"),
        (["--columns=nonsense"], "--columns"),
        (["--metadata=/nonexistent.jsonl"], "--metadata"),
        (["--scorer=/nonexistent"], "--scorer"),
        (["--against=/nonexistent"], "--against"),
        (["--demo"], "--input"),
    ],
)
def test_a_bad_command_line_is_one_line_and_status_2(
    arguments: list[str], told: str, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["github", f"--input={sample / 'trees'}", f"--output={tmp_path}", *arguments])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert told in lines[0]


@pytest.mark.parametrize("missing", ["--input", "--output"])
def test_what_is_needed_is_named(missing: str, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"--input": f"--output={tmp_path}", "--output": f"--input={sample / 'trees'}"}
    with pytest.raises(SystemExit):
        cli.main(["github", arguments[missing]])
    assert missing in capsys.readouterr().err


def test_no_input_is_an_error_not_an_empty_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as stopped:
        cli.main(["github", f"--input={tmp_path / 'empty'}", f"--output={tmp_path / 'out'}"])
    assert stopped.value.code == 2
    assert "--input" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
