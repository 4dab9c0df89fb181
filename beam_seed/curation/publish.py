"""Stage records: what a finished stage left, and under which parameters, so that a re-run reuses it or starts it anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from beam_seed import storage
from beam_seed.curation.job import GITHUB
from beam_seed.report.job import Job


def stage_path(root: str, stage: str) -> str:
    return storage.join(root, "_stages", f"{stage}.json")


def job_of(root: str) -> Job | None:
    """The job that writes to a folder; None where none has begun to."""
    path = stage_path(root, "job")
    if storage.exists(path):
        return Job.from_json(storage.read_json(path))
    # Before there were other jobs, none was told.
    return GITHUB if storage.match(storage.join(storage.escape(root), "_stages", "*.json")) else None


def write_job(root: str, job: Job) -> None:
    """Say whose a folder is, before anything is written to it."""
    storage.write_json(stage_path(root, "job"), job.to_json())


def fingerprint(stage: str, parameters: Any, before: str) -> str:
    """Digest of a stage's parameters and of the fingerprint of the stage it builds on, 16 hex digits."""
    return hashlib.blake2b(_text([stage, parameters, before]).encode(), digest_size=8).hexdigest()


def _text(parameters: Any) -> str:
    return json.dumps(parameters, sort_keys=True, default=str)


def read_stage(root: str, stage: str) -> Any:
    """The record of a finished stage. Raises FileNotFoundError where it is not finished."""
    path = stage_path(root, stage)
    if not storage.exists(path):
        job = job_of(root)
        remedy = f"run {job.prog} with this output first" if job else "expected the output of a run"
        raise FileNotFoundError(f"{root} holds no finished stage {stage!r} ({path} is missing); {remedy}")
    return storage.read_json(path)


def write_stage(root: str, stage: str, mark: str, parameters: Any, items: Sequence[Any]) -> None:
    """Record that a stage is finished. ``items``: small JSON values a later stage starts from."""
    record = {"stage": stage, "fingerprint": mark, "parameters": json.loads(_text(parameters)), "items": items}
    storage.write_json(stage_path(root, stage), record)


def is_finished(root: str, stage: str, mark: str) -> bool:
    """Whether the stage was finished under the same parameters and the same input."""
    return storage.exists(stage_path(root, stage)) and storage.read_json(stage_path(root, stage))["fingerprint"] == mark


def clear_stage(root: str, stage: str, datasets: Sequence[str]) -> None:
    """Remove what an unfinished or outdated stage left, its record first."""
    storage.delete_tree(stage_path(root, stage))
    for pattern in datasets:
        for info in storage.match(storage.join(storage.escape(root), *pattern.split("/"))):
            storage.delete_tree(info.path)
