"""A scorer's evaluation as one JSON value, and that value as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beam_seed.quality.package import Package
from beam_seed.report.render import template
from beam_seed.report.text import visible
from beam_seed.trainer.agreement import agree, same_files
from beam_seed.trainer.evaluation import POOR, Numbers, boxes, drops, errors, evaluate, intervals, kept_curve
from beam_seed.trainer.evaluation_figures import box_plot, curve_plot
from beam_seed.trainer.labels import Label, oracles, project_name

FORMAT = "beam_seed.evaluation/1"


def build(
    package: Package,
    labels: Sequence[Label],
    scores: Numbers,
    split: dict[str, Any],
    baselines: dict[str, Any],
    agreement: dict[str, Any] | None,
) -> dict[str, Any]:
    """The evaluation of ``scores`` (0 to 1) against the labels of the same files; equal arguments give an equal value.

    split: what part of which label sets these are. baselines: figures as ``errors`` gives them, by name. agreement: as :func:`against`
    gives it, None where there is no second label set.
    """
    scores = np.asarray(scores, np.float64)
    predicted, ratings = 10 * scores, np.array([label.rating for label in labels])
    sizes = np.array([label.document.size for label in labels])
    projects = [project_name(label) for label in labels]
    return {
        "format": FORMAT,
        "scorer": {"fingerprint": package.fingerprint, "input": package.input._asdict()},
        "labels": {
            **split,
            "files": len(labels),
            "bytes": int(sizes.sum()),
            "projects": len(set(projects)),
            "poor_rating": POOR,
            "poor": int((ratings <= POOR).sum()),
            "oracles": oracles(labels),
        },
        "figures": {
            **evaluate(predicted, ratings, [label.document.language for label in labels]),
            "classes": len(np.unique(np.rint(ratings))),
            "intervals": intervals(predicted, ratings, projects),
        },
        "boxes": boxes(predicted, ratings),
        "baselines": baselines,
        "drops": drops(scores, ratings, sizes),
        "curve": kept_curve(scores, sizes),
        "agreement": agreement,
    }


def against(first: Sequence[Label], second: Sequence[Label], labels: Sequence[Label], scores: Numbers) -> dict[str, Any] | None:
    """Agreement of two label sets, and the scorer's error on those evaluated files that both rated, against either.

    first: the whole first set: no scorer comes between two oracles, so the files one was trained on count as well. labels, scores: what
    the scorer is evaluated on. None where the sets have no file in common.
    """
    found = agree(first, second)
    if found is None:
        return None
    by_content = {label.document.sha256: 10 * float(score) for label, score in zip(labels, scores, strict=True)}
    pairs = same_files(labels, second)
    scorer = None
    if pairs:
        predicted = np.array([by_content[label.document.sha256] for label, _ in pairs])
        ours, theirs = (np.array([label.rating for label in side]) for side in zip(*pairs, strict=True))
        scorer = {"files": len(pairs), "first": errors(predicted, ours), "second": errors(predicted, theirs)}
    return {**found, "scorer": scorer, "oracles": oracles(second)}


def render(evaluation: dict[str, Any]) -> str:
    """The page for what :func:`build` returned; equal values give equal pages."""
    figures = {"box_plot": box_plot(evaluation["boxes"]), "curve_plot": curve_plot(evaluation["curve"])}
    return template("beam_seed.trainer", "evaluation.html").render(visible(evaluation), **figures)
