"""How many files of each language a sample holds: a number for every language, or a table of them."""

from __future__ import annotations

import difflib
from importlib import resources
from typing import Any, NamedTuple

import yaml

from beam_seed import storage
from beam_seed.languages.registry import LANGUAGES

_NAMES = frozenset(language.name for language in LANGUAGES)
_PRESETS = resources.files("beam_seed.labels") / "allocations"


class Quotas(NamedTuple):
    """Files asked of each language."""

    allocation: dict[str, int]  # empty: every language that is there gets ``per_language``
    per_language: int

    def of(self, language: str) -> int:
        """Files asked of ``language``; 0 where it is not asked for."""
        return self.allocation.get(language, 0) if self.allocation else self.per_language


def presets() -> list[str]:
    """Names of the allocations that come with the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _PRESETS.iterdir() if entry.name.endswith(".yaml"))


def load_allocation(name: str) -> dict[str, int]:
    """The allocation of a preset's name, or of a YAML or JSON file: a mapping from language to number of files.

    Raises ValueError on a language that is none of ours (with the name that may be meant) or a number that is none, and the file
    system's error where there is no such file.
    """
    if name in presets():
        text = (_PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    elif "/" not in name and not name.endswith((".yaml", ".yml", ".json")):
        raise ValueError(f"no allocation {name!r}; expected one of {', '.join(presets())}, or a YAML or JSON file")
    else:
        with storage.open_read(name) as file:
            text = file.read(1 << 20).decode("utf-8")
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is neither YAML nor JSON: {' '.join(str(error).split())}") from None
    return _checked(found, name)


def _checked(found: Any, name: str) -> dict[str, int]:
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{name} holds {type(found).__name__}; expected languages with their number of files, such as 'Python: 1000'")
    for language, files in found.items():
        if language not in _NAMES:
            near = difflib.get_close_matches(str(language), _NAMES, 1)
            raise ValueError(f"{name} asks for {language!r}, none of the 89 languages" + (f"; expected {near[0]!r}?" if near else ""))
        if not isinstance(files, int) or isinstance(files, bool) or files < 1:
            raise ValueError(f"{name} asks for {files!r} files of {language}; expected a whole number above 0")
    return found
