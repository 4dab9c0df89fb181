"""Checkpoints of a pretraining run: by torch.distributed.checkpoint, so that another number of processes can go on from them.

``step-N`` appears under its name only when it is whole; what a kill cut short is still ``step-N.tmp`` and is deleted at the next start.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load as load_state
from torch.distributed.checkpoint.state_dict_saver import save as save_state
from torch.optim import Optimizer

_STATE = "state.json"


class Progress(NamedTuple):
    """How far a run is; with weights and optimizer, all that it needs to go on."""

    step: int = 0  # steps done
    sequences: int = 0  # consumed, which is the position of the next
    text: int = 0  # tokens of them that were no padding
    digest: str = bytes(32).hex()  # reader.chain of the consumed sequences' ids
    tokenizer: str = ""  # SHA-256 of tokenizer.json, for a later phase that starts from here


def save(folder: Path, model: nn.Module, optimizer: Optimizer, progress: Progress, keep: int) -> None:
    """Write ``folder``/step-N and delete all but the last ``keep`` ones. Every process takes part."""
    final = folder / f"step-{progress.step:08d}"
    temporary = final.with_suffix(".tmp")
    weights, moments = get_state_dict(model, optimizer)
    save_state({"model": weights, "optimizer": moments}, checkpoint_id=temporary)
    if dist.get_rank() == 0:
        model.config.save_pretrained(temporary)  # type: ignore[union-attr,operator]
        (temporary / _STATE).write_text(json.dumps(progress._asdict(), indent=1))
        _to_disk(*temporary.iterdir(), temporary)
        os.replace(temporary, final)
        _to_disk(folder)
        for old in whole(folder)[:-keep]:
            shutil.rmtree(old)


def _to_disk(*paths: Path) -> None:
    # A machine that loses power may keep the new name and not the contents.
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def whole(folder: Path) -> list[Path]:
    """Checkpoints in the order of their steps."""
    return sorted(path for path in folder.glob("step-*") if path.suffix != ".tmp")


def remove_cut_short(folder: Path) -> None:
    for path in folder.glob("step-*.tmp"):
        shutil.rmtree(path)


def load(checkpoint: Path, model: nn.Module, optimizer: Optimizer) -> Progress:
    """Fill model and optimizer, however many processes wrote them."""
    weights, moments = get_state_dict(model, optimizer)
    state: dict[str, Any] = {"model": weights, "optimizer": moments}
    load_state(state, checkpoint_id=checkpoint)
    set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
    return progress_of(checkpoint)


def load_weights(checkpoint: Path, model: nn.Module) -> None:
    """Fill the model alone, for a new run."""
    weights = get_model_state_dict(model)
    load_state({"model": weights}, checkpoint_id=checkpoint)
    set_model_state_dict(model, weights)


def is_checkpoint(directory: Path) -> bool:
    return (directory / _STATE).is_file()


def progress_of(checkpoint: Path) -> Progress:
    return Progress(**json.loads((checkpoint / _STATE).read_text()))
