"""A stage of pretraining as a readable file: what it is mixed from, in which shares, how it is cut and packed.

::

    sequence_length: 8192        # tokens
    fim_rate: 0.5                # share of the single-file documents that are cut for fill-in-the-middle
    seed: 0
    sources:
      code:
        input: out/corpora/file_level/
        weight: 0.8              # or tokens: 2_000_000_000, or epochs: 1.5
      commits:
        input: [commits/corpora/commits/]
        text: [content]          # columns that are joined
        formatted: true          # has its markers already
        weight: 0.2
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import yaml

from beam_seed import storage

_PRESETS = resources.files("beam_seed.mixture") / "stages"
_COLUMNS = ("id", "repo", "path", "language")
_AMOUNTS = ("weight", "tokens", "epochs")


@dataclass(frozen=True)
class Source:
    """One source of a mixture. It says how much of it is wanted in exactly one way: weight, tokens or epochs."""

    input: tuple[str, ...] = ()  # Parquet files, globs or folders
    text: tuple[str, ...] = ("content",)  # columns, joined in this order
    columns: Mapping[str, str] = field(default_factory=dict)  # what our id, repo, path and language are called there
    formatted: bool = False  # has markers, so it is neither escaped nor cut
    weight: float | None = None  # share of the tokens, relative to the other weights
    tokens: int | None = None
    epochs: float | None = None

    def column(self, name: str) -> str:
        return self.columns.get(name, name)


@dataclass(frozen=True)
class Stage:
    """One stage. Built by :func:`load_stage` or :func:`stage_of`, which check it."""

    sources: Mapping[str, Source]
    sequence_length: int = 8192
    fim_rate: float = 0.0
    fim_spm: float = 1.0  # share of the cut documents that are written suffix first, as the recipe does; the others are PSM
    seed: int = 0
    tokens: int | None = None  # in all; without it, what the weights allow
    max_epochs: float = 1.0  # where tokens are not given: how often the scarcest of the weighted sources is taken

    def to_json(self) -> dict[str, Any]:
        """The stage as its file could say it; what is unset is left out."""
        own = {name: value for name, value in vars(self).items() if name != "sources" and value is not None}
        return own | {"sources": {name: _told(source) for name, source in self.sources.items()}}


def _told(source: Source) -> dict[str, Any]:
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(source).items() if value is not None}
    return told | {"columns": dict(source.columns)}


def presets() -> list[str]:
    """Names of the stages that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _PRESETS.iterdir() if entry.name.endswith(".yaml"))


def load_stage(name: str, inputs: Mapping[str, Sequence[str]] | None = None, without: Sequence[str] = ()) -> Stage:
    """The stage of a preset's name or of a YAML file; ``inputs`` (source -> paths) go before its own, sources in ``without`` are left out.

    Raises ValueError that names the key, what was found and what is expected, and the file system's error where there is no such file.
    """
    try:
        found = yaml.safe_load(_stage_text(name))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    stage = stage_of(found, name)
    inputs = inputs or {}
    for each in (*inputs, *without):
        if each not in stage.sources:
            raise ValueError(f"{name} has no source {each!r}; found {', '.join(stage.sources)}")
    sources = {
        each: dataclasses.replace(source, input=tuple(inputs.get(each, source.input)))
        for each, source in stage.sources.items()
        if each not in without
    }
    if not sources:
        raise ValueError(f"{name}: every source is left out; expected one at least")
    for each, source in sources.items():
        if not source.input:
            raise ValueError(f"{name}: source {each!r} has no input; give --source={each}=PATH, or leave it out by --without={each}")
    return dataclasses.replace(stage, sources=sources)


