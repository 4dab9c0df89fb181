"""Learning rates over a run."""

from __future__ import annotations

import math
from typing import NamedTuple

SCHEDULES = ("cosine", "wsd", "constant")


class Schedule(NamedTuple):
    """The learning rate of each step: linear warm-up, then one of

    - cosine: half a cosine from the peak to the floor (Loshchilov and Hutter 2017, arXiv 1608.03983)
    - wsd (warm-up, stable, decay): the peak, then a straight line to the floor over the last ``decay`` steps (Hu et al. 2024,
      arXiv 2404.06395)
    - constant: the peak
    """

    kind: str
    peak: float
    floor: float
    steps: int  # of the run
    warmup: int  # steps
    decay: int  # steps, of wsd

    def rate(self, step: int) -> float:
        """Of step ``step``, counted from 0; the last one's rate is the floor, that of step ``warmup`` the peak."""
        if step < self.warmup:
            return self.peak * (step + 1) / (self.warmup + 1)
        if self.kind == "cosine":
            done = (step - self.warmup) / max(1, self.steps - 1 - self.warmup)
            return self.floor + (self.peak - self.floor) * (1 + math.cos(math.pi * done)) / 2
        if self.kind == "wsd":
            left = (self.steps - 1 - step) / max(1, self.decay)
            return self.floor + (self.peak - self.floor) * min(1.0, left)
        return self.peak
