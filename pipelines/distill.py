"""``beam-seed distill``: an oracle's judgement into a scorer of your own, and a corpus judged by it.

The recipe's loop in one command (Seed-Coder, arXiv 2506.03524, code quality filter): sample a corpus, let an oracle rate the sample,
train a scorer on the ratings, evaluate it, score the corpus and drop the lowest. Each step is a command of its own, which is told before
it runs.
"""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.curation import publish
from beam_seed.labels.tables import NEEDED
from pipelines import launch
from pipelines.tables import find_tables, fingerprint

PROG = "beam-seed distill"

# What the scorer that comes with the package is trained with. Two cores train it in minutes and score over a hundred files a second by it.
# Six pieces of a file say more than its head, which is often a licence and imports: they lift fastText's rank correlation from 0.50 to
# 0.58, as much as the whole text does.
SMALL = "--layers=2 --vocabulary=8192 --max-characters=1728 --pieces=6 --batch=8 --device-batch=8 --learning-rate=4e-4"


@dataclass(frozen=True)
class Options:
    """Sample a corpus, label the sample, train a scorer on the labels, evaluate it, and score the corpus by it."""

    input: list[str] = opt.option([], "The corpus: Parquet files, globs or folders with columns repo, path, content.", kind="read")
    output: str = opt.option("", "Local folder: sample/, labels/, scorer/ (what --scorer takes), evaluation/, scored/.", kind="write")
    sample: str = opt.option("--per-language=6000", "Arguments of beam-seed sample.")
    label: str = opt.option("--oracle=rubric", "Arguments of beam-seed label.")
    train: str = opt.option(SMALL, "Arguments of beam_seed.trainer.scorer.")
    score: str = opt.option("--drop-lowest=0.1", "Arguments of beam-seed score.")
    processes: int = opt.option(1, "Processes that train: one for each GPU.", check=opt.positive)
    workers: int = opt.option(0, "Processes of the other steps; 0 means one for each processor.", check=opt.not_negative)


class Step(NamedTuple):
    """One command."""

    name: str
    command: tuple[str, ...]  # what Python runs
    output: str


def steps(options: Options) -> list[Step]:
    """The steps, in order: each reads what the ones before it wrote."""
    sample, labels, scorer, evaluation, scored = (
        storage.join(options.output, name) for name in ("sample", "labels", "scorer", "evaluation", "scored")
    )
    corpus = [f"--input={path}" for path in options.input]
    workers = f"--workers={options.workers}"
    rated = f"--labels={storage.join(labels, 'labels')}"
    torchrun = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={options.processes}")
    trainer = (*(torchrun if options.processes > 1 else ()), "-m", "beam_seed.trainer.scorer")
    cli = ("-m", "pipelines.cli")
    return [
        Step("sample", (*cli, "sample", *corpus, *shlex.split(options.sample), workers), sample),
        Step("label", (*cli, "label", f"--input={sample}", *shlex.split(options.label), workers), labels),
        Step("train", (*trainer, rated, *shlex.split(options.train)), scorer),
        Step("evaluate", (*cli, "evaluate", f"--scorer={scorer}", rated), evaluation),
        Step("score", (*cli, "score", *corpus, f"--scorer={scorer}", *shlex.split(options.score), workers), scored),
    ]


def run(options: Options, listing: str) -> int:
    """Run the steps that are not finished; the exit status of the one that failed, else 0. ``listing``: fingerprint of the input."""
    mark = publish.fingerprint("corpus", [__version__, listing], "")
    for step in steps(options):
        mark = publish.fingerprint(step.name, step.command, mark)
        record = storage.join(options.output, "_steps", f"{step.name}.json")
        before = storage.read_json(record) if storage.exists(record) else {}
        if before == {"fingerprint": mark, "finished": True}:
            logging.info("%s: finished in an earlier run, reused", step.name)
            continue
        if step.name == "train" and before.get("fingerprint") != mark:
            storage.delete_tree(step.output)  # checkpoints of another run; the other steps clear what is theirs
        storage.write_json(record, {"fingerprint": mark, "finished": False})
        command = [*step.command, f"--output={step.output}"]
        print(f"{step.name}: python {shlex.join(command)}", flush=True)
        status = subprocess.run([sys.executable, *command], check=False).returncode
        if status:
            print(f"{PROG}: error: step {step.name} failed; the same command goes on from there", file=sys.stderr)
            return status
        storage.write_json(record, {"fingerprint": mark, "finished": True})
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the steps, tell where their results are. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest:
        raise opt.UsageError(PROG, f"unknown argument {rest[0]}; arguments of a step go into --sample, --label, --train or --score")
    if not options.output or not storage.is_local(options.output):
        raise opt.UsageError(PROG, f"argument --output: {options.output or 'none'} given; expected a local folder: training writes there")
    files = find_tables(PROG, options.input, NEEDED)
    with launch.alone(PROG, options.output):
        status = run(options, fingerprint(files))
    if not status:
        for name, what in (("evaluation", "evaluation.html"), ("scorer", ""), ("scored", "kept")):
            print(f"{name}: {storage.join(options.output, name, *filter(None, [what]))}")
    return status


if __name__ == "__main__":
    sys.exit(main())
