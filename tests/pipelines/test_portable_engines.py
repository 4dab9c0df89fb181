"""The main job through a portable job service, as Flink and Prism take it: the graph as a message, workers in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import github

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


@pytest.mark.slow
@pytest.mark.parametrize("engine", engines())
def test_another_engine_writes_the_same_bytes(engine: str, request, run: Path, arguments: list[str], tmp_path: Path) -> None:
    more = [*engines()[engine], "--environment_type=LOOPBACK"]
    if engine == "job-service":
        more.append(request.getfixturevalue("job_service"))
    command = [sys.executable, "-m", "pipelines.cli", "github", *arguments, f"--output={tmp_path}", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert contents(tmp_path) == contents(run)
