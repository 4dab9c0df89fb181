"""Make the default scorer: ``python -m beam_seed.trainer.default_scorer --input=TABLES --output=beam_seed/quality/default_scorer``.

Labels by the rubric, training by ``beam_seed.trainer.scorer``, and both baselines on the same labels in its cards.
"""

from __future__ import annotations

import glob
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from beam_seed.options import option, parse, positive
from beam_seed.quality.package import open_package
from beam_seed.trainer import scorer
from beam_seed.trainer.baseline import baselines
from beam_seed.trainer.labels import project_name, read_labels, split
from beam_seed.trainer.packaging import write_cards
from beam_seed.trainer.rubric_labels import label

# Large projects and common languages would drown the others.
_PER_PROJECT = 2500
_PER_LANGUAGE = 6000


@dataclass
class Options:
    """Make the default scorer from the files of a corpus."""

    input: list[str] = option([], "Parquet files or patterns with columns repo, path and content (and language, else it is detected).")
    output: str = option("", "Folder of the scorer.")
    labels: str = option("", "Parquet file to keep the labels in; one that is there is used as it is. Empty: they are not kept.")
    files: int = option(40_000, "Files to label at most.", check=positive)
    seed: int = option(0, "Decides initial weights and the order of the documents.")


def make(options: Options) -> Path:
    """Label, train, compare; returns the scorer's folder."""
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(options.labels or f"{folder}/labels.parquet")
        if not labels.exists():
            tables = sorted(path for pattern in options.input for path in glob.glob(pattern))
            pq.write_table(label(tables, options.files, _PER_PROJECT, _PER_LANGUAGE), labels, compression="zstd")
        settings = _settings(labels, options)
        output = scorer.train(settings)
        _compare(output, labels, settings.held_out)
    return output


def _settings(labels: Path, options: Options) -> scorer.Options:
    # Two cores train this in minutes and score over a hundred files a second. Six pieces of a file say more than its head, which is often
    # a licence and imports: they lift fastText's rank correlation from 0.50 to 0.58, as much as the whole text does.
    return scorer.Options(
        labels=[str(labels)],
        output=options.output,
        layers=2,
        vocabulary=8192,
        max_characters=1728,
        pieces=6,
        batch=8,
        device_batch=8,
        learning_rate=4e-4,
        seed=options.seed,
    )


def _compare(output: Path, labels: Path, share: float) -> None:
    """Add the baselines' figures and the projects' names to both cards."""
    package = open_package(str(output))
    training, held_out = split(read_labels([str(labels)]), share)
    card = {name: value for name, value in package.card.items() if name not in ("input", "fingerprint")}
    card["evaluation"] |= baselines(training, held_out, package.input)
    for part, chosen in (("training", training), ("evaluation", held_out)):
        card[part]["project_names"] = sorted(set(map(project_name, chosen)))
    write_cards(output, package.input, card, _TITLE, _NOTES)


_TITLE = "The default scorer"

_NOTES = """It is there so that the pipeline works without a model of your own. It was made by
`python -m beam_seed.trainer.default_scorer` and imitates the rubric (`beam_seed.quality.rubric`), which counts and does not understand; its
scores are worth what the rubric is worth. For a corpus that matters, label with a large model and train a larger scorer with
`beam_seed.trainer.scorer`.

The files are of open-source projects published on PyPI, npm and Debian, whose names are in `scorer.json`. It holds weights and byte-pair
merges, no text of theirs. The form of the input, the bag-of-tokens start and the learning rate were chosen by the same files that the
errors below are measured on: expect more on others."""


def main(argv: Sequence[str] | None = None) -> None:
    options, _ = parse(Options, sys.argv[1:] if argv is None else argv, "beam_seed.trainer.default_scorer")
    make(options)


if __name__ == "__main__":
    main()
