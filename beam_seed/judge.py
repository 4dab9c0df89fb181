"""Judges: filters without Beam, one judgement for each document of a batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from beam_seed.records import Document, Failed, Judgement, Rejected, fail

Judge = Callable[[list[Document]], Sequence[Judgement]]
"""Documents in, one judgement for each, in the same order."""


def judge_all(judge: Judge, documents: list[Document], stage: str) -> list[Judgement]:
    """Judge a batch; where the judge raises, judge its documents one at a time so that only the culprits fail.

    Raises ValueError where the judge does not return one judgement for each document.
    """
    if not documents:
        return []
    try:
        judgements = list(judge(documents))
    except Exception as error:
        if len(documents) == 1:
            logging.warning("%s failed on %s/%s: %s", stage, documents[0].repo, documents[0].path, error)
            return [fail(documents[0], stage, error)]
        return [judgement for document in documents for judgement in judge_all(judge, [document], stage)]
    if len(judgements) != len(documents):
        raise ValueError(
            f"the judge of stage {stage!r} returned {len(judgements)} judgements for {len(documents)} documents; expected one each"
        )
    return judgements


def judge_in_turn(judges: Sequence[tuple[Judge, str]], documents: list[Document]) -> list[Judgement]:
    """Judge by each (judge, stage) in order; a document that one drops or fails on is not given to the next."""
    judgements: list[Judgement] = list(documents)
    for judge, stage in judges:
        left = {row: judgement for row, judgement in enumerate(judgements) if not isinstance(judgement, Rejected | Failed)}
        for row, judgement in zip(left, judge_all(judge, list(left.values()), stage), strict=True):
            judgements[row] = judgement
    return judgements
