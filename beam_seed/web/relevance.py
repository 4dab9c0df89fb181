"""Code relevance: a fastText model that recalls, among pages without code tags, those that hold code or knowledge of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from beam_seed.fasttext_model.package import open_package
from beam_seed.quality.package import excerpt
from beam_seed.web.markdown_text import without_code_blocks, without_link_targets, words_text

KIND = "relevance"
RELEVANT, OTHER = "__label__code", "__label__other"


class TextFormat(NamedTuple):
    """What of a page the model reads. fastText's time is proportional to the words, so this is what bounds it."""

    max_characters: int = 1000  # of the Markdown, about 150 words: with 500 precision is lower, with 4,000 not higher (docs/web.md)
    pieces: int = 4  # that a longer page is represented by, from its start to its end: navigation and prefaces are not all of it
    reach: int = 30_000  # characters that count as the page: nine of ten are shorter, and the rest hold half of all text

    def line(self, title: str, markdown: str) -> str:
        """The line of words that stands for a page; code blocks, link addresses, punctuation and line ends are left out."""
        # A model that sees fences learns fences; a page without code tags has none.
        text = without_code_blocks(markdown[: self.reach])
        return words_text(without_link_targets(f"{title}\n{excerpt(text, self.max_characters, self.pieces)}"))


class Model(NamedTuple):
    """A trained model, on this machine."""

    fasttext: Any
    text: TextFormat
    threshold: float  # pages that score it or more are relevant
    fingerprint: str  # 32 hex digits, of all that decides a verdict

    def score(self, pages: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        """Probability of relevance of each (title, Markdown), float64 ``[pages]`` from 0 to 1."""
        return score_lines(self.fasttext, [self.text.line(title, markdown) for title, markdown in pages])


def score_lines(model: Any, lines: Sequence[str]) -> npt.NDArray[np.float64]:
    """Probability of RELEVANT of each line, float64 ``[lines]``. Of a line of unknown words it is the model's prior."""
    if not lines:
        return np.empty(0)
    labels, probabilities = model.predict(list(lines), k=1)
    # The model's own sums may end a rounding step above one.
    return np.array(
        [
            min(float(p[0]), 1.0) if label[0] == RELEVANT else max(1.0 - float(p[0]), 0.0)
            for label, p in zip(labels, probabilities, strict=True)
        ]
    )


def recall_threshold(scores: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_], target: float) -> float:
    """The highest threshold that recalls at least the share ``target`` of the relevant pages, rounded down to a millionth.

    Raises ValueError where no page is relevant, or unless 0 < target <= 1.
    """
    if not 0 < target <= 1:
        raise ValueError(f"the target recall is {target}; expected 0 < recall <= 1, such as 0.99")
    positive = np.sort(scores[relevant])
    if not len(positive):
        raise ValueError("no validation page is relevant; expected at least one, to choose a threshold by")
    missed = int(np.floor((1 - target) * len(positive) + 1e-9))
    return float(np.floor(positive[min(missed, len(positive) - 1)] * 1e6) / 1e6)


class Promise(NamedTuple):
    """A threshold, and how surely it recalls the target share of the relevant pages of a host that nobody has seen."""

    threshold: float
    confidence: float  # probability, over the draw of the hosts, that a new one's recall reaches the target
    hosts: int  # with relevant pages, that it was chosen by


def host_threshold(
    scores: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_], hosts: npt.NDArray[np.str_], target: float, confidence: float
) -> Promise:
    """The highest threshold that recalls ``target`` of all relevant pages and, with ``confidence``, of those of a new host like ``hosts``.

    Pages of a host resemble one another, so what is independent are hosts: each has the threshold that recalls the target of its own
    pages, and a new host's is below the k-th lowest of n with a probability of at most k / (n + 1), whatever their distribution (split
    conformal prediction; Vovk et al. 2005, Algorithmic Learning in a Random World). Where n is too small for ``confidence`` the lowest is
    taken, and ``Promise.confidence`` is what that gives, n / (n + 1). Raises ValueError as ``recall_threshold`` does, or unless
    0 <= confidence < 1.
    """
    if not 0 <= confidence < 1:
        raise ValueError(f"the confidence is {confidence}; expected 0 <= confidence < 1, such as 0.9")
    pooled = recall_threshold(scores, relevant, target)
    found = sorted(recall_threshold(scores[hosts == host], relevant[hosts == host], target) for host in np.unique(hosts[relevant]))
    rank = max(1, int((1 - confidence) * (len(found) + 1) + 1e-9))
    rank = min(rank, len(found))
    return Promise(min(pooled, found[rank - 1]), 1 - rank / (len(found) + 1), len(found))


class Quality(NamedTuple):
    """How a threshold divides labelled pages."""

    threshold: float
    recall: float
    precision: float  # 1.0 where nothing is recalled
    recalled: float  # share of all pages


def quality_at(scores: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_], threshold: float) -> Quality:
    """Recall, precision and share of what a threshold recalls. Raises ValueError where no page is relevant."""
    if not relevant.any():
        raise ValueError("no page is relevant; expected at least one")
    recalled = scores >= threshold
    hits = int((recalled & relevant).sum())
    count = int(recalled.sum())
    return Quality(threshold, hits / int(relevant.sum()), hits / count if count else 1.0, count / len(scores))


def precision_recall(scores: npt.NDArray[np.float64], relevant: npt.NDArray[np.bool_], points: int = 50) -> list[Quality]:
    """The curve: one point for each of up to ``points`` evenly spaced recalls, from 1 down."""
    targets = np.linspace(1.0, 1.0 / points, points)
    thresholds = dict.fromkeys(recall_threshold(scores, relevant, float(target)) for target in targets)
    return [quality_at(scores, relevant, threshold) for threshold in thresholds]


def open_model(location: str) -> Model:
    """The model in folder ``location``, local or on any file system Beam reads. Raises as ``package.open_package`` does."""
    package = open_package(location, KIND)
    text, threshold = TextFormat(**package.card["decides"]["text"]), float(package.card["decides"]["threshold"])
    return Model(package.model, text, threshold, package.fingerprint)
