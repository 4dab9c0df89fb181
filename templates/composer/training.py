"""Training on the shards that ``beam_seed_curation`` hands over: started by the asset, not by the clock.

``BEAM_SEED_TRAINING=package.module:function`` names the operator of your cluster: a function of the task's id and of the folder of shards
(a template) that returns an operator. It runs ``torchrun ... --shards=FOLDER`` where your accelerators are. Without it, the run is on
Vertex AI.
"""

from __future__ import annotations

import importlib
import os
from datetime import datetime
from typing import Any

from airflow.providers.google.cloud.operators.vertex_ai.custom_job import CreateCustomContainerTrainingJobOperator
from airflow.sdk import DAG, Asset, Param

SHARDS = Asset("beam_seed_shards")
# Of several days that came since the last run, the newest.
FOLDER = "{{ (triggering_asset_events.values() | first | last).extra['shards'] if triggering_asset_events else params.shards }}"


class TrainOnVertexAI(CreateCustomContainerTrainingJobOperator):
    """The provider's operator, but for what it takes as it stands and this DAG has as parameters."""

    template_fields = (*CreateCustomContainerTrainingJobOperator.template_fields, "project_id", "container_uri", "staging_bucket")


def on_vertex_ai(task_id: str, shards: str) -> TrainOnVertexAI:
    """One machine of eight accelerators; several machines are ``replica_count`` and torchrun's rendezvous."""
    # In the bucket as the service mounts it, a folder for each folder of shards: a run that was cut short goes on there, and no other does.
    folder = "{% set shards %}" + shards + "{% endset %}{{ shards.removeprefix('gs://') }}"
    command = ["torchrun", "--standalone", "--nproc-per-node=8", "-m", "beam_seed.trainer.pretrain"]
    command += [f"--shards={shards}", "--model={{ params.model }}", "--output=/gcs/{{ params.bucket }}/training/" + folder]
    return TrainOnVertexAI(
        task_id=task_id,
        project_id="{{ params.project }}",
        region="{{ params.region }}",
        staging_bucket="gs://{{ params.bucket }}",
        display_name="beam-seed-pretraining",
        container_uri="{{ params.image }}",
        command=command,
        replica_count=1,
        machine_type="a3-highgpu-8g",
        accelerator_type="NVIDIA_H100_80GB",
        accelerator_count=8,
    )


def operator(task_id: str, shards: str) -> Any:
    """The operator that ``BEAM_SEED_TRAINING`` names."""
    module, _, name = os.environ.get("BEAM_SEED_TRAINING", f"{__name__}:on_vertex_ai").partition(":")
    return (on_vertex_ai if module == __name__ else getattr(importlib.import_module(module), name))(task_id, shards)


with DAG(
    "beam_seed_training",
    description="Pretraining on the newest shards",
    schedule=[SHARDS],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "shards": Param("", type="string", description="Folder of shards of a run that is started by hand."),
        "project": Param("my-project", type="string", minLength=6),
        "model": Param("seed-coder-8b", type="string", minLength=1, description="Preset, or YAML or JSON file in the image, of the model."),
        "region": Param("us-central1", type="string", pattern="^[a-z]+-[a-z]+[0-9]+$"),
        "image": Param("us-central1-docker.pkg.dev/my-project/beam-seed/training:latest", type="string", minLength=1),
        "bucket": Param("my-bucket", type="string", pattern="^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$"),
    },
    tags=["beam-seed"],
) as dag:
    operator("train", FOLDER)
