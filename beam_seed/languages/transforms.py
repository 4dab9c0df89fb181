"""Beam wiring of language detection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_seed.judge import Judge
from beam_seed.languages.judge import STAGE, judge_languages
from beam_seed.outcome import Outcome, filter_documents


@dataclass
class DetectLanguage(beam.PTransform):
    """Fill in ``language`` with linguist's name of one of the 89, see :mod:`beam_seed.languages.detect`, or reject the document."""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, documents: Any) -> Outcome:
        return filter_documents(documents, _make_judge, STAGE)


def _make_judge() -> Judge:
    return judge_languages
