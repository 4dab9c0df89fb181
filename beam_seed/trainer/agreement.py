"""How far two oracles agree on the same files: what a scorer's error against one of them has to be read against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beam_seed.trainer.evaluation import class_balanced_error, confusion, evaluate
from beam_seed.trainer.labels import Label


def same_files(first: Sequence[Label], second: Sequence[Label]) -> list[tuple[Label, Label]]:
    """Labels of both sets for the same content, by its SHA-256, in the order of the first; of copies within a set the first counts."""
    ratings: dict[str, Label] = {}
    for label in second:
        ratings.setdefault(label.document.sha256, label)
    return [(label, found) for label in first if (found := ratings.pop(label.document.sha256, None))]


def agree(first: Sequence[Label], second: Sequence[Label]) -> dict[str, Any] | None:
    """Agreement of two label sets on the files that both hold; None where there is no such file.

    MAE is the same both ways; the class-balanced MAE is not: ``by_first`` is the mean over the first oracle's ratings, ``by_second`` over
    the second's. bias: mean of second - first. confusion: rows are the first oracle's ratings, columns the second's.
    """
    pairs = same_files(first, second)
    if not pairs:
        return None
    ours, theirs = (np.array([label.rating for label in side]) for side in zip(*pairs, strict=True))
    found = evaluate(theirs, ours, [label.document.language for label, _ in pairs])
    distance = np.abs(np.rint(ours) - np.rint(theirs))
    return {
        **found,
        "class_balanced_mae": {"by_first": found["class_balanced_mae"], "by_second": round(class_balanced_error(ours, theirs), 3)},
        "same_rating": round(float((distance == 0).mean()), 4),
        "within_one": round(float((distance <= 1).mean()), 4),
        "confusion": confusion(ours, theirs),
    }