def _stage_text(name: str) -> str:
    if name in presets():
        return (_PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    if "/" not in name and not name.endswith((".yaml", ".yml", ".json")):
        raise ValueError(f"no stage {name!r}; expected one of {', '.join(presets())}, or a YAML file")
    with storage.open_read(name) as file:
        return file.read(1 << 20).decode("utf-8", "replace")


def stage_of(found: Any, name: str = "stage") -> Stage:
    """A stage from plain values. Raises ValueError that names the key, what was found and what is expected."""
    if not isinstance(found, dict):
        raise ValueError(f"{name} holds {type(found).__name__}; expected keys such as sequence_length and sources")
    values = _checked(found, Stage, name)
    sources = found.get("sources")
    if not isinstance(sources, dict) or not sources:
        raise ValueError(f"{name}: sources is {sources!r}; expected a name for each source, with its input and weight, tokens or epochs")
    stage = Stage(
        **values | {"sources": {_source_name(each, name): _source(own, f"{name}: sources.{each}") for each, own in sources.items()}}
    )
    for key, wanted, holds in _RANGES:
        value = getattr(stage, key)
        if value is not None and not holds(value):
            raise ValueError(f"{name}: {key} is {value!r}; expected {wanted}")
    if stage.tokens is not None and not any(source.weight is not None for source in stage.sources.values()):
        raise ValueError(f"{name}: tokens is {stage.tokens!r}, but no source has a weight; expected one, or no tokens in all")
    return stage


_RANGES: list[tuple[str, str, Callable[[float], bool]]] = [
    ("fim_rate", "a share from 0 to 1", lambda value: 0 <= value <= 1),
    ("fim_spm", "a share from 0 to 1", lambda value: 0 <= value <= 1),
    ("sequence_length", "2 tokens or more", lambda value: value >= 2),
    ("max_epochs", "a number above 0", lambda value: value > 0),
    ("tokens", "a number above 0", lambda value: value > 0),
]


def _source_name(name: Any, stage: str) -> str:
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"{stage}: a source is called {name!r}; expected letters, digits and _, such as high_quality")
    return name


def _source(found: Any, where: str) -> Source:
    if not isinstance(found, dict):
        raise ValueError(f"{where} is {found!r}; expected keys such as input and weight")
    source = Source(**_checked(found, Source, where))
    amounts = [name for name in _AMOUNTS if getattr(source, name) is not None]
    if len(amounts) != 1:
        raise ValueError(f"{where} has {' and '.join(amounts) or 'none of them'}; expected exactly one of {', '.join(_AMOUNTS)}")
    amount = getattr(source, amounts[0])
    if not 0 < amount < math.inf:
        raise ValueError(f"{where}.{amounts[0]} is {amount!r}; expected a number above 0")
    if not source.text:
        raise ValueError(f"{where}.text is empty; expected the column that holds the text, such as content")
    for ours, theirs in source.columns.items():
        if ours not in _COLUMNS or not isinstance(theirs, str):
            raise ValueError(f"{where}.columns has {ours!r}: {theirs!r}; expected names of columns for {', '.join(_COLUMNS)}")
    return source


def _checked(found: Mapping[Any, Any], kind: Any, where: str) -> dict[str, Any]:
    """The values of a dataclass's keys, converted. A number written 1_000 or 1e9 is one."""
    annotations = typing.get_type_hints(kind)
    values = {}
    for key, value in found.items():
        if key not in annotations:
            near = difflib.get_close_matches(str(key), annotations, 1)
            raise ValueError(f"{where} has {key!r}; expected {f'{near[0]!r}?' if near else 'one of ' + ', '.join(annotations)}")
        if key != "sources" and value is not None:
            values[key] = _value(value, annotations[key], f"{where}: {key}" if kind is Stage else f"{where}.{key}")
    return values


def _value(value: Any, annotation: Any, where: str) -> Any:
    if annotation == tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if isinstance(values, list) and all(isinstance(each, str) for each in values):
            return tuple(values)
        raise ValueError(f"{where} is {value!r}; expected a text or a list of them")
    if annotation == Mapping[str, str] and isinstance(value, dict):
        return value
    kinds = [each for each in (typing.get_args(annotation) or (annotation,)) if each in (bool, int, float)]
    if bool in kinds:
        if isinstance(value, bool):
            return value
        raise ValueError(f"{where} is {value!r}; expected true or false")
    if kinds:
        # YAML 1.1 reads 1e9 as text, and 2.0e+9 as a float.
        number = _number(value)
        if number is not None and (float in kinds or number == int(number)):
            return float(number) if float in kinds else int(number)
        raise ValueError(f"{where} is {value!r}; expected {'a number' if float in kinds else 'a whole number'}")
    raise ValueError(f"{where} is {value!r}; expected a mapping")


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = value if isinstance(value, int) else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
