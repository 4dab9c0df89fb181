"""What is generated from the options is in step with them, valid by Google's own types, and accepted by the jobs' own parser."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import googleapiclient
import pytest
from google.cloud import dataflow_v1beta3 as dataflow
from google.protobuf import json_format

from beam_seed import options as opt
from pipelines import templates

ROOT = Path(__file__).parents[2]
IMAGE = "region-docker.pkg.dev/project/repository/beam-seed:1-github"
DISCOVERY = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "dataflow.v1b3.json"

# Options of the launcher and of the service: a parameter of such a name breaks the launch.
TAKEN = {
    "project",
    "region",
    "job_name",
    "runner",
    "template_location",
    "staging_location",
    "temp_location",
    "sdk_container_image",
    "labels",
}

each_job = pytest.mark.parametrize("job", templates.LAUNCHABLE)


@functools.cache
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DISCOVERY.read_text())["schemas"]
    return found


def faults(value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
    """What is wrong with a value by a schema of the discovery document, unknown and missing fields included."""
    schema = schemas()[schema["$ref"]] if "$ref" in schema else schema
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "any": object}
    if not isinstance(value, kinds[schema["type"]]):
        return [f"{where}: {value!r} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is none of {schema['enum']}"]
    if isinstance(value, list):
        return [fault for n, item in enumerate(value) for fault in faults(item, schema["items"], f"{where}[{n}]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    found = [f"{where}: unknown field {name!r}" for name in value if name not in known]
    found += [
        f"{where}: no {name!r}" for name, told in known.items() if told.get("description", "").startswith("Required.") and name not in value
    ]
    return found + [fault for name in value if name in known for fault in faults(value[name], known[name], f"{where}.{name}")]


def test_what_is_generated_is_what_is_committed():
    committed = {path.relative_to(ROOT).as_posix() for path in (ROOT / "templates").glob("*/metadata.json")} | {"docs/parameters.md"}
    assert committed == set(templates.generated())
    for name, text in templates.generated().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name} is out of step; run make templates"


@each_job
def test_metadata_and_spec_are_valid_messages(job):
    dataflow.TemplateMetadata.from_json(json.dumps(templates.metadata(job)), ignore_unknown_fields=False)
    spec = dataflow.ContainerSpec.from_json(json.dumps(templates.spec(job, IMAGE)), ignore_unknown_fields=False)
    assert spec.image == spec.default_environment.sdk_container_image == IMAGE
    assert spec.sdk_info.language == dataflow.SDKInfo.Language.PYTHON
    assert len(spec.metadata.parameters) == len(templates.metadata(job)["parameters"])


@each_job
def test_metadata_and_spec_follow_the_discovery_document(job):
    assert faults(templates.spec(job, IMAGE), {"$ref": "ContainerSpec"}) == []


def test_the_checks_above_can_fail():
    spec = templates.spec("github", IMAGE)
    spec["metadata"]["parameters"][0] = {"name": "input", "helpTxt": "", "isOptional": "true", "paramType": "FILE"}
    told = "\n".join(faults(spec, {"$ref": "ContainerSpec"}))
    for fault in ("unknown field 'helpTxt'", "no 'label'", "no 'helpText'", "'true' is no boolean", "'FILE' is none of"):
        assert fault in told
    with pytest.raises(json_format.ParseError, match="helpTxt"):
        dataflow.ContainerSpec.from_json(json.dumps(spec), ignore_unknown_fields=False)


def example(parameter: dict[str, Any]) -> str:
    kind = parameter["paramType"]
    if kind.startswith("GCS"):
        return f"gs://bucket/{parameter['name']}"
    numbers = {"NUMBER": "0.5" if "\\." in parameter["regexes"][0] else "3", "BOOLEAN": "true"} if kind in ("NUMBER", "BOOLEAN") else {}
    return numbers.get(kind) or parameter.get("defaultValue") or (parameter["enumOptions"][0]["value"] if kind == "ENUM" else "text")


@each_job
def test_every_parameter_is_a_flag_of_the_job(job):
    parameters = templates.metadata(job)["parameters"]
    names = [parameter["name"] for parameter in parameters]
    assert len(names) == len(set(names))
    assert not TAKEN & set(names)
    assert not set(templates.LOCAL) & set(names)
    given = {parameter["name"]: example(parameter) for parameter in parameters}
    options, rest = opt.parse(templates.options_of(job), [f"--{name}={value}" for name, value in given.items()], job)
    assert rest == []
    for parameter in parameters:
        value = getattr(options, parameter["name"])
        text = ",".join(value) if isinstance(value, list) else str(value).lower() if isinstance(value, bool) else str(value)
        assert text in (given[parameter["name"]], given[parameter["name"]] + ".0")
        for regex in parameter.get("regexes", []):
            assert re.search(regex, given[parameter["name"]])


@each_job
def test_defaults_are_those_of_the_job(job):
    parameters = templates.metadata(job)["parameters"]
    assert {parameter["name"] for parameter in parameters if not parameter["isOptional"]} == set(templates.LAUNCHABLE[job])
    given = [f"--{parameter['name']}={parameter.get('defaultValue', '')}" for parameter in parameters]
    assert opt.parse(templates.options_of(job), given, job)[0] == templates.options_of(job)()
    for parameter in parameters:
        if "defaultValue" in parameter:
            assert all(re.search(regex, parameter["defaultValue"]) for regex in parameter.get("regexes", []))


def test_a_spec_is_printed(capsys):
    assert templates.main(["--job=score", f"--image={IMAGE}"]) == 0
    assert json.loads(capsys.readouterr().out) == templates.spec("score", IMAGE)


@pytest.mark.parametrize("argv", [["--job=score"], [f"--image={IMAGE}"], ["--job=why", "--image=x"], ["--runner=x"]])
def test_half_a_request_is_refused(argv):
    with pytest.raises(opt.UsageError):
        templates.main(argv)
