"""The image: one Beam and one Python everywhere, what it installs is locked, linters pass; slow: it is built and launches a job."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import requires, version
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from templates_cloud import rows

from beam_seed import storage
from pipelines import templates

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "templates").rglob("*.sh"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(text: str) -> dict[str, str]:
    return {canonicalize_name(name): pinned for name, pinned in re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", text, re.M)}


def test_one_beam_version_everywhere():
    told = {
        "Dockerfile": re.findall(r"^ARG BEAM=(.+)$", read("Dockerfile"), re.M),
        "pyproject.toml": re.findall(r'"apache-beam\[gcp\]==([^"]+)"', read("pyproject.toml")),
        "requirements.txt": [pins(read("requirements.txt"))["apache-beam"]],
        "requirements.lock": [pins(read("templates/requirements.lock"))["apache-beam"]],
        "installed": [version("apache-beam")],
    }
    assert set(map(tuple, told.values())) == {(version("apache-beam"),)}, told
    assert "apache/beam_python${PYTHON}_sdk:${BEAM}" in read("Dockerfile")


def test_one_python_minor_everywhere():
    (minor,) = re.findall(r"^ARG PYTHON=(.+)$", read("Dockerfile"), re.M)
    assert "python:${PYTHON}-slim" in read("Dockerfile")
    assert re.findall(r"^PYTHON \?= python(.+)$", read("Makefile"), re.M) == [minor]
    assert f"--python-version {minor}" in read("templates/lock.sh")
    assert f'python_version = "{minor}"' in read("pyproject.toml")
    assert f"python{minor.replace('.', '')}-template-launcher-base" in read("Dockerfile")
    assert minor in "".join(re.findall(r'requires-python = "(.+)"', read("pyproject.toml")))


@pytest.mark.parametrize("variant", ["cpu", "cuda"])
def test_the_lock_is_whole_hashed_and_of_the_tested_versions(variant):
    text = read("templates/requirements.lock") + read(f"templates/{variant}.lock")
    locked, tested = pins(text), pins(read("requirements.txt"))
    assert len(re.findall(r"^[A-Za-z0-9._-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.M)) == len(locked)
    assert {name: tested[name] for name in locked if name in tested} == {
        name: pinned.removesuffix("+cpu") for name, pinned in locked.items() if name in tested
    }
    needs = closure(tomllib.loads(read("pyproject.toml"))["project"]["dependencies"])
    assert unmet(needs, locked) == []
    assert unmet(needs, {name: pinned for name, pinned in locked.items() if name != "sympy"})  # of torch: not among ours


def closure(dependencies: list[str]) -> list[Requirement]:
    """Requirements of packages and of what they need in turn, with their extras, as the installed packages tell them."""
    found, seen = [], set()
    todo = [Requirement(each) for each in dependencies]
    while todo:
        found.append(requirement := todo.pop())
        for extra in {"", *requirement.extras} - {extra for name, extra in seen if name == canonicalize_name(requirement.name)}:
            seen.add((canonicalize_name(requirement.name), extra))
            needed = map(Requirement, requires(requirement.name) or [])
            todo += [each for each in needed if each.marker is None or each.marker.evaluate({"extra": extra})]
    return found


def unmet(needs: list[Requirement], locked: dict[str, str]) -> list[str]:
    names = [(each, canonicalize_name(each.name)) for each in needs]
    return [str(each) for each, name in names if name not in locked or not each.specifier.contains(locked[name], prereleases=True)]


def test_nothing_of_the_base_image_shadows_what_is_locked():
    """Python's image brings setuptools (once 65.5): beside a locked one it was found first, and torch's demand was not met."""
    text = read("Dockerfile")
    assert text.rindex("pip uninstall --yes setuptools wheel") < text.index("COPY --from=build /install /usr/local")


def test_what_the_image_runs_is_there():
    text = read("Dockerfile")
    assert "FLEX_TEMPLATE_PYTHON_PY_FILE=/template/main.py" in text
    assert "FLEX_TEMPLATE_PYTHON_REQUIREMENTS_FILE" not in text  # each worker would install it anew
    assert "FLEX_TEMPLATE_PYTHON_SETUP_FILE" not in text
    assert 'ENTRYPOINT ["/opt/apache/beam/boot"]' in text
    assert re.findall(r"^ARG JOB=(.+)$", text, re.M)[0] in templates.LAUNCHABLE


def test_hadolint():
    told = subprocess.run([Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is no Python package; install it from your distribution")
def test_shellcheck():
    told = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (0, "")


def dry_run(script: str, *arguments: str, **environment: str) -> str:
    command = ["bash", str(ROOT / "templates" / script), *arguments]
    told = os.environ | {"DRY_RUN": "1", "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, env=told, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_scripts_say_what_they_would_do():
    told = dry_run("build.sh", "score", "cuda", REPOSITORY="host/project/images", BUCKET="bucket", VERSION="v1")
    assert "docker build --build-arg JOB=score --build-arg VARIANT=cuda --tag host/project/images/score:v1-cuda ." in told
    assert told.splitlines()[-1] == "gs://bucket/templates/v1/score.json"
    run = {"PROJECT": "project", "BUCKET": "bucket", "VERSION": "v1", "SUBNETWORK": "regions/r/subnetworks/s", "LABELS": "a=b"}
    told = dry_run("run.sh", "score", "input=gs://a,gs://b", "output=gs://c", **run)
    assert "--template-file-gcs-location=gs://bucket/templates/v1/score.json" in told
    assert "--subnetwork=regions/r/subnetworks/s --disable-public-ips" in told
    assert told.rstrip().endswith("--parameters=^~^input=gs://a,gs://b~output=gs://c")
    job = "-m pipelines.cli score --input=gs://a,gs://b --output=gs://c --parallelism=4 --sdk_worker_parallelism=4"
    given = ["score", "input=gs://a,gs://b", "output=gs://c"]
    told = dry_run("flink/run.sh", *given, FLINK_MASTER="http://flink:8081", JOB_SERVER_JAR="x.jar")
    flink = "--runner=FlinkRunner --flink_master=http://flink:8081 --flink_version=1.20"
    flink += " --flink_submit_uber_jar --flink_job_server_jar=x.jar"
    assert told.rstrip().endswith(f"{job} {flink} --environment_type=EXTERNAL --environment_config=localhost:50000")
    told = dry_run("flink/run.sh", *given, JOB_ENDPOINT="localhost:8099", WORKERS="LOOPBACK")
    assert told.rstrip().endswith(f"{job} --runner=PortableRunner --job_endpoint=localhost:8099 --environment_type=LOOPBACK")


def test_one_flink_version_everywhere():
    deployment = yaml.safe_load(read("templates/flink/deployment.yaml"))["spec"]
    (flink,) = re.findall(r"FLINK_VERSION:-([0-9.]+)\}", read("templates/flink/run.sh"))
    assert flink in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    assert deployment["flinkVersion"] == f"v{flink.replace('.', '_')}"
    assert deployment["image"].startswith(f"flink:{flink}-")
    told = read("templates/flink/run.sh") + read("docs/engines.md") + read("templates/README.md")
    jars = set(re.findall(r"beam-runners-flink-[0-9.]+-job-server-[0-9.]+\.jar", told))
    assert jars == {f"beam-runners-flink-{flink}-job-server-{version('apache-beam')}.jar"}
    assert f"Beam {version('apache-beam')} has job servers for Flink" in read("docs/engines.md")


def test_the_pool_on_flink_is_our_image_with_a_process_for_each_slot():
    deployment = yaml.safe_load(read("templates/flink/deployment.yaml"))
    assert (deployment["apiVersion"], deployment["kind"]) == ("flink.apache.org/v1beta1", "FlinkDeployment")
    main, pool = deployment["spec"]["taskManager"]["podTemplate"]["spec"]["containers"]
    assert main["name"] == "flink-main-container"  # the name by which the operator knows its own
    assert pool["args"] == ["--worker_pool"]
    assert pool["ports"] == [{"containerPort": 50000}]
    slots = deployment["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"]
    assert slots == pool["resources"]["requests"]["cpu"]
    script = read("templates/flink/run.sh")
    assert f"PROCESSES:-{slots}}}" in script
    assert "localhost:50000" in script


class Container(NamedTuple):
    """A container of the built image, and how buildah is called for it."""

    name: str
    environment: dict[str, str]

    def buildah(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["buildah", *command], env=self.environment, capture_output=True, text=True)

    def run(self, *command: str, folder: Path | None = None, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command of the image, with a folder of this machine at its own path."""
        volume = [f"--volume={folder}:{folder}:rw"] if folder else []
        return self.buildah("run", *volume, *options, self.name, "--", *command)


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    image = os.environ.get("BEAM_SEED_IMAGE", "")  # one that is there already, in the storage of STORAGE_DRIVER
    driver = os.environ.get("STORAGE_DRIVER", "vfs")
    if not image:
        image = "localhost/beam-seed:test"
        built = subprocess.run([ROOT / "templates" / "build_offline.sh", image, "cpu", "dedup"], capture_output=True, text=True)
        assert built.returncode == 0, f"{built.stdout[-2000:]}\n{built.stderr[-4000:]}"
        driver = built.stdout.splitlines()[-1]
    environment = os.environ | {"STORAGE_DRIVER": driver, "BUILDAH_ISOLATION": "chroot"}
    found = subprocess.run(["buildah", "from", image], env=environment, capture_output=True, text=True, check=True).stdout.strip()
    container = Container(found, environment)
    yield container
    container.buildah("rm", found)


