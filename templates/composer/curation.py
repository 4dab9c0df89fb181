"""Incremental curation on Cloud Composer: repositories, histories and web in parallel, then training shards, then a hand-over.

Every run writes below ``gs://BUCKET/curation/DAY``, by its logical date and nothing else, and gives each job a name by job and day. So a
task that is tried again goes on in the folder that it left, where finished stages are reused, and two tries never write at once: the
service refuses a second job of a name while the first still runs. What earlier days took is not taken again (``--against``).
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator
from airflow.sdk import DAG, Asset, Metadata, Param, task

SHARDS = Asset("beam_seed_shards")
"""Updated when a day's shards are there and whole; its event's ``extra`` says where. Whoever trains schedules on it."""

DAY = "{{ (dag_run.logical_date or dag_run.run_after) | ds_nodash }}"
FOLDER = "gs://{{ params.bucket }}/curation/" + DAY
SOURCES = {"code": "github/corpora/file_level", "commits": "commits/corpora", "web": "web/corpora"}

_GS = "^gs://[^\\n\\r]+$"
PARAMS = {
    "project": Param("my-project", type="string", minLength=6, description="Project of the jobs."),
    "region": Param("us-central1", type="string", pattern="^[a-z]+-[a-z]+[0-9]+$"),
    "bucket": Param("my-bucket", type="string", pattern="^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", description="Bucket of specs and data."),
    "version": Param(
        "latest", type="string", pattern="^[A-Za-z0-9_.-]+$", description="Version of the specs that templates/build.sh wrote."
    ),
    "repositories": Param("gs://my-bucket/input/repositories/*", type="string", pattern=_GS),
    "histories": Param("gs://my-bucket/input/histories/*.bundle", type="string", pattern=_GS),
    "archives": Param("gs://my-bucket/input/web/*.warc.gz", type="string", pattern=_GS),
    "tokenizer": Param("gs://my-bucket/tokenizer", type="string", pattern=_GS),
    "stage": Param("gs://my-bucket/mixture.yaml", type="string", pattern=_GS, description="The mixture of the shards."),
    "against": Param("", type="string", description="Earlier days to deduplicate against, such as 20260101,20260108."),
    "max_workers": Param(50, type="integer", minimum=1, maximum=4000),
    "machine_type": Param("n2-highmem-8", type="string", pattern="^[a-z0-9]+(-[a-z0-9]+)+$"),
    "service_account": Param("", type="string", description="Account of the workers; empty for the project's default."),
    "subnetwork": Param("", type="string", description="With private addresses only; empty for the default network."),
    "accelerator": Param("", type="string", description="Of the scoring steps, such as type:nvidia-l4;count:1;install-nvidia-driver."),
}

DEFAULTS = {
    "retries": 2,
    "retry_delay": timedelta(minutes=10),
    "retry_exponential_backoff": True,
    "execution_timeout": timedelta(days=6),
}


def against(job: str) -> str:
    """The folders of a job of earlier days, with commas, as a template."""
    folder = "gs://{{ params.bucket }}/curation/"
    return "{% for day in params.against.split(',') if day %}" + folder + "{{ day }}/" + job + "{{ '' if loop.last else ',' }}{% endfor %}"


def start(job: str, parameters: dict[str, str]) -> DataflowStartFlexTemplateOperator:
    """The task that launches a job and waits for it without holding a worker."""
    environment = {
        "maxWorkers": "{{ params.max_workers }}",
        "machineType": "{{ params.machine_type }}",
        "tempLocation": "gs://{{ params.bucket }}/temp",
        "stagingLocation": "gs://{{ params.bucket }}/staging",
        "serviceAccountEmail": "{{ params.service_account }}",
        "subnetwork": "{{ params.subnetwork }}",
        "ipConfiguration": "{{ 'WORKER_IP_PRIVATE' if params.subnetwork else 'WORKER_IP_UNSPECIFIED' }}",
        "additionalUserLabels": {"pipeline": "beam-seed", "job": job, "day": DAY},
    }
    return DataflowStartFlexTemplateOperator(
        task_id=job.replace("-", "_"),
        project_id="{{ params.project }}",
        location="{{ params.region }}",
        append_job_name=False,
        deferrable=True,
        body={
            "launchParameter": {
                "jobName": f"beam-seed-{job}-{DAY}",
                "containerSpecGcsPath": f"gs://{{{{ params.bucket }}}}/templates/{{{{ params.version }}}}/{job}.json",
                "parameters": {"output": f"{FOLDER}/{job}"} | parameters,
                "environment": environment,
            }
        },
    )


def faults(manifest: dict[str, Any], sizes: dict[str, int]) -> list[str]:
    """What is wrong with a manifest of shards, given the sizes of the objects below its folder by their names."""
    listed = {shard["path"]: shard["size"] for shard in manifest["shards"]}
    found = [f"{name}: {sizes.get(name, 'no')} bytes; expected {size}" for name, size in listed.items() if sizes.get(name) != size]
    found += [f"{name}: not in the manifest" for name in sizes if name.startswith("shards/") and name not in listed]
    if sum(shard["sequences"] for shard in manifest["shards"]) != manifest["sequences"] or not manifest["sequences"]:
        found.append(f"sequences: {manifest['sequences']}; expected the sum of the shards', and more than 0")
    return found


@task(outlets=[SHARDS], retries=0)
def check_manifest(folder: str) -> Any:
    """Hand the shards over, if they are whole. A fault stays one however often it is looked at, so there are no retries."""
    bucket, _, prefix = folder.removeprefix("gs://").partition("/")
    with GCSHook().get_conn() as storage:
        sizes = {blob.name.removeprefix(prefix + "/"): blob.size for blob in storage.list_blobs(bucket, prefix=prefix + "/")}
        if "manifest.json" not in sizes:
            raise FileNotFoundError(f"{folder} holds no manifest.json; expected the output of a finished job")
        manifest = json.loads(storage.bucket(bucket).blob(f"{prefix}/manifest.json").download_as_bytes())
    if found := faults(manifest, sizes):
        raise ValueError(f"{folder}: {'; '.join(found[:5])} ({len(found)} faults)")
    yield Metadata(SHARDS, {"shards": folder, "sequences": manifest["sequences"], "tokenizer": manifest["tokenizer"]})


with DAG(
    "beam_seed_curation",
    description="Repositories, histories and web into training shards, without what earlier days took",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args=DEFAULTS,
    tags=["beam-seed"],
) as dag:
    accelerated = {"accelerator": "{{ params.accelerator }}"}
    curated = [
        start("github", {"input": "{{ params.repositories }}", "against": against("github")} | accelerated),
        start("commits", {"input": "{{ params.histories }}", "against": against("commits")} | accelerated),
        start("web", {"input": "{{ params.archives }}", "against": against("web")} | accelerated),
    ]
    sources = ",".join(f"{name}={FOLDER}/{path}" for name, path in SOURCES.items())
    shards = start("shards", {"stage": "{{ params.stage }}", "source": sources, "tokenizer": "{{ params.tokenizer }}"})
    curated >> shards >> check_manifest(f"{FOLDER}/shards")
