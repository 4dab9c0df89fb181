"""One round of one source: train on what was drawn, choose the threshold, measure on projects that neither has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from beam_seed.fasttext_model.package import open_package, write_package
from beam_seed.fasttext_model.training import Line, Settings, train
from beam_seed.high_quality.draw import Plan
from beam_seed.high_quality.measure import TEST, TRAINING, VALIDATION
from beam_seed.high_quality.roles import BARE, FOUND, KINDS, SEED
from beam_seed.high_quality.sources import Source
from beam_seed.high_quality.text import TextFormat
from beam_seed.web.relevance import OTHER, RELEVANT, recall_threshold, score_lines

KIND = "high-quality"

MIN_TRAINING_SEED = 20
MIN_HELD_OUT_SEED = 5
"""Below these a model, its threshold and its figures are chance."""

_PARTS = ((TRAINING, "training", MIN_TRAINING_SEED), (VALIDATION, "validation", MIN_HELD_OUT_SEED), (TEST, "test", MIN_HELD_OUT_SEED))

BINS = 20  # of the histograms of probabilities, each 0.05 wide

SETTINGS = Settings(word_pairs=True)
"""As of the relevance model, and pairs of words: ``import numpy`` and ``: return`` tell what neither word does."""


class Sample(NamedTuple):
    """The drawn files of one source, in any order."""

    kind: npt.NDArray[np.int8]
    fold: npt.NDArray[np.int8]
    lines: Sequence[str]  # see TextFormat.line


def mine(source: Source, number: int, sample: Sample, plan: Plan, text: TextFormat, seed: int, folder: str) -> dict[str, Any]:
    """Train and write the model's folder (model.bin, card.json, README.md); returns the figures of round ``number``.

    figures: 'state' is 'trained' or 'skipped' (then 'why' tells what is missing, and there is no model); 'drawn' and 'counts' are the
    plan's; 'threshold', 'recall', 'precision', 'separation', 'bare_recalled' are of the test part.
    """
    told = {"source": source.name, "round": number, "drawn": plan.drawn, "counts": plan.counts}
    missing = _missing(sample)
    if missing:
        return told | {"state": "skipped", "why": missing}
    learnt = sample.fold == TRAINING
    # The project does not matter here: parts are divided already.
    lines = [Line("", RELEVANT if sample.kind[n] in (SEED, FOUND) else OTHER, sample.lines[n]) for n in np.flatnonzero(learnt).tolist()]
    model, data = train(lines, SETTINGS._replace(seed=seed))
    held_out = np.flatnonzero(~learnt)
    kind, fold = sample.kind[held_out], sample.fold[held_out]
    scores = score_lines(model, [sample.lines[n] for n in held_out.tolist()])
    validation, test = fold == VALIDATION, fold == TEST
    threshold = recall_threshold(scores[validation], kind[validation] == SEED, source.recall)
    told |= {"state": "trained", "threshold": threshold, **measured(scores[test], kind[test], threshold, _populations(plan, TEST))}
    decides = {"text": text._asdict(), "threshold": threshold}
    fingerprint = write_package(folder, data, KIND, decides, _readme(source, told), **told, settings=SETTINGS._replace(seed=seed)._asdict())
    return told | {"fingerprint": fingerprint}


def _missing(sample: Sample) -> str:
    for fold, part, least in _PARTS:
        seeds, others = (int(((sample.fold == fold) & test).sum()) for test in (sample.kind == SEED, sample.kind > FOUND))
        if seeds < least or others < least:
            return (
                f"the {part} part has {seeds} seed and {others} other files; expected at least {least} of each: "
                "give files of more projects, or widen the seed"
            )
    return ""


def _populations(plan: Plan, fold: int) -> list[int]:
    return [plan.counts[name][fold] for name in KINDS]


def measured(
    scores: npt.NDArray[np.float64], kind: npt.NDArray[np.int8], threshold: float, populations: Sequence[int]
) -> dict[str, float | int]:
    """How a threshold divides a held-out part: each file stands for as many as its kind has in the part, for each that was drawn.

    recall: of the seed. precision: share of seed files among all it says yes to, so what it finds beyond the seed counts as wrong;
    base_rate is what saying yes to everything would reach. separation: probability that a seed file scores above another (area under
    the ROC curve; 0.5 = chance). bare_recalled: share of the bare files it says yes to.
    """
    seed = kind == SEED
    drawn = np.bincount(kind, minlength=len(populations))
    weight = np.array([count / n if n else 0.0 for count, n in zip(populations, drawn, strict=True)])[kind]
    yes = scores >= threshold
    said, right = float(weight[yes].sum()), float(weight[yes & seed].sum())
    bare = kind == BARE
    return {
        "test_seed": int(seed.sum()),
        "test_others": int((~seed).sum()),
        "recall": float(yes[seed].mean()),
        "precision": right / said if said else 1.0,
        "base_rate": float(weight[seed].sum() / weight.sum()),
        "separation": separation(scores, seed, weight),
        "bare_recalled": float(yes[bare].mean()) if bare.any() else 0.0,
    }


def separation(scores: npt.NDArray[np.float64], seed: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]) -> float:
    """Weighted area under the ROC curve, ties counted half."""
    values, place = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(place, weight * part, len(values)) for part in (seed, ~seed))
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


class Miner(NamedTuple):
    """A trained model of one source."""

    fasttext: Any
    threshold: float  # files that score it or more are recalled


def open_miner(folder: str) -> Miner:
    """The model in ``folder``. Raises as ``fasttext_model.package.open_package`` does."""
    package = open_package(folder, KIND)
    return Miner(package.model, float(package.card["decides"]["threshold"]))


class Count(NamedTuple):
    """What a round's model says of one source's pool, in one table or in all."""

    pool: int
    positive: int  # it says yes to
    found: int  # of them, new ones of sufficient quality
    histogram: npt.NDArray[np.int64]  # of probabilities, BINS equal bins of [0, 1]

    def plus(self, other: Count) -> Count:
        return Count(self.pool + other.pool, self.positive + other.positive, self.found + other.found, self.histogram + other.histogram)


def counted(probabilities: npt.NDArray[np.float64], pool: npt.NDArray[np.bool_], yes: int, found: int) -> Count:
    bins = np.clip((probabilities[pool] * BINS).astype(np.int64), 0, BINS - 1)
    return Count(int(pool.sum()), yes, found, np.bincount(bins, minlength=BINS))


def judged(source: Source, figures: Mapping[str, Any], count: Count) -> dict[str, Any]:
    """The figures with what the model says of the corpus; its state is 'refused' where it says yes to too much of the pool."""
    if figures["state"] == "skipped":
        return dict(figures)
    share = count.positive / count.pool if count.pool else 0.0
    told: dict[str, Any] = {
        "pool": count.pool,
        "positive": count.positive,
        "positive_share": share,
        "found": count.found,
        "histogram": count.histogram.tolist(),
    }
    if share <= source.max_share:
        return {**figures, **told}
    why = (
        f"the model of source {source.name} says yes to {share:.0%} of its pool; expected at most {source.max_share:.0%}: narrow the seed, "
        "lower recall, or raise max_share where most of the corpus is wanted"
    )
    return {**figures, **told, "state": "refused", "why": why}


_README = """# High-quality code: {source}, round {round}

A fastText classifier made by `beam-seed high-quality`: {about}. A file is recalled from a probability of {threshold} on.

Learnt from {drawn}. On {test_seed:,} seed files and {test_others:,} others of projects that were not learnt: recall {recall:.3f}, precision
{precision:.3f} (of saying yes to everything: {base_rate:.3f}), separation {separation:.3f}, {bare_recalled:.1%} of the bare files recalled.
"""


def _readme(source: Source, told: Mapping[str, Any]) -> str:
    drawn = ", ".join(f"{size:,} {kind}" for kind, size in told["drawn"].items())
    return _README.format(**{**told, "drawn": drawn}, about=source.about or source.name)
