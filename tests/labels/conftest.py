"""A scripted endpoint in a process of its own, and what tests ask it about."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beam_seed.labels import chat_rater
from beam_seed.labels.oracles import Chat


class ScriptedEndpoint:
    """The server's process."""

    def __init__(self, **script: Any):
        command = [sys.executable, str(Path(__file__).parent / "scripted_endpoint.py"), json.dumps(script)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url, timeout=10) as response:
            return json.loads(response.read())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start_endpoint() -> Iterator[Callable[..., ScriptedEndpoint]]:
    started: list[ScriptedEndpoint] = []

    def start(**script: Any) -> ScriptedEndpoint:
        started.append(ScriptedEndpoint(**script))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.stop()


@pytest.fixture
def endpoint(start_endpoint) -> ScriptedEndpoint:
    return start_endpoint()


@pytest.fixture
def fast_retries(monkeypatch) -> None:
    """Back-off of milliseconds, for retries in this process."""
    import tenacity

    monkeypatch.setattr(chat_rater, "_BACKOFF", tenacity.wait_random_exponential(multiplier=0.01, max=0.05))


@pytest.fixture
def chat(tmp_path) -> Callable[..., Chat]:
    """Settings of a chat oracle for an endpoint, with a cache of the test's own."""

    def make(server: ScriptedEndpoint, /, **values: Any) -> Chat:
        return Chat(**{"endpoint": server.url, "model": "m", "cache": str(tmp_path / "cache"), "retries": 3, "timeout": 20.0} | values)

    return make
