"""Runs in an environment of its own, with Airflow: parse the DAGs, run them against the service on loopback, tell what happened as JSON.

Usage: airflow_run.py DAGS_FOLDER PORT REQUEST..., each REQUEST a JSON object with dag, date and conf.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from airflow.dag_processing.dagbag import DagBag
from airflow.providers.google.cloud.hooks import dataflow
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.dataflow_v1beta3 import GetJobRequest, JobsV1Beta3Client


def run(dag: Any, date: str, conf: dict[str, Any]) -> dict[str, Any]:
    for each in dag.tasks:
        each.retries = 0  # a test would wait ten minutes for the second try
    ended = dag.test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC), run_conf=conf)
    return {"state": str(ended.state), "tasks": {each.task_id: str(each.state) for each in ended.get_task_instances()}}


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
    with mock.patch.object(dataflow, "build", build_there), mock.patch.object(dataflow.AsyncDataflowHook, "get_job", get_job):
        runs = [run(bag.dags[each["dag"]], each["date"], each["conf"]) for each in map(json.loads, requests)]
    dags = {name: {"tasks": sorted(dag.task_ids), "schema": dag.params.dump()} for name, dag in bag.dags.items()}
    print("RESULT " + json.dumps({"errors": bag.import_errors, "dags": dags, "runs": runs}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
