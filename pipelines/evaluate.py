"""``beam-seed evaluate``: how well a scorer agrees with an oracle, as a page and as JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beam_seed import options as opt
from beam_seed import storage

PROG = "beam-seed evaluate"

_HELD_OUT = 0.1  # of the projects, where a scorer's card does not say what it was trained without


@dataclass(frozen=True)
class Options:
    """Judge a scorer by labels: errors, correlations, what a threshold drops, baselines, agreement of two oracles."""

    scorer: str = opt.option("", "Directory or gs:// prefix of the scorer; empty: the one that is shipped.", kind="read")
    labels: list[str] = opt.option([], "Parquet files, patterns or folders with content, language, path, rating (0 to 10).", kind="read")
    against_labels: list[str] = opt.option(
        [], "A second oracle's labels: agreement is measured on the files of equal content in both sets.", kind="read"
    )
    training_labels: list[str] = opt.option(
        [], "Labels to train the baselines on; empty: those of --labels that are not held out.", kind="read"
    )
    output: str = opt.option("", "Folder for evaluation.html and evaluation.json.", kind="write")
    split: str = opt.option(
        "held-out", "What to evaluate on: the projects that the trainer held out, or all files.", choices=("held-out", "all")
    )


def evaluate(options: Options) -> dict[str, Any]:
    """What evaluation.json holds. Raises OSError or ValueError on labels or a scorer that cannot be used."""
    # Imported here: torch and transformers take seconds, which --help and a wrong flag need not wait for.
    import torch

    from beam_seed.quality.scorer import Scorer
    from beam_seed.trainer import evaluation_report
    from beam_seed.trainer.baseline import baselines
    from beam_seed.trainer.labels import read_labels, split

    scorer = Scorer.load(options.scorer, "cuda" if torch.cuda.is_available() else "cpu")
    held_out = float(scorer.package.card.get("training", {}).get("projects_held_out", _HELD_OUT))
    everything = read_labels(options.labels)
    training, chosen = split(everything, held_out)
    told = {"split": options.split, "held_out": held_out, "sources": options.labels, "training_side": 0}
    if options.split == "all":
        told["training_side"] = len(training)
        training, chosen = [], everything
    if not chosen:
        raise ValueError(f"none of the {len(everything)} labels is of a project that was held out; expected one at least, or --split=all")
    if options.training_labels:
        training = read_labels(options.training_labels)
    logging.info("scoring %s files", f"{len(chosen):,}")
    scores = scorer.score([label.document for label in chosen])
    logging.info("training baselines on %s labels", f"{len(training):,}")
    return evaluation_report.build(
        scorer.package,
        chosen,
        scores,
        told,
        baselines(training, chosen, scorer.package.input) if training else {},
        _agreement(options, everything, chosen, scores),
    )


def _agreement(options: Options, everything: Any, chosen: Any, scores: Any) -> dict[str, Any] | None:
    from beam_seed.trainer import evaluation_report
    from beam_seed.trainer.labels import read_labels

    if not options.against_labels:
        return None
    second = read_labels(options.against_labels)
    found = evaluation_report.against(everything, second, chosen, scores)
    if found is None:
        raise ValueError(
            f"the {len(everything)} labels and the {len(second)} of --against-labels have no file of equal content in common; "
            "expected ratings of the same files"
        )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, evaluate, write both files. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest:
        raise opt.UsageError(PROG, f"unknown argument {rest[0]}; no job is started here")
    for name in ("labels", "output"):
        if not getattr(options, name):
            raise opt.UsageError(PROG, f"argument --{name}: none given; see {PROG} --help")
    try:
        found = evaluate(options)
        _write(found, options.output)
    except (OSError, ValueError) as error:
        raise opt.UsageError(PROG, str(error)) from error
    figures = found["figures"]
    print(f"MAE {figures['mae']} (balanced {figures['class_balanced_mae']}), Spearman {figures['spearman']}, {figures['files']:,} files")
    print(f"see {storage.join(options.output, 'evaluation.html')}")
    return 0


def _write(found: dict[str, Any], output: str) -> None:
    from beam_seed.trainer.evaluation_report import render

    storage.write_json(storage.join(output, "evaluation.json"), found)
    with storage.open_write(storage.join(output, "evaluation.html")) as page:
        page.write(render(found).encode())


if __name__ == "__main__":
    sys.exit(main())
