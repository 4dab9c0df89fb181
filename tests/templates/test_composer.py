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
COMPOSER = ROOT / "templates" / "composer"
CONNECTION = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "project"}}
CONF = {"project": "project", "region": "us-central1", "bucket": "bucket"}
JOBS = ("github", "commits", "web", "shards")


@pytest.fixture(scope="module")
def airflow(cloud, tmp_path_factory):
    """Runs a program of Airflow's environment. ``BEAM_SEED_AIRFLOW`` names an environment that is there already."""
    folder = Path(os.environ.get("BEAM_SEED_AIRFLOW") or tmp_path_factory.mktemp("airflow") / "venv")
    if not folder.exists():
        python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        subprocess.run(
            [folder / "bin" / "uv", "pip", "install", "--quiet", "--python", python, "-r", COMPOSER / "requirements.txt"], check=True
        )
    home = tmp_path_factory.mktemp("airflow_home")
    environment = {name: value for name, value in os.environ.items() if name != "GOOGLE_APPLICATION_CREDENTIALS"} | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(COMPOSER),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",  # seconds; importing the providers takes longer than the default on a busy machine
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",  # a paused DAG is not queued by its assets
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
    finish_shards("20260119", 10)
    cloud.service.failing["beam-seed-github-20260119"] = 1
    cloud.service.active["beam-seed-web-20260119"] = 1
    before = len(cloud.service.launches)
    curation, trained = {"dag": "beam_seed_curation", "conf": CONF}, {"dag": "beam_seed_training"}
    requests = [
        curation | {"date": "2026-01-05", "conf": CONF | {"against": "20251222,20251229", "max_workers": 7}},
        trained | {"date": "2026-01-06"},
        curation | {"date": "2026-01-12"},
        trained | {"date": "2026-01-13"},
        curation | {"date": "2026-01-19"},
        trained | {"date": "2026-01-20"},
        trained | {"date": "2026-01-21", "conf": {"shards": "gs://bucket/by/hand"}},
    ]
    ended = run(
        "python", str(ROOT / "tests" / "templates" / "airflow_run.py"), str(COMPOSER), str(cloud.service.port), *map(json.dumps, requests)
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, ended.stdout[-2000:] + ended.stderr[-4000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    launches = [each["launchParameter"] for each in cloud.service.launches[before:]]
    return found | {"launches": launches, "refused": cloud.service.refused, "taken": cloud.service.taken}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_dags(told, airflow):
    assert told["errors"] == {}
    assert told["dags"]["beam_seed_curation"]["tasks"] == ["check_manifest", "commits", "github", "shards", "web"]
    whole, _, broken, _, _, _, _ = told["runs"]
    assert set(whole["tasks"].values()) == {"success"}
    assert set(whole["tries"].values()) == {1}
    assert broken["tasks"] == dict.fromkeys(whole["tasks"], "success") | {"check_manifest": "failed"}
    assert broken["tries"] == whole["tries"]
    assert broken["state"] == "failed"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_training_starts_with_the_shards_of_the_event_that_triggered_it(told, airflow):
    _, first, _, none, _, second, by_hand = told["runs"]
    assert [each["state"] for each in (first, second, by_hand)] == ["success"] * 3
    assert [each["type"] for each in (first, second, by_hand)] == ["asset_triggered", "asset_triggered", "manual"]
    assert none is None  # shards that are not whole are handed to nobody
    folders = ["gs://bucket/curation/20260105/shards", "gs://bucket/curation/20260119/shards", "gs://bucket/by/hand"]
    assert (airflow[1] / "trained").read_text().splitlines() == [f"torchrun --shards={folder}" for folder in folders]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_training_on_vertex_ai_has_a_folder_for_each_folder_of_shards(told):
    asked = told["vertex"]
    assert (asked["project_id"], asked["container_uri"], asked["staging_bucket"]) == ("project", "image:1", "gs://bucket")
    assert asked["command"][-3:] == [
        "--shards=gs://bucket/curation/20260105/shards",
        "--model=tiny",
        "--output=/gcs/bucket/training/bucket/curation/20260105/shards",
    ]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_task_that_is_tried_again_goes_on_in_the_folder_of_its_day(told):
    retried = told["runs"][4]
    assert set(retried["tasks"].values()) == {"success"}
    assert retried["tries"] == dict.fromkeys(retried["tries"], 1) | {"github": 2, "web": 2}
    assert told["taken"] == ["beam-seed-web-20260119"]  # a lost job of the first try still ran: the service takes no second one beside it
    launched: dict[str, list[Any]] = {job: [] for job in JOBS}
    for each in told["launches"]:
        if each["jobName"].endswith("-20260119"):
            launched[each["jobName"].split("-")[2]].append(each)
    assert {job: len(each) for job, each in launched.items()} == {"github": 2, "commits": 1, "web": 1, "shards": 1}
    failed, again = launched["github"]
    assert failed == again  # one name and one folder: what the first try finished is reused
    owners = {(each["parameters"]["output"], each["jobName"]) for each in told["launches"]}
    assert len(owners) == len(dict(owners)) == 3 * len(JOBS)  # no folder of two days or two jobs


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
    assert first["shards"]["parameters"]["source"].startswith("code=gs://bucket/curation/20260105/github/corpora/file_level,commits=gs://")
