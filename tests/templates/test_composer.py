"""The DAGs on Airflow, in an environment of its own that the test makes, against the bucket and the service on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beam_seed import options as opt
from beam_seed import storage
from pipelines import templates

ROOT = Path(__file__).parents[2]
AIRFLOW = (
    "apache-airflow==3.3.2",
    "apache-airflow-providers-google==22.8.0",
    "apache-airflow-providers-apache-beam==6.3.1",
    "apache-beam==2.77.0",
)
CONNECTION = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "project"}}
CONF = {"project": "project", "region": "us-central1", "bucket": "bucket"}
JOBS = ("github", "commits", "web", "shards")


@pytest.fixture(scope="module")
def airflow(cloud, tmp_path_factory):
    """Runs a program of Airflow's environment. ``BEAM_SEED_AIRFLOW`` names an environment that is there already."""
    folder = Path(os.environ.get("BEAM_SEED_AIRFLOW") or tmp_path_factory.mktemp("airflow") / "venv")
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
        subprocess.run([folder / "bin" / "uv", "pip", "install", "--quiet", "--python", folder / "bin" / "python", *AIRFLOW], check=True)
    home = tmp_path_factory.mktemp("airflow_home")
    environment = {name: value for name, value in os.environ.items() if name != "GOOGLE_APPLICATION_CREDENTIALS"} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "templates" / "composer"),
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(CONNECTION),
        "STORAGE_EMULATOR_HOST": cloud.environment["STORAGE_EMULATOR_HOST"],
        "PYTHONPATH": str(ROOT / "tests" / "templates"),
        "BEAM_SEED_TRAINING": "training_hook:operator",
        "TRAINED": str(home / "trained"),
    }

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([folder / "bin" / program, *arguments], env=environment, capture_output=True, text=True, timeout=900)

    assert run("airflow", "db", "migrate").returncode == 0
    return run, home


def finish_shards(day: str, size: int) -> None:
    """What the job of a day would leave; of one shard, the manifest says 10 bytes."""
    folder = f"gs://bucket/curation/{day}/shards"
    with storage.open_write(f"{folder}/shards/00000.parquet") as out:
        out.write(b"x" * size)
    shard = {"path": "shards/00000.parquet", "size": 10, "sequences": 3, "sha256": ""}
    storage.write_json(f"{folder}/manifest.json", {"shards": [shard], "sequences": 3, "tokenizer": "0"})


@pytest.fixture(scope="module")
def told(airflow, cloud) -> dict[str, Any]:
    run, _ = airflow
    finish_shards("20260105", 10)
    finish_shards("20260112", 9)
    before = len(cloud.service.launches)
    requests = [
        {"dag": "beam_seed_curation", "date": "2026-01-05", "conf": CONF | {"against": "20251222,20251229", "max_workers": 7}},
        {"dag": "beam_seed_curation", "date": "2026-01-12", "conf": CONF},
        {"dag": "beam_seed_training", "date": "2026-01-05", "conf": {"shards": "gs://bucket/curation/20260105/shards"}},
    ]
    dags = str(ROOT / "templates" / "composer")
    ended = run("python", str(ROOT / "tests" / "templates" / "airflow_run.py"), dags, str(cloud.service.port), *map(json.dumps, requests))
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, ended.stdout[-2000:] + ended.stderr[-4000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    return found | {"launches": [each["launchParameter"] for each in cloud.service.launches[before:]], "refused": cloud.service.refused}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_dags(told, airflow):
    assert told["errors"] == {}
    assert told["dags"]["beam_seed_curation"]["tasks"] == ["check_manifest", "commits", "github", "shards", "web"]
    whole, broken, training = told["runs"]
    assert set(whole["tasks"].values()) == {"success"}
    assert broken["tasks"] == dict.fromkeys(whole["tasks"], "success") | {"check_manifest": "failed"}
    assert broken["state"] == "failed"
    assert training["state"] == "success"
    assert (airflow[1] / "trained").read_text() == "torchrun --shards=gs://bucket/curation/20260105/shards\n"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_the_dags_launch(told):
    assert told["refused"] == []
    first = {each["jobName"].removeprefix("beam-seed-").removesuffix("-20260105"): each for each in told["launches"][:4]}
    assert sorted(first) == sorted(JOBS)
    for job, launch in first.items():
        assert launch["containerSpecGcsPath"] == f"gs://bucket/templates/latest/{job}.json"
        assert launch["parameters"]["output"] == f"gs://bucket/curation/20260105/{job}"
        assert int(launch["environment"]["maxWorkers"]) == 7
        assert launch["environment"]["additionalUserLabels"] == {"pipeline": "beam-seed", "job": job, "day": "20260105"}
        if job in templates.LAUNCHABLE:
            given = [f"--{name}={value}" for name, value in launch["parameters"].items()]
            assert opt.parse(templates.options_of(job), given, job)[1] == []
    assert first["github"]["parameters"]["against"] == "gs://bucket/curation/20251222/github,gs://bucket/curation/20251229/github"
    assert told["launches"][-1]["jobName"] == "beam-seed-shards-20260112"
    assert first["shards"]["parameters"]["source"].startswith("code=gs://bucket/curation/20260105/github/corpora/file_level,commits=gs://")
