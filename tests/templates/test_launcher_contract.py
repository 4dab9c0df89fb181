"""Each job started as the Flex Template launcher starts it, against a bucket and a Dataflow service on loopback.

The launcher runs ``main.py`` with the user's parameters and ``--template_location``; the job is staged, not run. What is staged is then
submitted by the launcher: here it is held against Google's message types and looked into.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from templates_cloud import ACCELERATED, ACCELERATOR, IMAGE, Cloud

from beam_seed import storage
from pipelines import templates

MAIN = Path(__file__).parents[2] / "templates" / "main.py"

HINT = "beam:resources:accelerator:v1"
RAM = "beam:resources:min_ram_bytes:v1"
PIPELINE_BYTES = 2 << 20  # the service takes 10 MB; ours must stay far below, for it does not grow with the input

KEY = "projects/project/locations/region/keyRings/ring/cryptoKeys/key"
MACHINES = [
    *("--machine_type=n2-highmem-8", "--num_workers=2", "--max_num_workers=9", "--disk_size_gb=80", "--labels=team=data"),
    *("--service_account_email=worker@project.iam", "--no_use_public_ips", "--subnetwork=regions/region/subnetworks/private"),
    f"--dataflow_kms_key={KEY}",
]
# No list of what the launcher's environment holds: pip makes it anew at each launch, which takes seconds. The slow test has it.
UNLISTED = "--experiments=disable_logging_submission_environment"

each_job = pytest.mark.parametrize("job", templates.LAUNCHABLE)


class Staged(NamedTuple):
    job: dict[str, Any]
    pipeline: Any  # beam_runner_api_pb2.Pipeline
    size: int  # bytes of the pipeline
    names: list[str]  # of everything in the staging folder of this launch


def launch(job: str, arguments: list[str], patch: pytest.MonkeyPatch) -> int:
    """Run ``main.py`` in this process. Returns its exit status."""
    patch.setenv("BEAM_SEED_JOB", job)
    patch.setattr(sys, "argv", [str(MAIN), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(MAIN), run_name="__main__")
    return int(ended.value.code or 0)


def staged(job: str) -> Staged:
    job_object = storage.read_json(f"gs://bucket/staging/template_launches/{job}/job_object")
    pipeline_url = job_object["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    with storage.open_read(pipeline_url) as file:
        data = file.read()
    folder = pipeline_url.rpartition("/")[0]
    names = [info.path.removeprefix(folder + "/") for info in storage.match(storage.join(folder, "**"))]
    return Staged(job_object, beam_runner_api_pb2.Pipeline.FromString(data), len(data), names)


@pytest.fixture(scope="session")
def launches(cloud: Cloud) -> dict[str, Staged]:
    """What each job staged, started with the parameters it cannot do without and, where it has one, an accelerator."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for job in templates.LAUNCHABLE:
            more = [*MACHINES, f"--accelerator={ACCELERATOR}"] if job in ACCELERATED else MACHINES
            assert launch(job, cloud.arguments(job, UNLISTED, *more), patch) == 0
            found[job] = staged(job)
    return found


@each_job
def test_what_is_staged_is_a_job_that_the_service_takes(launches, cloud, job):
    told = launches[job].job
    created = cloud.service.create(json.dumps(told))
    assert created["name"] == f"{job}-20260101"
    assert told["type"] == "JOB_TYPE_BATCH"
    assert cloud.service.refused == []
    assert launches[job].size < PIPELINE_BYTES


@each_job
def test_workers_run_the_image_and_install_nothing(launches, job):
    (pool,) = launches[job].job["environment"]["workerPools"]
    assert pool["kind"] == "harness"
    images = [each["containerImage"] for each in pool["sdkHarnessContainerImages"]]
    assert set(images) == {IMAGE}
    assert len(images) == (2 if job in ACCELERATED else 1)
    assert launches[job].names == ["pipeline.pb"]
    assert not pool.get("packages")


@each_job
def test_the_options_that_matter(launches, job):
    options = launches[job].job["environment"]["sdkPipelineOptions"]["options"]
    assert options["save_main_session"] is False
    assert not options.get("requirements_file")
    assert not options.get("setup_file")
    assert launches[job].job["environment"]["tempStoragePrefix"].startswith("storage.googleapis.com/bucket/temp/")


def steps(pipeline: Any) -> dict[str, Any]:
    """The transforms that have no parts, by name."""
    return {each.unique_name: each for each in pipeline.components.transforms.values() if not each.subtransforms and each.spec.urn}


def hints(pipeline: Any, step: Any) -> dict[str, bytes]:
    return dict(pipeline.components.environments[step.environment_id].resource_hints)


