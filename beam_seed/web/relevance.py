"""Code relevance: a fastText model that recalls, among pages without code tags, those that hold code or knowledge of it."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from beam_seed import storage
from beam_seed.quality.package import excerpt
from beam_seed.web.markdown_text import without_code_blocks, without_link_targets, words_text

CARD, MODEL = "relevance.json", "model.bin"
RELEVANT, OTHER = "__label__code", "__label__other"


class TextFormat(NamedTuple):
    """What of a page the model reads. fastText's time is proportional to the words, so this is what bounds it."""

    max_characters: int = 1000  # of the Markdown, about 150 words: four times as many gained nothing in recall (docs/web.md)
    pieces: int = 4  # that a longer page is represented by, from its start to its end: navigation and prefaces are not all of it

    def line(self, title: str, markdown: str) -> str:
        """The line of words that stands for a page; code blocks, link addresses, punctuation and line ends are left out."""
        # A model that sees fences learns fences; a page without code tags has none.
        text = without_code_blocks(markdown) if "```" in markdown or "~~~" in markdown else markdown
        return words_text(without_link_targets(f"{title}\n{excerpt(text, self.max_characters, self.pieces)}"))


class Model(NamedTuple):
    """A trained model, on this machine."""

    fasttext: Any
    text: TextFormat
    threshold: float  # pages that score it or more are relevant
    fingerprint: str  # 32 hex digits, of all that decides a verdict
    card: dict[str, Any]

    def score(self, pages: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        """Probability of relevance of each (title, Markdown), float64 ``[pages]`` from 0 to 1."""
        return score_lines(self.fasttext, [self.text.line(title, markdown) for title, markdown in pages])


def score_lines(model: Any, lines: Sequence[str]) -> npt.NDArray[np.float64]:
    """Probability of RELEVANT of each line, float64 ``[lines]``; 0 for a line without any word that the model knows."""
    if not lines:
        return np.empty(0)
    labels, probabilities = model.predict(list(lines), k=1)
    # A line of unknown words has no label at all. The model's own sums end a rounding step above one.
    return np.array(
        [
            0.0 if not len(label) else min(float(p[0]), 1.0) if label[0] == RELEVANT else max(1.0 - float(p[0]), 0.0)
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


def fingerprint(model: bytes, text: TextFormat, threshold: float) -> str:
    """Digest of all that decides a verdict: the model's bytes, what it reads of a page, the threshold."""
    digest = hashlib.sha256(json.dumps([text._asdict(), threshold], sort_keys=True).encode())
    digest.update(model)
    return digest.hexdigest()[:32]


@functools.lru_cache(maxsize=2)  # once for each worker process
def open_model(location: str) -> Model:
    """The model in folder ``location``, local or on any file system Beam reads.

    Raises FileNotFoundError where a file is missing, ValueError where the card does not fit the model.
    """
    for name in (CARD, MODEL):
        if not storage.exists(storage.join(location, name)):
            raise FileNotFoundError(f"{location} has no {name}; expected a folder that beam-seed train-relevance wrote")
    with storage.open_read(storage.join(location, MODEL)) as file:
        data = file.read()
    try:
        card = storage.read_json(storage.join(location, CARD))
        text, threshold, told = TextFormat(**card["text"]), float(card["threshold"]), card["fingerprint"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{location}/{CARD} is no card ({type(error).__name__}: {error}); expected text, threshold and fingerprint"
        ) from error
    found = fingerprint(data, text, threshold)
    if told != found:
        raise ValueError(f"{location} has fingerprint {found} but its {CARD} says {told}; a file was changed or cut off: copy it again")
    return Model(load_fasttext(data), text, threshold, found, card)


def load_fasttext(data: bytes) -> Any:
    """A fastText model from the bytes of its file. Raises ValueError where they are none."""
    import fasttext

    with tempfile.TemporaryDirectory() as folder:  # fastText loads from local paths only
        path = Path(folder) / MODEL
        path.write_bytes(data)
        return fasttext.load_model(str(path))
