"""A training run's folder belongs to one set of options: the same command goes on with it, another is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def claim(output: Path, decisive: Mapping[str, Any]) -> None:
    """Make the folder, or check that its run has the same ``decisive`` options. Raises ValueError where it has others."""
    output.mkdir(parents=True, exist_ok=True)
    run, wanted = output / "run.json", json.dumps(dict(decisive), indent=1, sort_keys=True)
    if run.exists() and (found := run.read_text()) != wanted:
        raise ValueError(
            f"{output} holds a run with other options ({run}: {_difference(found, decisive)}); expected the same ones to continue it, "
            "or another output folder"
        )
    temporary = run.with_suffix(".tmp")
    temporary.write_text(wanted)
    os.replace(temporary, run)


def check_local(output: str, what: str) -> None:
    """Raises ValueError unless ``output`` is a local folder."""
    if "://" in output or not output:
        raise ValueError(f"output is {output!r}; expected a local folder: checkpoints are written there; copy the {what} afterwards")


def _difference(found: str, wanted: Mapping[str, Any]) -> str:
    try:
        before = dict(json.loads(found))
    except ValueError:
        return "cut off"
    names = sorted(name for name in {*before, *wanted} if before.get(name) != wanted.get(name))
    return ", ".join(f"{name} was {before.get(name)!r}, is {wanted.get(name)!r}" for name in names)
