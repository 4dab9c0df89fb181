"""The baselines that a scorer has to beat: the mean of the training ratings, and fastText on bags of words."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fasttext
import numpy as np
import numpy.typing as npt

from beam_seed.quality.package import InputFormat
from beam_seed.records import Document
from beam_seed.trainer.evaluation import errors
from beam_seed.trainer.labels import Label

# Two signs of punctuation: no token of a text is longer than one, so none can pass for a label.
_LABEL = "@@"

_TOKEN = re.compile(r"\w+|[^\w\s]|\n")


def baselines(training: Sequence[Label], held_out: Sequence[Label], form: InputFormat) -> dict[str, dict[str, float | None]]:
    """Errors on the held-out labels of both baselines, made from the training labels."""
    ratings = np.array([label.rating for label in held_out])
    mean = np.full_like(ratings, np.mean([label.rating for label in training]))
    return {
        "mean": errors(mean, ratings),
        "fasttext": errors(fasttext_ratings(training, [label.document for label in held_out], form), ratings),
    }


def fasttext_ratings(training: Sequence[Label], documents: Sequence[Document], form: InputFormat) -> npt.NDArray[np.float64]:
    """Ratings, 0 to 10, by a fastText classifier that was trained on the same labels and reads the same text.

    Its classes are the ratings rounded to 0, 1, ..., 10; a prediction is the mean of the classes, weighted by their probabilities,
    which errs less than the likeliest class. Words, punctuation and line ends are tokens; bigrams are on; one thread, so that it repeats.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.txt"
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(f"{_LABEL}{round(label.rating)} {_line(label.document, form)}\n" for label in training)
        model = fasttext.train_supervised(
            str(lines), label=_LABEL, epoch=5, lr=0.1, wordNgrams=2, dim=32, bucket=500_000, thread=1, seed=0, verbose=0
        )
    labels, shares = model.predict([_line(document, form) for document in documents], k=11)
    return np.array(
        [
            sum(int(label.removeprefix(_LABEL)) * share for label, share in zip(names, weights, strict=True)) / sum(weights)
            for names, weights in zip(labels, shares, strict=True)
        ]
    )


def _line(document: Document, form: InputFormat) -> str:
    return " ".join("<newline>" if token == "\n" else token for token in _TOKEN.findall(form.text(document)))
