"""The few calls of the Dataflow API that a launch makes, on loopback. Every request must parse as Google's own message type.

Run as a program it prints its port, then serves until its standard input closes: the Airflow environment starts it so.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.cloud import dataflow_v1beta3 as dataflow
from google.protobuf import json_format


def strict(message: Any, text: str) -> Any:
    """``text`` as one of Google's messages. Raises ParseError on a field that it does not have."""
    return message.from_json(text, ignore_unknown_fields=False)


class NameTakenError(Exception):
    """There is an active job of that name."""


class FakeDataflow:
    """A service whose jobs are done at once. ``jobs``, ``launches``: the bodies it took; ``refused``: why it took others not.

    ``failing``: how many of the next jobs of a name fail. ``active``: how many of the next launches of a name find a job that still runs.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.launches: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.taken: list[str] = []  # names of launches that were refused because a job of that name still ran
        self.active: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def create(self, body: str) -> dict[str, Any]:
        strict(dataflow.Job, body)
        return self._add(json.loads(body))

    def launch(self, body: str) -> dict[str, Any]:
        strict(dataflow.LaunchFlexTemplateRequest, body)
        launch = json.loads(body)
        name = launch["launchParameter"]["jobName"]
        if self.active[name]:
            self.active[name] -= 1
            self.taken.append(name)
            raise NameTakenError(name)
        self.launches.append(launch)
        return {"job": self._add({"name": name, "type": "JOB_TYPE_BATCH"})}

    def _add(self, job: dict[str, Any]) -> dict[str, Any]:
        job_id = f"2026-01-01_00_00_00-{len(self.jobs)}"
        fails = self.failing[job.get("name", "")] > 0
        self.failing[job.get("name", "")] -= fails
        self.jobs[job_id] = job | {"currentState": "JOB_STATE_FAILED" if fails else "JOB_STATE_DONE"}
        return self.told(job_id)

    def told(self, job_id: str) -> dict[str, Any]:
        job = self.jobs[job_id]
        kept = {name: job[name] for name in ("name", "type", "currentState") if name in job}
        return kept | {"id": job_id, "projectId": "project", "location": "region"}

    def _handler(fake) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                path = self.path.partition("?")[0]
                try:
                    if re.fullmatch(r"/v1b3/projects/[^/]+/locations/[^/]+/jobs", path):
                        self.answer(fake.create(body))
                    elif re.fullmatch(r"/v1b3/projects/[^/]+/locations/[^/]+/flexTemplates:launch", path):
                        self.answer(fake.launch(body))
                    elif path == "/token":
                        self.answer({"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})
                    else:
                        self.answer({"error": {"code": 404, "message": path}}, 404)
                except NameTakenError as error:
                    self.answer(
                        {"error": {"code": 409, "message": f"There is already an active job named {error}", "status": "ALREADY_EXISTS"}},
                        409,
                    )
                except json_format.ParseError as error:
                    fake.refused.append(str(error))
                    self.answer({"error": {"code": 400, "message": str(error)}}, 400)

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                found = re.fullmatch(r"/v1b3/projects/[^/]+/locations/[^/]+/jobs/([^/]+)(/messages|/metrics)?", path)
                if found and found[1] in fake.jobs:
                    self.answer({"/messages": {"jobMessages": []}, "/metrics": {"metrics": []}}.get(found[2] or "", fake.told(found[1])))
                else:
                    self.answer({"error": {"code": 404, "message": path}}, 404)

            def answer(self, value: Any, status: int = 200) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


if __name__ == "__main__":
    service = FakeDataflow()
    print(service.port, flush=True)
    sys.stdin.read()
