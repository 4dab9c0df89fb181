"""What a training run tells: one JSON object a line in ``log.jsonl``, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter


class TrainingLog:
    """The log of a run that goes on after ``step`` steps: what a killed one told of later steps is taken back."""

    def __init__(self, output: Path, step: int):
        path = output / "log.jsonl"
        kept = [line for line in lines(path) if line["step"] <= step]
        temporary = path.with_suffix(".tmp")
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        os.replace(temporary, path)
        self._file = path.open("a")
        self._board = SummaryWriter(str(output / "tensorboard"), purge_step=step + 1)

    def write(self, line: dict[str, Any]) -> None:
        """line: with ``step``."""
        numbers = {name: value for name, value in line.items() if isinstance(value, int | float)}
        print(
            " ".join(f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}" for name, value in numbers.items()),
            flush=True,
        )
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for name, value in numbers.items():
            if name != "step":
                self._board.add_scalar(name, value, line["step"])

    def close(self) -> None:
        self._file.close()
        self._board.close()


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; a kill may cut off the last."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