@pytest.mark.parametrize("job", ACCELERATED)
def test_only_the_inference_has_the_accelerator_and_reshuffles_are_around_it(launches, job):
    pipeline = launches[job].pipeline
    every = steps(pipeline)
    accelerated = {name: each for name, each in every.items() if HINT in hints(pipeline, each)}
    assert accelerated
    assert all("Run inference" in name for name in accelerated)
    assert all(hints(pipeline, each) == {HINT: ACCELERATOR.encode()} for each in accelerated.values())
    inference = next(each for each in accelerated.values() if "BeamML_RunInference" in each.unique_name)
    producers = {output: name for name, each in every.items() for output in each.outputs.values()}
    entered = {producers[source] for each in accelerated.values() for source in each.inputs.values()} - set(accelerated)
    left = {name for name, each in every.items() if set(each.inputs.values()) & set(inference.outputs.values())} - set(accelerated)
    assert entered
    assert all("Reshuffle" in name for name in entered)
    assert left
    assert all("Leave accelerator" in name for name in left)


@each_job
def test_no_step_outside_of_inference_asks_for_a_machine_of_its_own(launches, job):
    pipeline = launches[job].pipeline
    assert not [name for name, each in steps(pipeline).items() if "Run inference" not in name and {HINT, RAM} & set(hints(pipeline, each))]


@pytest.mark.parametrize(
    ("job", "readers"),
    [
        (
            "github",
            ("Score survivors/Want", "Decide verdicts/Count scores", "Decide verdicts/Decide", "Find duplicates/Collect candidates"),
        ),
        ("commits", ("Score changes/Changed files/ParDo(_SplitKnown)", "Decide samples/Count scores", "Decide samples/Decide")),
        ("dedup", ("Find duplicates/Index files", "Find duplicates/Collect candidates")),
        ("score", ("Read/ParDo(_Read)",)),
    ],
)
def test_look_ups_by_shard_are_multimaps(launches, job, readers):
    every = steps(launches[job].pipeline)
    for reader in readers:
        payload = beam_runner_api_pb2.ParDoPayload.FromString(every[reader].spec.payload)
        assert "beam:side_input:multimap:v1" in {side.access_pattern.urn for side in payload.side_inputs.values()}, reader


@each_job
def test_machines_and_labels_are_those_asked_for(launches, job):
    told = launches[job].job
    (pool,) = told["environment"]["workerPools"]
    assert (pool["machineType"], pool["numWorkers"], pool["diskSizeGb"]) == ("n2-highmem-8", 2, 80)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 9
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert pool["subnetwork"] == "regions/region/subnetworks/private"
    assert told["labels"] == {"team": "data"}
    assert told["environment"]["serviceAccountEmail"] == "worker@project.iam"
    assert told["environment"]["serviceKmsKeyName"] == KEY


@each_job
def test_an_unknown_parameter_is_refused(cloud, monkeypatch, capsys, job):
    assert launch(job, cloud.arguments(job, "--drop_lowset=0.2"), monkeypatch) == 2
    assert "unknown argument --drop_lowset" in capsys.readouterr().err


def test_a_launch_that_cannot_be_staged_fails_in_one_line(cloud, monkeypatch, capsys):
    assert launch("dedup", [*cloud.arguments("dedup"), "--input=gs://bucket/none/*.parquet"], monkeypatch) != 0
    assert len(re.findall(r"error: .*gs://bucket/none/", capsys.readouterr().err)) == 1


@pytest.mark.slow
def test_a_job_is_submitted_and_waited_for(cloud, monkeypatch, capsys):
    """Without a template: from a user's own machine, where the service is asked for the job's state."""
    create = cloud.service.create

    def run(body):
        # What the workers would leave last.
        storage.write_json("gs://bucket/out/dedup/dedup.json", {"counts": {"read": 4, "kept": 3}})
        return create(body)

    monkeypatch.setattr(cloud.service, "create", run)
    arguments = [each for each in cloud.arguments("dedup") if not each.startswith("--template_location")]
    before = len(cloud.service.jobs)
    assert launch("dedup", [*arguments, f"--dataflow_endpoint=http://localhost:{cloud.service.port}"], monkeypatch) == 0
    assert len(cloud.service.jobs) == before + 1
    assert cloud.service.refused == []
    assert "kept 3 of 4 rows: gs://bucket/out/dedup/kept" in capsys.readouterr().out


@pytest.mark.slow
@each_job
def test_in_a_process_of_its_own(cloud, tmp_path, job):
    environment = os.environ | cloud.environment | {"BEAM_SEED_JOB": job, "PYTHONPATH": str(MAIN.parents[1])}
    command = [sys.executable, str(MAIN), *cloud.arguments(job)]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    found = staged(job)
    assert found.job["name"] == f"{job}-20260101"
    # The list of what the launcher's environment holds is staged for the service's information; nothing else, so nothing is installed.
    assert found.names == ["pipeline.pb", "submission_environment_dependencies.txt"]
    (pool,) = found.job["environment"]["workerPools"]
    assert [each["name"] for each in pool["packages"]] == ["submission_environment_dependencies.txt"]
