"""How well scores agree with ratings: the figures of Seed-Coder's scorer (arXiv 2506.03524), on a scale of 0 to 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

Numbers = npt.NDArray[np.floating]

# Languages with fewer held-out files say nothing about a language.
_MIN_FILES = 20


def mean_absolute_error(predicted: Numbers, ratings: Numbers) -> float:
    """Mean of |predicted - rating|, both 0 to 10."""
    return float(np.abs(predicted - ratings).mean())


def class_balanced_error(predicted: Numbers, ratings: Numbers) -> float:
    """Mean over the ratings 0, 1, ..., 10 (rounded half to even) that occur of the mean absolute error on the files of that rating."""
    errors, classes = np.abs(predicted - ratings), np.rint(ratings)
    return float(np.mean([errors[classes == rating].mean() for rating in np.unique(classes)]))


def evaluate(predicted: Numbers, ratings: Numbers, languages: Sequence[str]) -> dict[str, Any]:
    """Errors, rank correlation and a table by language of predictions on the scale of the ratings, 0 to 10."""
    names = np.array(languages)
    tables = {name: names == name for name in sorted(set(languages)) if (names == name).sum() >= _MIN_FILES}
    return {
        **errors(predicted, ratings),
        "files": len(ratings),
        "languages": {name: {"files": int(chosen.sum()), **errors(predicted[chosen], ratings[chosen])} for name, chosen in tables.items()},
    }


def errors(predicted: Numbers, ratings: Numbers) -> dict[str, float | None]:
    """MAE, class-balanced MAE and Spearman's rank correlation (None where either side is constant)."""
    constant = len(np.unique(predicted)) < 2 or len(np.unique(ratings)) < 2
    return {
        "mae": round(mean_absolute_error(predicted, ratings), 3),
        "class_balanced_mae": round(class_balanced_error(predicted, ratings), 3),
        "spearman": None if constant else round(float(spearmanr(predicted, ratings).statistic), 3),
    }
