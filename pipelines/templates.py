"""Dataflow Flex Templates of the jobs: their metadata, their specs and the table of their parameters, all from the options dataclasses.

``python -m pipelines.templates`` writes ``templates/*/metadata.json`` and ``docs/parameters.md``; with ``--job`` and ``--image`` it
prints the spec that a launch reads from Cloud Storage.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beam_seed import options as opt
from pipelines.cli import COMMANDS

PROG = "python -m pipelines.templates"

_DATA = ("input", "output")

LAUNCHABLE = {
    "github": _DATA,
    "commits": _DATA,
    "web": _DATA,
    "dedup": _DATA,
    "decontaminate": (*_DATA, "benchmarks"),
    "sample": _DATA,
    "label": _DATA,
    "score": _DATA,
    "high-quality": _DATA,
    "notebooks": _DATA,
    "long-context": _DATA,
    "shards": ("stage", "tokenizer", "output"),
}
"""Commands that are Beam jobs, each a module with ``Options`` and ``main``, and the options that a launch cannot do without.

A new job is one entry here, then ``make templates``.
"""

LOCAL = ("demo", "workers")  # mean something on the machine of a local run only

# The service checks these as POSIX extended expressions: no \d, no look-around.
_GS = r"^gs:\/\/[^\n\r]+$"
_BOOLEAN = "^(true|false)$"
_INTEGER = "^-?[0-9]+$"
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"

_PATHS = {"read": "GCS_READ_FILE", "folder": "GCS_READ_FOLDER", "write": "GCS_WRITE_FOLDER"}
_PLAIN = {bool: ("BOOLEAN", [_BOOLEAN]), int: ("NUMBER", [_INTEGER]), float: ("NUMBER", [_NUMBER])}


def options_of(job: str) -> type[Any]:
    """The options dataclass of a launchable job."""
    options: type[Any] = importlib.import_module(COMMANDS[job][0]).Options
    return options


def declared(job: str) -> Iterator[tuple[dataclasses.Field[Any], Any, bool]]:
    """The fields of a job's options that are template parameters, each with its type and whether it is required."""
    options = options_of(job)
    types = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        if "help" in field.metadata and field.name not in LOCAL:
            yield field, types[field.name], field.name in LAUNCHABLE[job]


def default_of(field: dataclasses.Field[Any]) -> str:
    """A field's default as it is given on a command line; '' where the default is to give nothing."""
    if field.default is dataclasses.MISSING:
        return ",".join(field.default_factory()) if callable(field.default_factory) else ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def _help(field: dataclasses.Field[Any], annotation: Any) -> str:
    told: str = field.metadata["help"]
    return told.replace("; repeatable.", ".") + " Several are separated by commas." if annotation == list[str] else told


def parameter(field: dataclasses.Field[Any], annotation: Any, required: bool) -> dict[str, Any]:
    """A ``ParameterMetadata`` of the Dataflow API, in its JSON form."""
    choices, kind = field.metadata["choices"], field.metadata["kind"]
    told: dict[str, Any] = {
        "name": field.name,
        "label": field.name.replace("_", " ").capitalize(),
        "helpText": _help(field, annotation),
        "isOptional": not required,
    }
    if choices:
        told |= {"paramType": "ENUM", "enumOptions": [{"value": choice} for choice in choices], "regexes": [f"^({'|'.join(choices)})$"]}
    elif kind:
        told |= {"paramType": _PATHS[kind], "regexes": [_GS]}
    elif annotation in _PLAIN:
        told["paramType"], told["regexes"] = _PLAIN[annotation]
    else:
        told["paramType"] = "TEXT"
    if default := default_of(field):
        told["defaultValue"] = default
    return told


def metadata(job: str) -> dict[str, Any]:
    """A ``TemplateMetadata`` of the Dataflow API, in its JSON form."""
    return {
        "name": f"beam-seed {job}",
        "description": (options_of(job).__doc__ or "").strip(),
        "streaming": False,
        "parameters": [parameter(*each) for each in declared(job)],
    }


def spec(job: str, image: str) -> dict[str, Any]:
    """A ``ContainerSpec``: what a launch reads. Workers run the image of the launcher, so nothing is installed when they start."""
    return {
        "image": image,
        "metadata": metadata(job),
        "sdkInfo": {"language": "PYTHON"},
        "defaultEnvironment": {"sdkContainerImage": image},
    }


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def parameters_page() -> str:
    """``docs/parameters.md``: every parameter of every launchable job."""
    lines = [
        "# Parameters of the launchable jobs",
        "",
        "Made by `make templates` from the options of `pipelines/*.py`; a test keeps it in step. As flags they are written",
        "`--drop-lowest=0.2` or `--drop_lowest=0.2`, as template parameters `drop_lowest=0.2`. Lists are separated by commas. An empty",
        "value means the default.",
        f"Flags that are for local runs only, and no template parameters: {', '.join(f'`--{name}`' for name in LOCAL)}.",
    ]
    for job in LAUNCHABLE:
        lines += [
            "",
            f"## {job}",
            "",
            metadata(job)["description"],
            "",
            "| parameter | type | default | what it is |",
            "| --- | --- | --- | --- |",
        ]
        lines += [_row(field, parameter(field, *rest)) for field, *rest in declared(job)]
    return "\n".join(lines) + "\n"


def _row(field: dataclasses.Field[Any], told: dict[str, Any]) -> str:
    default = f"`{told['defaultValue']}`" if "defaultValue" in told else "" if told["isOptional"] else "required"
    kind = " or ".join(f"`{choice}`" for choice in field.metadata["choices"]) or told["paramType"].lower().replace("gcs_", "").replace(
        "_", " "
    )
    return f"| `{field.name}` | {kind} | {default} | {told['helpText']} |".replace("|  |", "| |")


def generated() -> dict[str, str]:
    """Every generated file, by its path below the root of the repository."""
    files = {f"templates/{job}/metadata.json": to_json(metadata(job)) for job in LAUNCHABLE}
    return files | {"docs/parameters.md": parameters_page()}


@dataclass(frozen=True)
class Options:
    """Write the templates' metadata and the table of parameters, or print the spec of one template."""

    job: str = opt.option("", "Print the spec of this job instead of writing files.", choices=tuple(LAUNCHABLE))
    image: str = opt.option("", "Image of launcher and workers, with its tag or digest; with --job.")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and write or print. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest or bool(options.job) != bool(options.image):
        raise opt.UsageError(PROG, f"expected --job and --image together, or nothing; found {' '.join(rest) or 'one of them'}")
    if options.job:
        print(to_json(spec(options.job, options.image)), end="")
        return 0
    root = Path(__file__).parents[1]
    for name, text in generated().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
