"""A cloud on loopback: a bucket, a Dataflow service and a service account; and the Flex launcher's command line."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from beam_seed import storage
from beam_seed.trainer.tokenizer import train_tokenizer


def _load(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


sys.modules["templates_cloud"] = sys.modules[__name__]  # for the tests to import from
fake_dataflow = _load("fake_dataflow")
server_module = pytest.importorskip("gcp_storage_emulator.server")

IMAGE = "region-docker.pkg.dev/project/repository/beam-seed:1"
ACCELERATOR = "type:nvidia-l4;count:1;machine_type:g2-standard-8;install-nvidia-driver"

# What each job needs besides --input and --output.
MORE = {
    "commits": ["--min_stars=0", "--min_forks=0", "--min_commits=1", "--min_days=0"],
    "sample": ["--per_language=2"],
    "label": ["--oracle=rubric"],
    "decontaminate": ["--benchmarks=gs://bucket/benchmark.jsonl"],
    "high-quality": ["--sources=gs://bucket/sources.yaml"],
    "long-context": ["--files=gs://bucket/tables/*.parquet", "--drop_lowest=0"],
    "shards": ["--stage=gs://bucket/stage.yaml", "--tokenizer=gs://bucket/tokenizer", "--shards=2"],
}
ACCELERATED = ("github", "commits", "web", "score")
# Names of what lies in the bucket; a job that is not here reads the table of files.
INPUT = {
    "web": "web/*.warc",
    "commits": "histories/*.bundle",
    "github": "tables/*.parquet,archives/*.zip",
    "notebooks": "archives/*.zip",
    "shards": "",  # its sources are those of the stage
}


class Cloud(NamedTuple):
    service: Any  # FakeDataflow
    environment: dict[str, str]

    def arguments(self, job: str, *more: str) -> list[str]:
        """The command line of the Flex launcher: the user's parameters, then its own."""
        inputs = ",".join(f"gs://bucket/{name}" for name in INPUT.get(job, "tables/*.parquet").split(",") if name)
        return [
            *([f"--input={inputs}"] if inputs else []),
            f"--output=gs://bucket/out/{job}",
            *MORE.get(job, []),
            *more,
            "--runner=DataflowRunner",
            "--project=project",
            "--region=region",
            f"--job_name={job}-20260101",
            f"--template_location=gs://bucket/staging/template_launches/{job}/job_object",
            "--staging_location=gs://bucket/staging",
            "--temp_location=gs://bucket/temp",
            f"--sdk_container_image={IMAGE}",
        ]


def rows() -> pa.Table:
    texts = [f"def add_{number}(a, b):\n    return a + b + {number}\n" * 3 for number in range(12)]
    paths = [f"src/file_{number}.py" for number in range(12)]
    quality = [number / 12 for number in range(12)]
    named = {"id": paths, "repo": ["demo"] * 12, "path": paths, "content": texts, "language": ["Python"] * 12, "quality": quality}
    return pa.table(named)


def history(folder: Path) -> bytes:
    """A bundle of a repository of some commits."""
    for number in range(8):
        (folder / "a.py").write_text("".join(f"def f{line}(x):\n    return x + {line * number}\n" for line in range(10 + number)))
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", f"Change what the functions return, number {number}"]):
            author = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
            subprocess.run(["git", *author, *command], cwd=folder, check=True, capture_output=True)
    subprocess.run(["git", "bundle", "create", "-q", "history.bundle", "HEAD"], cwd=folder, check=True)
    return (folder / "history.bundle").read_bytes()


def fill(folder: Path) -> None:
    """Put the jobs' input into the bucket."""
    table, archive = io.BytesIO(), io.BytesIO()
    pq.write_table(rows(), table)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("demo/pkg/module.py", "def sub(a, b):\n    return a - b\n" * 4)
        file.writestr(
            "demo/pkg/notes.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": "x = 1", "outputs": []}], "nbformat": 4})
        )
    for name, data in {
        "tables/files.parquet": table.getvalue(),
        "benchmark.jsonl": b'{"prompt": "def f(a, b): return a + b + c + d + e + f + g + h + i + j + k"}\n',
        "web/pages.warc": b"",
        "archives/demo.zip": archive.getvalue(),
        "histories/demo.bundle": history(folder),
        "sources.yaml": b"sources: {all: {pool: {languages: [Python]}, seed: {quality_top: 0.5}}}\n",
        "stage.yaml": b"sequence_length: 64\nsources: {code: {epochs: 1, input: [gs://bucket/tables]}}\n",
        "tokenizer/tokenizer.json": train_tokenizer(rows()["content"].to_pylist(), 320).to_str().encode(),
    }.items():
        with storage.open_write(f"gs://bucket/{name}") as out:
            out.write(data)


def account(port: int) -> str:
    """Key file of a service account that the fake service answers for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    told = {"type": "service_account", "project_id": "project", "private_key_id": "1", "client_email": "a@project.iam", "client_id": "1"}
    return json.dumps(told | {"private_key": pem.decode(), "token_uri": f"http://127.0.0.1:{port}/token"})


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    bucket = server_module.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    bucket.start()
    service = fake_dataflow.FakeDataflow()
    key = tmp_path_factory.mktemp("account") / "key.json"
    key.write_text(account(service.port))
    environment = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{bucket._api._httpd.socket.getsockname()[1]}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "GOOGLE_CLOUD_PROJECT": "project",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", False)
        patch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials", None)
        fill(tmp_path_factory.mktemp("history"))
        yield Cloud(service, environment)
    service.close()
    bucket.stop()
