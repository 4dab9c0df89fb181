"""Runs in an environment of its own, with Airflow: parse the DAGs, run them against the service on loopback, tell what happened as JSON.

Usage: airflow_run.py DAGS_FOLDER PORT REQUEST..., each REQUEST a JSON object with dag, date and conf; without conf, the DAG is run as the
scheduler would start it for the events of its assets, and not at all if there are none.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock

import jinja2
from airflow.dag_processing.dagbag import DagBag
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import dagrun
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.providers.google.cloud.hooks import dataflow
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.dataflow_v1beta3 import GetJobRequest, JobsV1Beta3Client
from sqlalchemy import select


def queued_by_asset(dag_id: str) -> DagRun | None:
    """The run that the scheduler queues for the events since the last one, made by the scheduler's own code."""
    with create_session() as session:
        SchedulerJobRunner(Job())._create_dag_runs_asset_triggered(dag_models=[session.get(DagModel, dag_id)], session=session)
        return session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state == DagRunState.QUEUED))


def run_queued(queued: DagRun, dag: Any, session: Any, **_: Any) -> DagRun:
    """In place of the run that ``dag.test`` makes."""
    found: DagRun = session.get(DagRun, queued.id)
    found.dag, found.state = dag, DagRunState.RUNNING
    session.commit()
    return found


def run(dag: Any, date: str, conf: dict[str, Any] | None) -> dict[str, Any] | None:
    with ExitStack() as stack:
        if conf is None:
            if not (queued := queued_by_asset(dag.dag_id)):
                return None
            stack.enter_context(mock.patch.object(dagrun, "get_or_create_dagrun", partial(run_queued, queued)))
        ended = dag.test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC), run_conf=conf)
    tasks = ended.get_task_instances()
    return {
        "state": str(ended.state),
        "type": str(ended.run_type),
        "tasks": {each.task_id: str(each.state) for each in tasks},
        "tries": {each.task_id: each.try_number for each in tasks},
    }


def on_vertex_ai(folder: str, shards: str) -> dict[str, Any]:
    """What the operator that is there without one of our own would ask for."""
    sys.path.insert(0, folder)
    training = importlib.import_module("training")
    operator = training.on_vertex_ai("on_vertex_ai", training.FOLDER)
    params = {"shards": shards, "project": "project", "region": "us-central1", "image": "image:1", "bucket": "bucket", "model": "tiny"}
    operator.render_template_fields({"params": params}, jinja2.Environment(undefined=jinja2.ChainableUndefined))
    return {name: getattr(operator, name) for name in operator.template_fields}


def main(folder: str, port: str, *requests: str) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    build = dataflow.build

    # Airflow has no setting for the address of the service: both of its clients are told here.
    def build_there(*args: Any, **more: Any) -> Any:
        return build(*args, **more | {"client_options": ClientOptions(api_endpoint=endpoint)})

    async def get_job(_: Any, job_id: str, project_id: str, job_view: int = 0, location: str = "") -> Any:
        options = ClientOptions(api_endpoint=endpoint)
        client = JobsV1Beta3Client(credentials=AnonymousCredentials(), client_options=options, transport="rest")
        return client.get_job(GetJobRequest(project_id=project_id, job_id=job_id, location=location))

    bag = DagBag(folder)
    assert {"beam_seed_curation", "beam_seed_training"} == set(bag.dags), bag.import_errors
    for task in (task for dag in bag.dags.values() for task in dag.tasks):
        # As many tries as the DAG says, but a test cannot wait ten minutes for the second.
        task.retry_delay, task.retry_exponential_backoff = timedelta(seconds=1), 0
    with mock.patch.object(dataflow, "build", build_there), mock.patch.object(dataflow.AsyncDataflowHook, "get_job", get_job):
        runs = [run(bag.dags[each["dag"]], each["date"], each.get("conf")) for each in map(json.loads, requests)]
    vertex = on_vertex_ai(folder, "gs://bucket/curation/20260105/shards")
    dags = {name: {"tasks": sorted(dag.task_ids), "schema": dag.params.dump()} for name, dag in bag.dags.items()}
    print("RESULT " + json.dumps({"errors": bag.import_errors, "dags": dags, "runs": runs, "vertex": vertex}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
