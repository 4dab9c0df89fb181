"""The failure drill: storage that fails, a worker that is killed, a full disk. Nothing is lost or doubled, or the job says why.

A model that fails: test_failing_model.py.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import commit_history
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input
from apache_beam.io.gcp import gcsio_retry
from google.cloud.storage import retry

from beam_seed import storage
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import cli, github

REPOSITORY = Path(github.__file__).parents[1]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The storage library waits as it does, but for a hundredth of the time."""
    for policy in (retry.DEFAULT_RETRY, gcsio_retry.DEFAULT_RETRY_WITH_THROTTLING_COUNTER):
        monkeypatch.setattr(policy, "_initial", 0.01)
        monkeypatch.setattr(policy, "_maximum", 0.1)
    return monkeypatch


def published(root: str) -> dict[str, bytes]:
    found = {}
    for info in storage.match(f"{root}/**"):
        name = info.path.removeprefix(f"{root}/")
        if "_cache" not in name and "_work" not in name and name not in ("report.html", "report.json"):
            with storage.open_read(info.path) as file:
                found[name] = file.read()
    return found


def corpora(output: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(output)): path.read_bytes() for path in (output / "corpora").rglob("*.parquet")}
    assert found
    return found


def put(folder: Path, target: str) -> None:
    for path in folder.rglob("*.*"):
        if path.is_file():
            with storage.open_write(f"{target}/{path.relative_to(folder)}") as out:
                out.write(path.read_bytes())


def shards(root: str, folder: Path) -> list[str]:
    texts = [sample_input.python_source(number) for number in range(20)]
    (folder / "corpus").mkdir(parents=True)
    pq.write_table(
        pa.table({"repo": ["r"] * 20, "path": [f"{n}.py" for n in range(20)], "content": texts}), folder / "corpus" / "a.parquet"
    )
    train_tokenizer(texts, 300).save(str(folder / "tokenizer.json"))
    (folder / "s.yaml").write_text("sequence_length: 64\nsources:\n  code: {epochs: 1}\n")
    put(folder, f"{root}/in")
    return ["shards", f"--stage={root}/in/s.yaml", f"--source=code={root}/in/corpus", f"--tokenizer={root}/in", "--shards=2"]


def repositories(root: str, folder: Path) -> list[str]:
    put(sample_input.make_input(folder), f"{root}/in")
    return ["github", f"--input={root}/in/trees", f"--input={root}/in/archives", f"--input={root}/in/tables", "--score=false"]


def histories(root: str, folder: Path) -> list[str]:
    history = commit_history.History(folder / "in" / "one.git")
    for number in range(8):
        lines = b"".join(b"def f%d(x):\n    return x + %d\n" % (line, line * number) for line in range(10 + number))
        history.commit({b"src/a.py": lines}, b"Change what the functions return, number %d" % number)
    history.write()
    (folder / "out").mkdir()
    commit_history.run_git(folder / "in" / "one.git", "bundle", "create", "-q", str(folder / "out" / "two.bundle"), "main")
    put(folder / "out", f"{root}/in")
    train_tokenizer(["def f(x): return x"], 300).save(str(folder / "tokenizer.json"))
    bounds = ["--min-stars=0", "--min-forks=0", "--min-commits=1", "--min-days=0", "--score=false"]
    return ["commits", f"--input={root}/in/*.bundle", *bounds, f"--tokenizer={folder}/tokenizer.json"]


@pytest.mark.parametrize("make", [shards, *(pytest.param(each, marks=pytest.mark.slow) for each in (repositories, histories))])
def test_storage_that_fails_now_and_then_changes_nothing(make, emulated_bucket, bucket_faults, hasty, tmp_path) -> None:
    command = make(emulated_bucket, tmp_path)
    assert cli.main([*command, f"--output={emulated_bucket}/clean", "--workers=1"]) == 0
    bucket_faults.share = 0.15
    assert cli.main([*command, f"--output={emulated_bucket}/faulty", "--workers=1"]) == 0
    bucket_faults.share = 0.0
    assert {kind for kind, _ in bucket_faults.injected} == {*bucket_faults.KINDS}
    assert published(f"{emulated_bucket}/faulty") == published(f"{emulated_bucket}/clean")


