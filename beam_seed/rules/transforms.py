"""Beam wiring of the hand-written rules."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from beam_seed.judge import Judge
from beam_seed.outcome import Outcome, filter_documents
from beam_seed.rules.rules import STAGE, Limits, judge_rules


@dataclass
class ApplyRules(beam.PTransform):
    """Reject empty, too large, generated and minified documents and those with long lines, see :mod:`beam_seed.rules.rules`.

    Input: documents with ``language`` filled in (linguist's names); other names are judged by the limits of code.
    """

    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, documents: Any) -> Outcome:
        return filter_documents(documents, functools.partial(_make_judge, self.limits), STAGE)


def _make_judge(limits: Limits) -> Judge:
    return functools.partial(judge_rules, limits=limits)