def in_image(test: Callable[..., None]) -> Callable[..., None]:
    able = os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap")
    skipped = pytest.mark.skipif(not able, reason="needs root, buildah and debootstrap")
    return pytest.mark.slow(pytest.mark.timeout(3600)(skipped(test)))


@in_image
def test_what_the_image_holds(container):
    told = container.buildah("inspect", "--format", "{{.OCIv1.Config.Entrypoint}}", container.name).stdout
    assert told.strip() == "[/opt/apache/beam/boot]"
    # Of the cache of pip, the folder that it was mounted at is left.
    for command in ("test -x /opt/apache/beam/boot", "git --version", 'test -z "$(ls -A /root/.cache/pip)"'):
        ended = container.run("sh", "-c", command)
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"


@in_image
def test_a_job_runs_in_the_image_as_a_user_without_a_home(container, tmp_path):
    (tmp_path / "in").mkdir()
    twice = {name: [*column, column[0]] for name, column in rows().to_pydict().items()}
    pq.write_table(pa.table(twice | {"id": [*twice["path"][:-1], "copy.py"]}), tmp_path / "in" / "files.parquet")
    tmp_path.chmod(0o777)
    arguments = [f"--input={tmp_path}/in/*.parquet", f"--output={tmp_path}/out"]
    ended = container.run("python", "/template/main.py", *arguments, folder=tmp_path, options=["--user=65532"])
    assert ended.returncode == 0, ended.stderr[-2000:]
    kept = ds.dataset(tmp_path / "out" / "kept").to_table()
    assert sorted(kept["id"].to_pylist()) == sorted(rows()["id"].to_pylist())
    assert (tmp_path / "out").stat().st_uid == 65532


@in_image
def test_the_image_launches_a_job(container, cloud):
    told = [f"--env={name}={value}" for name, value in cloud.environment.items()]
    folder = Path(cloud.environment["GOOGLE_APPLICATION_CREDENTIALS"]).parent
    launcher = "/opt/google/dataflow/python_template_launcher"
    assert "--near-threshold" in container.run(launcher, "--help").stdout
    name = "gs://bucket/staging/template_launches/in_image/job_object"
    arguments = [each for each in cloud.arguments("dedup") if not each.startswith("--template_location=")]
    ended = container.run(launcher, *arguments, f"--template_location={name}", folder=folder, options=told)
    assert ended.returncode == 0, ended.stderr
    assert storage.read_json(name)["name"] == "dedup-20260101"
