"""Trains the relevance model, chooses its threshold on hosts it has not seen, measures both on others still, and writes its folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from beam_seed.fasttext_model.package import write_package
from beam_seed.fasttext_model.training import THREE_PARTS, Line, Settings, split_by_host, train
from beam_seed.web.relevance import (
    KIND,
    RELEVANT,
    Promise,
    Quality,
    TextFormat,
    host_threshold,
    precision_recall,
    quality_at,
    score_lines,
)
from beam_seed.web.supervision import relevance_lines

CONFIDENCE = 0.9
"""That a new host reaches the target recall. Nine validation hosts suffice for it; 0.99 would need 99."""


class Result(NamedTuple):
    """What a training came to."""

    fingerprint: str
    promise: Promise
    quality: Quality  # at the chosen threshold, on the test part
    pages: tuple[int, int, int]  # that trained, that the threshold was chosen by, that the figures are of


def train_relevance(
    files: Sequence[str], output: str, recall: float, text: TextFormat, settings: Settings, confidence: float = CONFIDENCE
) -> Result:
    """Train on ``files`` (see ``supervision.relevance_lines``) and write the model's folder to ``output``.

    The hosts of 60 % of the pages train, of 20 % choose the threshold (see ``relevance.host_threshold``), and of 20 % do neither: the
    figures are of them. Raises ValueError where the pages do not suffice.
    """
    lines = relevance_lines(files, text)
    found = sum(line.label == RELEVANT for line in lines)
    if found in (0, len(lines)):
        raise ValueError(
            f"{found} pages are relevant and {len(lines) - found} are not; expected some of both: pages with code blocks, and pages "
            "without code tags of hosts without code; give more input, or pages with a column 'label'"
        )
    training, validation, test = split_by_host(lines, settings.seed, THREE_PARTS)
    model, data = train(training, settings)
    scores, relevant = _scored(model, validation)
    promise = host_threshold(scores, relevant, np.array([line.host for line in validation]), recall, confidence)
    scores, relevant = _scored(model, test)
    quality = quality_at(scores, relevant, promise.threshold)
    curve = precision_recall(scores, relevant)
    decides = {"text": text._asdict(), "threshold": promise.threshold}
    reached = _hosts_reached(test, scores, relevant, promise.threshold, recall)
    told: dict[str, Any] = {
        "target_recall": recall,
        "target_confidence": confidence,
        "confidence": promise.confidence,
        "settings": settings._asdict(),
        "training": _counts(training),
        "validation": _counts(validation) | {"relevant_hosts": promise.hosts},
        "test": _counts(test) | quality._asdict() | reached | {"average_precision": _average_precision(scores, relevant)},
        "curve": [point._asdict() for point in curve],
    }
    fingerprint = write_package(output, data, KIND, decides, _readme(told, curve), **told)
    return Result(fingerprint, promise, quality, (len(training), len(validation), len(test)))


def _scored(model: Any, lines: Sequence[Line]) -> tuple[Any, Any]:
    return score_lines(model, [line.text for line in lines]), np.array([line.label == RELEVANT for line in lines])


def _hosts_reached(lines: Sequence[Line], scores: Any, relevant: Any, threshold: float, recall: float) -> dict[str, Any]:
    """Of the hosts with relevant pages: how many there are, how many reach the target recall, and the lowest recall of one."""
    hosts = np.array([line.host for line in lines])
    recalls = [float((scores[relevant & (hosts == host)] >= threshold).mean()) for host in np.unique(hosts[relevant])]
    return {"relevant_hosts": len(recalls), "hosts_reached": sum(found >= recall for found in recalls), "worst_host": min(recalls)}


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

Trained on {training[pages]:,} pages of {training[hosts]:,} hosts ({training[relevant]:,} relevant). The threshold was chosen on
{validation[pages]:,} pages of {validation[hosts]:,} other hosts: the relevant pages of a host like the {validation[relevant_hosts]:,}
of them that have any are recalled to {target_recall} or more with a probability of at least {confidence:.3f} (asked for:
{target_confidence}).

On {test[pages]:,} pages of {test[hosts]:,} hosts that neither trained nor chose ({test[relevant]:,} relevant): recall
**{test[recall]:.4f}**, precision **{test[precision]:.4f}**, {test[recalled]:.1%} of the pages recalled; {test[hosts_reached]} of
{test[relevant_hosts]} hosts reach {target_recall}, the lowest has {test[worst_host]:.3f}; average precision {test[average_precision]:.4f}.
Precision depends on how many of the pages are relevant, recall does not. The curve is of the test hosts:

| recall | precision | threshold | share of pages recalled |
| --- | --- | --- | --- |
{rows}

`card.json` holds all of it, the parameters and the fingerprint.
"""


def _readme(told: dict[str, Any], curve: Sequence[Quality]) -> str:
    shown = [min(curve, key=lambda point: abs(point.recall - recall)) for recall in (1.0, 0.98, 0.96, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1)]
    rows = [f"| {q.recall:.3f} | {q.precision:.3f} | {q.threshold:.6f} | {q.recalled:.3f} |" for q in dict.fromkeys(shown)]
    return _README.format(**told, threshold=told["test"]["threshold"], rows="\n".join(rows))
