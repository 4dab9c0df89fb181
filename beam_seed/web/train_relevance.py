"""Trains the relevance model, chooses its threshold on hosts it has not seen, and writes its folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beam_seed.web.package import write_package
from beam_seed.web.relevance import (
    KIND,
    RELEVANT,
    Quality,
    TextFormat,
    precision_recall,
    quality_at,
    recall_threshold,
    score_lines,
)
from beam_seed.web.supervision import relevance_lines
from beam_seed.web.training import Line, Settings, split_by_host, train


class Result(NamedTuple):
    """What a training came to."""

    fingerprint: str
    quality: Quality  # at the chosen threshold, on the validation part
    training_pages: int
    validation_pages: int


def train_relevance(files: Sequence[str], output: str, recall: float, text: TextFormat, settings: Settings) -> Result:
    """Train on ``files`` (see ``supervision.relevance_lines``) and write the model's folder to ``output``.

    Raises ValueError where the pages do not suffice, or the target recall would recall every page.
    """
    lines = relevance_lines(files, text)
    found = sum(line.label == RELEVANT for line in lines)
    if found in (0, len(lines)):
        raise ValueError(
            f"{found} pages are relevant and {len(lines) - found} are not; expected some of both: pages with code blocks, and pages "
            "without code tags of hosts without code; give more input, or pages with a column 'label'"
        )
    training, validation = split_by_host(lines, settings.seed)
    model, data = train(training, settings)
    relevant = np.array([line.label == RELEVANT for line in validation])
    scores = score_lines(model, [line.text for line in validation])
    chosen = quality_at(scores, relevant, recall_threshold(scores, relevant, recall))
    curve = precision_recall(scores, relevant)
    decides = {"text": text._asdict(), "threshold": chosen.threshold}
    told: dict[str, Any] = {
        "target_recall": recall,
        "settings": settings._asdict(),
        "training": _counts(training),
        "validation": _counts(validation) | chosen._asdict() | {"average_precision": _average_precision(scores, relevant)},
        "curve": [point._asdict() for point in curve],
    }
    fingerprint = write_package(output, data, KIND, decides, _readme(told, curve), **told)
    return Result(fingerprint, chosen, len(training), len(validation))


def _counts(lines: Sequence[Line]) -> dict[str, int]:
    relevant = [line for line in lines if line.label == RELEVANT]
    return {"pages": len(lines), "relevant": len(relevant), "hosts": len({line.host for line in lines})}


def _average_precision(scores: Any, relevant: Any) -> float:
    """Area under the precision-recall curve: the mean of the precision at each relevant page, ties counted as one step."""
    thresholds = np.unique(scores)[::-1]
    recalled = np.array([(scores >= threshold).sum() for threshold in thresholds])
    hits = np.array([(relevant & (scores >= threshold)).sum() for threshold in thresholds])
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / recalled).sum() / relevant.sum())


_README = """# Relevance model

A fastText classifier that recalls code-related pages among pages without code tags; made by `beam-seed train-relevance`, used by
`beam-seed web --relevance=FOLDER`. A page is recalled from a probability of {threshold} on.

Trained on {training[pages]:,} pages of {training[hosts]:,} hosts ({training[relevant]:,} relevant). On {validation[pages]:,} pages of
{validation[hosts]:,} other hosts ({validation[relevant]:,} relevant), for a target recall of {target_recall}: recall
**{validation[recall]:.4f}**, precision **{validation[precision]:.4f}**, {validation[recalled]:.1%} of the pages recalled; average
precision {validation[average_precision]:.4f}. Precision depends on how many of the pages are relevant, recall does not.

| recall | precision | threshold | share of pages recalled |
| --- | --- | --- | --- |
{rows}

`card.json` holds all of it, the parameters and the fingerprint.
"""


def _readme(told: dict[str, Any], curve: Sequence[Quality]) -> str:
    shown = [min(curve, key=lambda point: abs(point.recall - recall)) for recall in (1.0, 0.98, 0.96, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1)]
    rows = [f"| {q.recall:.3f} | {q.precision:.3f} | {q.threshold:.6f} | {q.recalled:.3f} |" for q in dict.fromkeys(shown)]
    return _README.format(**told, threshold=told["validation"]["threshold"], rows="\n".join(rows))
