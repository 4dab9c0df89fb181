"""Trains the category model on what rules tell of pages, and measures it on hosts it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from beam_seed.fasttext_model.package import write_package
from beam_seed.fasttext_model.training import Line, Settings, split_by_host, train
from beam_seed.web.category_model import KIND, LABEL, predict
from beam_seed.web.supervision import category_lines

TARGET_PRECISION = 0.9
"""Of the pages that the model decides. Below it, a path's hint or 'other' is the better answer: a wrong category brings wrong criteria."""

SETTINGS = Settings(epochs=25, min_count=2)
"""Fewer pages are labelled than for relevance, and their tokens are more telling, so they are gone over more often."""


class Result(NamedTuple):
    """What a training came to."""

    fingerprint: str
    min_probability: float
    decided: float  # share of the validation pages that are at least that certain
    precision: float  # of those
    training_pages: int
    validation_pages: int


def train_categories(files: Sequence[str], output: str, settings: Settings) -> Result:
    """Train on ``files`` (see ``supervision.category_lines``) and write the model's folder to ``output``.

    Categories of a single host cannot be validated on another and are left out. Raises ValueError where fewer than two are left.
    """
    lines = _validatable(category_lines(files))
    training, validation = split_by_host(lines, settings.seed)
    model, data = train(training, settings)
    told = [line.label.removeprefix(LABEL) for line in validation]
    predicted = predict(model, [line.text for line in validation])
    probability, decided, precision = choose_probability(told, predicted)
    card: dict[str, Any] = {
        "settings": settings._asdict(),
        "training": dict(sorted(Counter(line.label.removeprefix(LABEL) for line in training).items())),
        "validation": {"pages": len(validation), "decided": decided, "precision": precision, "categories": _table(told, predicted)},
    }
    found = write_package(output, data, KIND, {"min_probability": probability}, _readme(card, probability), **card)
    return Result(found, probability, decided, precision, len(training), len(validation))


def _validatable(lines: list[Line]) -> list[Line]:
    hosts: dict[str, set[str]] = {}
    for line in lines:
        hosts.setdefault(line.label, set()).add(line.host)
    kept = {label for label, found in hosts.items() if len(found) > 1}
    if len(kept) < 2:
        told = {label.removeprefix(LABEL): len(found) for label, found in sorted(hosts.items())}
        raise ValueError(f"hosts by category: {told}; expected at least two hosts of at least two categories; give more input")
    return [line for line in lines if line.label in kept]


def choose_probability(told: Sequence[str], predicted: Sequence[tuple[str, float]]) -> tuple[float, float, float]:
    """The lowest probability from which on predictions reach TARGET_PRECISION, the share so decided, and their precision.

    Probability 1.1 (nothing is decided), 0.0 and 1.0 where none does.
    """
    order = sorted(zip((p for _, p in predicted), (c == t for (c, _), t in zip(predicted, told, strict=True)), strict=True), reverse=True)
    best = (1.1, 0.0, 1.0)
    right = 0
    for count, (probability, is_right) in enumerate(order, 1):
        right += is_right
        is_last_of_ties = count == len(order) or order[count][0] < probability
        if is_last_of_ties and right >= TARGET_PRECISION * count:
            best = (probability, count / len(order), right / count)
    return best


def _table(told: Sequence[str], predicted: Sequence[tuple[str, float]]) -> dict[str, dict[str, float]]:
    pairs = Counter(zip(told, (category for category, _ in predicted), strict=True))
    table = {}
    for category in sorted(set(told)):
        right = pairs[category, category]
        all_told = sum(count for (true, _), count in pairs.items() if true == category)
        all_predicted = sum(count for (_, guess), count in pairs.items() if guess == category)
        table[category] = {"pages": all_told, "recall": right / all_told, "precision": right / all_predicted if all_predicted else 0.0}
    return table


_README = """# Category model

A fastText classifier of the form and function of pages that neither host nor markup nor generator tell; made by
`beam-seed train-categories`, used by `beam-seed web --category-model=FOLDER`. On {pages:,} validation pages of other hosts it decides
{decided:.1%} (from a probability of {probability:.4f} on) with a precision of {precision:.1%}. All predictions, per category:

| category | pages | recall | precision |
| --- | --- | --- | --- |
{rows}
"""


def _readme(card: dict[str, Any], probability: float) -> str:
    rows = [
        f"| {name} | {own['pages']:,} | {own['recall']:.3f} | {own['precision']:.3f} |"
        for name, own in card["validation"]["categories"].items()
    ]
    return _README.format(**card["validation"], probability=probability, rows="\n".join(rows))
