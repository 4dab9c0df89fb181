"""Beam transforms of the syntax check."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_seed.outcome import Outcome, filter_documents
from beam_seed.syntax.check import STAGE, SyntaxJudge
from beam_seed.syntax.grammars import GRAMMARS
from beam_seed.syntax.limits import LIMITS


@dataclass
class CheckSyntax(beam.PTransform):
    """Reject documents with more syntax errors than valid files of their language have.

    The measure is the share of bytes under tree-sitter's ERROR and MISSING nodes, see :mod:`beam_seed.syntax.measure`. Files on
    which the parser crashes or hangs are ``failed``; files of languages without a grammar are kept.

    Input: documents with ``language`` filled in (linguist's names). Raises ValueError for a limit of an unchecked language or
    outside of 0 to 1.
    """

    limits: Mapping[str, float] | None = None
    """Largest share by language, instead of the one in :mod:`beam_seed.syntax.limits`; 0 tolerates no error."""

    def __post_init__(self) -> None:
        super().__init__()
        for language, limit in (self.limits or {}).items():
            if language not in GRAMMARS:
                raise ValueError(f"limits has {language!r}, which no grammar checks; expected one of {', '.join(sorted(GRAMMARS))}")
            if not 0 <= limit <= 1:
                raise ValueError(f"the limit of {language} is {limit}; expected a share of bytes from 0 to 1, 0 tolerates no error")

    def expand(self, documents: Any) -> Outcome:
        return filter_documents(documents, functools.partial(SyntaxJudge, {**LIMITS, **(self.limits or {})}), STAGE)
