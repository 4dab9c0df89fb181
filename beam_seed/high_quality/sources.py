"""The table of sources: which files a source is about, which are its seed, and how its models are trained and used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from beam_seed import storage

DEFAULT_TABLE = Path(__file__).parent / "sources.yaml"

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Condition:
    """Tests that must all hold of a file; an empty one, or None, is no test. ``imports`` and ``paths`` are one test: either suffices."""

    languages: tuple[str, ...] = ()
    languages_not: tuple[str, ...] = ()
    quality_top: float | None = None
    comment_share: float | None = None
    documented_share: float | None = None
    imports: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("quality_top", "comment_share", "documented_share"):
            _check_share(name, getattr(self, name), optional=True)
        for path in self.paths:
            try:
                re.compile(path)
            except re.error as error:
                raise ValueError(f"paths has {path!r}, which is no regular expression ({error})") from None


@dataclass(frozen=True)
class Negatives:
    """Negatives for each positive, by kind; see ``sources.yaml``."""

    random: float
    bare: float
    low: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or value < 0:
                raise ValueError(f"negatives: {name} is {value!r}; expected a number of negatives for each positive, 0 or more")
        if self.random == 0:
            raise ValueError("negatives: random is 0; expected more, since hard negatives alone do not stand for what is not wanted")


@dataclass(frozen=True)
class Source:
    """One source. Shares are in [0, 1]; what each field means is told in ``sources.yaml``."""

    name: str
    pool: Condition
    seed: Condition
    seed_size: int
    found_per_seed: float
    negatives: Negatives
    bare_comment_share: float
    low_below_top: float
    found_quality_top: float
    recall: float
    max_share: float
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a source is called {self.name!r}; expected a-z, 0-9 and _")
        if not isinstance(self.seed_size, int) or self.seed_size < 1:
            raise ValueError(f"seed_size is {self.seed_size!r}; expected a whole number above 0")
        if not isinstance(self.found_per_seed, int | float) or self.found_per_seed < 0:
            raise ValueError(f"found_per_seed is {self.found_per_seed!r}; expected 0 or more")
        for name in ("bare_comment_share", "low_below_top", "found_quality_top", "recall", "max_share"):
            _check_share(name, getattr(self, name))
        if not self.recall:
            raise ValueError("recall is 0; expected a share above it, such as 0.8")

    @property
    def shares(self) -> set[float]:
        """The shares of highest quality that its conditions ask about."""
        asked = {self.pool.quality_top, self.seed.quality_top, self.low_below_top, self.found_quality_top}
        return {share for share in asked if share is not None}

    def plain(self) -> dict[str, Any]:
        """What decides, as JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "about"}


def _check_share(name: str, value: Any, optional: bool = False) -> None:
    if optional and value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}; expected a share from 0 to 1")


def load_sources(path: str = "") -> tuple[Source, ...]:
    """The sources of the YAML file at ``path``, '' for the one that comes with the package. Raises ValueError that names the source."""
    path = path or str(DEFAULT_TABLE)
    with storage.open_read(path) as file:
        try:
            value = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{path} is no YAML ({' '.join(str(error).split())[:200]}); expected a table like sources.yaml") from None
    if not isinstance(value, dict) or not isinstance(value.get("sources"), dict) or not value["sources"]:
        raise ValueError(f"{path} has no 'sources'; expected a table like beam_seed/high_quality/sources.yaml")
    if unknown := sorted(map(str, set(value) - {"defaults", "sources"})):
        raise ValueError(f"{path} has {unknown[0]!r}; expected 'defaults' and 'sources'")
    shipped = yaml.safe_load(DEFAULT_TABLE.read_text(encoding="utf-8"))["defaults"]
    defaults = shipped | _mapping(path, "defaults", value.get("defaults") or {})
    found = []
    for name, given in value["sources"].items():
        try:
            found.append(_source(str(name), defaults | _mapping(path, f"source {name}", given)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: source {name}: {error}") from None
    return tuple(found)


def _mapping(path: str, what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{path}: {what} is {value!r}; expected names with values")
    return value


def _source(name: str, values: Mapping[str, Any]) -> Source:
    own = {
        "pool": _condition(values.get("pool"), "pool"),
        "seed": _condition(values.get("seed"), "seed"),
        "negatives": Negatives(**_known(values["negatives"], Negatives, "negatives")),
    }
    return Source(**_known({**values, **own, "name": name}, Source, "a source"))


def _condition(value: Any, what: str) -> Condition:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{what} is {value!r}; expected at least one test, such as 'languages: [Python]'")
    given = _known(value, Condition, what)
    values: dict[str, Any] = {name: _texts(name, each) if isinstance(each, list) else each for name, each in given.items()}
    return Condition(**values)


def _texts(name: str, values: Sequence[Any]) -> tuple[str, ...]:
    if odd := [value for value in values if not isinstance(value, str)]:
        raise ValueError(f"{name} has {odd[0]!r}; expected texts")
    return tuple(values)


def _known(value: Any, kind: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {value!r}; expected names with values")
    names = [each.name for each in fields(kind)]
    if unknown := sorted(map(str, set(value) - set(names))):
        raise ValueError(f"{what} has {unknown[0]!r}; expected some of {', '.join(names)}")
    needed = [each.name for each in fields(kind) if each.default is MISSING]
    if missing := [name for name in needed if name not in value]:
        raise ValueError(f"{what} lacks {missing[0]!r}")
    return dict(value)