def test_storage_that_is_gone_fails_the_job_and_a_rerun_completes(emulated_bucket, bucket_faults, hasty, tmp_path, monkeypatch) -> None:
    command = shards(emulated_bucket, tmp_path)
    assert cli.main([*command, f"--output={emulated_bucket}/clean", "--workers=1"]) == 0
    for policy in (retry.DEFAULT_RETRY, gcsio_retry.DEFAULT_RETRY_WITH_THROTTLING_COUNTER):
        monkeypatch.setattr(policy, "_timeout", 1.0)  # two minutes else
    run = cli.importlib.import_module("pipelines.launch").run

    def gone(*arguments: object) -> int:
        bucket_faults.share, bucket_faults.kinds = 1.0, ("unavailable", "reset")
        return run(*arguments)

    monkeypatch.setattr("pipelines.launch.run", gone)
    assert cli.main([*command, f"--output={emulated_bucket}/out", "--workers=1"]) == 1
    bucket_faults.share = 0.0
    assert not storage.exists(f"{emulated_bucket}/out/manifest.json")
    monkeypatch.setattr("pipelines.launch.run", run)
    assert cli.main([*command, f"--output={emulated_bucket}/out", "--workers=1"]) == 0
    assert published(f"{emulated_bucket}/out") == published(f"{emulated_bucket}/clean")


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)


def workers_of(process: int) -> list[int]:
    """The processes below ``process`` that run Beam's worker."""
    found = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes()  # Beam starts workers through a shell
            own = [child] if b"sdk_worker_main" in command and not command.startswith(b"/bin/sh") else []
            found += own + workers_of(child)
    return found


@pytest.mark.slow
def test_a_killed_worker_fails_the_job_and_a_rerun_completes(arguments: list[str], run: Path, tmp_path: Path) -> None:
    command = ["github", *arguments, f"--output={tmp_path}/out", "--workers=2"]
    process = start(*command)
    while not list(tmp_path.glob("out/documents/*.parquet")) and process.poll() is None:
        time.sleep(0.02)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    try:
        _, told = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == 1
    assert "a worker process ended" in told
    assert "the same command goes on from there" in told
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert subprocess.run([sys.executable, "-m", "pipelines.cli", *command], cwd=REPOSITORY, check=False).returncode == 0
    assert corpora(tmp_path / "out") == corpora(run)


@pytest.mark.slow
def test_a_full_disk_fails_the_job_and_a_rerun_completes(tmp_path: Path) -> None:
    for number in range(20):
        sample_input.write(tmp_path / "in" / f"r{number}", {f"m{n}.py": sample_input.python_source(100 * number + n) for n in range(10)})
    disk = tmp_path / "small"
    disk.mkdir()
    command = ["github", f"--input={tmp_path}/in", "--score=false", "--workers=1"]
    job = shlex.join([sys.executable, "-m", "pipelines.cli", *command, f"--output={disk}"])
    # In a mount namespace of its own: the small disk is gone with these processes, however they end.
    script = f"""
        mount -t tmpfs -o size=64k tmpfs {disk} || exit 77
        {job} && exit 1
        cp -r {disk} {tmp_path}/failed && mount -o remount,size=20m {disk} && {job} && cp -r {disk} {tmp_path}/healed
    """
    run = subprocess.run(["unshare", "--mount", "sh", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if run.returncode and not (tmp_path / "failed").exists() and not (disk / ".lock").exists() and "ount" in run.stderr:
        pytest.skip(f"mount is not permitted: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    assert re.search(rf"No space left on device; free some space there and run it again: '{disk}", run.stderr)
    assert not list((tmp_path / "failed").rglob("*.tmp"))
    assert not (tmp_path / "failed" / "manifest.json").exists()
    assert cli.main([*command, f"--output={tmp_path}/out"]) == 0
    assert corpora(tmp_path / "healed") == corpora(tmp_path / "out")


def test_scratch_that_cannot_be_deleted_fails_no_job(tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture) -> None:
    command = shards(str(tmp_path), tmp_path / "made")
    delete_tree = storage.delete_tree

    def refuse(path: str) -> None:
        if path.endswith("_work"):
            raise PermissionError("not now")
        delete_tree(path)

    monkeypatch.setattr(storage, "delete_tree", refuse)
    assert cli.main([*command, f"--output={tmp_path}/out", "--workers=1"]) == 0
    assert f"{tmp_path}/out/_work is left and can be deleted: not now" in caplog.text
    assert (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.undo()
    assert cli.main([*command, f"--output={tmp_path}/out", "--workers=1"]) == 0
    assert not (tmp_path / "out" / "_work").exists()
