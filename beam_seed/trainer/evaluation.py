"""How well scores agree with ratings: the figures of Seed-Coder's scorer (arXiv 2506.03524), on a scale of 0 to 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.cbook import boxplot_stats
from scipy.stats import kendalltau, pearsonr, spearmanr

from beam_seed.quality.threshold import ScoreHistogram

Numbers = npt.NDArray[np.floating]

RATINGS = range(11)  # the true scores that an oracle gives

# Languages with fewer held-out files say nothing about a language.
_MIN_FILES = 20

# Percentile intervals of 95 % want about a thousand resamples (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3).
_RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)

# A drop is right about a file that the oracle gives at most 2 of 10 points; ours, as no report says where poor ends.
POOR = 2

DROPS = (0.05, 0.1, 0.2, 0.3)  # shares that --drop-lowest is usually set to; Seed-Coder drops about 0.1
_CURVE_STEPS = 100


def mean_absolute_error(predicted: Numbers, ratings: Numbers) -> float:
    """Mean of |predicted - rating|, both 0 to 10."""
    return float(np.abs(predicted - ratings).mean())


def class_balanced_error(predicted: Numbers, ratings: Numbers) -> float:
    """Mean over the ratings 0, 1, ..., 10 (rounded half to even) that occur of the mean absolute error on the files of that rating."""
    errors, classes = np.abs(predicted - ratings), np.rint(ratings)
    return float(np.mean([errors[classes == rating].mean() for rating in np.unique(classes)]))


def errors(predicted: Numbers, ratings: Numbers) -> dict[str, float | None]:
    """MAE, class-balanced MAE, bias (mean of predicted - rating) and three correlations (None where either side is constant)."""
    constant = len(np.unique(predicted)) < 2 or len(np.unique(ratings)) < 2
    correlations = {"pearson": pearsonr, "spearman": spearmanr, "kendall": kendalltau}
    return {
        "mae": round(mean_absolute_error(predicted, ratings), 3),
        "class_balanced_mae": round(class_balanced_error(predicted, ratings), 3),
        "bias": round(float((predicted - ratings).mean()), 3),
        **{
            name: None if constant else round(float(correlate(predicted, ratings).statistic), 3) for name, correlate in correlations.items()
        },
    }


def evaluate(predicted: Numbers, ratings: Numbers, languages: Sequence[str]) -> dict[str, Any]:
    """Errors, correlations and a table by language of predictions on the scale of the ratings, 0 to 10."""
    return {**errors(predicted, ratings), "files": len(ratings), "languages": by_language(predicted, ratings, languages)}


def by_language(predicted: Numbers, ratings: Numbers, languages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """:func:`errors` for each language with at least 20 files."""
    names = np.array(languages)
    tables = {name: names == name for name in sorted(set(languages)) if (names == name).sum() >= _MIN_FILES}
    return {name: {"files": int(chosen.sum()), **errors(predicted[chosen], ratings[chosen])} for name, chosen in tables.items()}


def intervals(predicted: Numbers, ratings: Numbers, projects: Sequence[str], seed: int = 0) -> dict[str, list[float] | None]:
    """95 % intervals of MAE, class-balanced MAE, bias and Spearman by a percentile bootstrap.

    Whole projects are drawn, because files of one project resemble each other: drawing files would make the intervals too narrow.
    None with fewer than two projects, or where a measure is undefined in every resample.
    """
    random = np.random.default_rng(seed)
    groups, group = np.unique(np.array(projects), return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    measures = {"mae": mean_absolute_error, "class_balanced_mae": class_balanced_error, "bias": _bias, "spearman": _spearman}
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(_RESAMPLES if len(groups) > 1 else 0):
        drawn = np.concatenate([members[number] for number in random.integers(len(groups), size=len(groups))])
        for name, measure in measures.items():
            found[name].append(measure(predicted[drawn], ratings[drawn]))
    return {name: _interval(np.array(values)) for name, values in found.items()}


def _bias(predicted: Numbers, ratings: Numbers) -> float:
    return float((predicted - ratings).mean())


def _spearman(predicted: Numbers, ratings: Numbers) -> float:
    constant = (predicted == predicted[0]).all() or (ratings == ratings[0]).all()
    return float("nan") if constant else float(spearmanr(predicted, ratings).statistic)


def _interval(values: Numbers) -> list[float] | None:
    values = values[~np.isnan(values)]
    return [round(float(value), 3) for value in np.percentile(values, _INTERVAL)] if len(values) else None


def boxes(predicted: Numbers, ratings: Numbers) -> list[dict[str, Any]]:
    """Of the predictions for each rating that occurs: median, quartiles, whiskers (1.5 times the box), mean, number of outliers."""
    classes = np.rint(ratings)
    found = []
    for rating in RATINGS:
        values = predicted[classes == rating]
        if len(values):
            stats = boxplot_stats(values)[0]
            told = {name: round(float(stats[name]), 3) for name in ("med", "q1", "q3", "whislo", "whishi", "mean")}
            mae = round(mean_absolute_error(values, ratings[classes == rating]), 3)
            found.append({"rating": rating, "files": len(values), "mae": mae, "outliers": len(stats["fliers"]), **told})
    return found


def drops(scores: Numbers, ratings: Numbers, sizes: npt.NDArray[np.integer]) -> list[dict[str, Any]]:
    """What ``--drop-lowest`` would drop at usual shares, and what the oracle thinks of it.

    scores: 0 to 1, as the job has them; the threshold is the job's own. sizes: bytes. precision: share of the dropped files that the oracle
    rates at most 2; recall: share of the files it rates so that are dropped. None where there is nothing to take a share or a mean of.
    """
    histogram = ScoreHistogram()
    histogram.add(scores)
    poor, found = ratings <= POOR, []
    for share in DROPS:
        threshold = histogram.thresholds(share)[""]
        dropped = scores < threshold
        found.append(
            {
                "share": share,
                "threshold": threshold,
                "files": int(dropped.sum()),
                "bytes": int(sizes[dropped].sum()),
                "precision": _mean(poor[dropped]),
                "recall": _mean(dropped[poor]),
                "mean_dropped": _mean(ratings[dropped]),
                "mean_kept": _mean(ratings[~dropped]),
            }
        )
    return found


def _mean(values: npt.NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def kept_curve(scores: Numbers, sizes: npt.NDArray[np.integer]) -> list[dict[str, float]]:
    """Share of files and of bytes with a score of at least the threshold, for thresholds 0, 0.01, ..., 1."""
    order = np.argsort(scores, kind="stable")
    ends = np.concatenate([[0], np.cumsum(sizes[order])])
    found = []
    for step in range(_CURVE_STEPS + 1):
        below = int(np.searchsorted(scores[order], step / _CURVE_STEPS))
        files, size = 1 - below / len(scores), 1 - ends[below] / ends[-1] if ends[-1] else 0.0
        found.append({"threshold": step / _CURVE_STEPS, "files": round(files, 4), "bytes": round(float(size), 4)})
    return found


def confusion(first: Numbers, second: Numbers) -> list[list[int]]:
    """11 x 11 counts of files: row = the first's rating, column = the second's, both rounded."""
    cells = np.zeros((len(RATINGS), len(RATINGS)), int)
    np.add.at(cells, (np.rint(first).astype(int), np.rint(second).astype(int)), 1)
    return [[int(count) for count in row] for row in cells]
