"""Jobs through a portable job service, as Flink and Prism take them: the graph as a message, workers in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import commit_history
import pytest
import web_input

from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import cli, github

ROOT = Path(github.__file__).parents[1]
# What says when and how fast a run was; everything else must be equal byte by byte.
TIMED = ("report.html", "report.json")


def contents(output: Path) -> dict[str, bytes]:
    """Every published file."""
    files = [path for path in output.rglob("*") if path.is_file() and path.name not in TIMED and not {"_work", "_cache"} & {*path.parts}]
    return {str(path.relative_to(output)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("service")
    port = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", f"--port_file={port}"]
    process = subprocess.Popen([*command, f"--staging_dir={folder / 'staging'}"], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (port.exists() and port.read_text()) and process.poll() is None:
        time.sleep(0.05)
    yield f"--job_endpoint=localhost:{port.read_text().strip()}"
    process.terminate()
    process.wait()


def engines() -> dict[str, list[str]]:
    """Arguments of the engines that this machine has."""
    found = {"job-service": ["--runner=PortableRunner"]}
    if jar := os.environ.get("BEAM_SEED_FLINK_JAR"):
        found["flink"] = ["--runner=FlinkRunner", f"--flink_job_server_jar={jar}", "--parallelism=2"]
    if binary := os.environ.get("PRISM_BIN"):
        found["prism"] = ["--runner=PrismRunner", f"--prism_location={binary}"]
    return found


@pytest.fixture(scope="module")
def worker_pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """What starts workers on Flink, beside each task manager: processes that know nothing but what the graph says. With its log."""
    log = tmp_path_factory.mktemp("pool") / "log"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    # It looks for a program named python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=told)
    yield f"--environment_config=localhost:{port}", log
    process.terminate()
    process.wait()


def launch(job: str, arguments: list[str], output: Path, *more: str) -> None:
    command = [sys.executable, "-m", "pipelines.cli", job, *arguments, f"--output={output}", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def of_job(run: Path, scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Arguments of the other jobs, small: the corpus of the main job, a history, a few archives."""
    folder = tmp_path_factory.mktemp("inputs")
    files = run / "corpora" / "file_level"
    history = commit_history.History(folder / "histories" / "one.git")
    for number in range(12):
        text = b"".join(b"def function_%d(value):\n    return value * %d\n" % (line, line * number) for line in range(20))
        history.commit({b"src/module_%d.py" % (number % 4): text}, b"Rework module %d of the package" % (number % 4))
    history.write()
    (folder / "web").mkdir()
    web_input.make_archives(folder / "web")
    (folder / "tokenizer").mkdir()
    train_tokenizer(["def add(a, b):\n    return a + b\n"] * 9, 320).save(str(folder / "tokenizer" / "tokenizer.json"))
    (folder / "stage.yaml").write_text("sequence_length: 64\nfim_rate: 0.5\nseed: 3\nsources:\n  code: {epochs: 1}\n")
    model = f"--scorer={scorer}"
    return {
        "commits": [f"--input={folder / 'histories'}", model, *(f"--min-{name}=0" for name in ("stars", "forks", "commits", "days"))],
        "web": [f"--input={folder / 'web'}/*.warc.gz", model],
        "score": [f"--input={files}", model, "--drop-lowest=0.4"],
        "shards": [f"--stage={folder / 'stage.yaml'}", f"--source=code={files}", f"--tokenizer={folder / 'tokenizer'}", "--shards=3"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("engine", engines())
def test_another_engine_writes_the_same_bytes(engine: str, request, run: Path, arguments: list[str], tmp_path: Path) -> None:
    more = [*engines()[engine], "--environment_type=LOOPBACK"]
    if engine == "job-service":
        more.append(request.getfixturevalue("job_service"))
    launch("github", arguments, tmp_path, *more)
    assert contents(tmp_path) == contents(run)


@pytest.mark.slow
@pytest.mark.parametrize("job", ["commits", "web", "score", "shards"])
def test_the_job_service_writes_the_same_bytes(job: str, job_service: str, of_job: dict[str, list[str]], tmp_path: Path) -> None:
    assert cli.main([job, *of_job[job], f"--output={tmp_path / 'local'}", "--workers=1"]) == 0
    launch(job, of_job[job], tmp_path / "service", "--runner=PortableRunner", job_service, "--environment_type=LOOPBACK")
    there = contents(tmp_path / "service")
    assert any(name.endswith(".parquet") for name in there)
    assert there == contents(tmp_path / "local")


@pytest.mark.slow
def test_workers_of_a_pool_write_the_same_bytes(
    job_service: str, worker_pool: tuple[str, Path], run: Path, arguments: list[str], tmp_path: Path
) -> None:
    pool, log = worker_pool
    launch("github", arguments, tmp_path, "--runner=PortableRunner", job_service, "--environment_type=EXTERNAL", pool)
    assert "Starting worker with command" in log.read_text()
    assert contents(tmp_path) == contents(run)
