"""``beam-seed``: one command for every job and tool."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from pipelines import logs

COMMANDS = {
    "github": ("pipelines.github", "repositories to file-level and repository-level code corpora"),
    "commits": ("pipelines.commits", "histories of git repositories to code changes with their context"),
    "dedup": ("pipelines.dedup", "a Parquet table of documents to its survivors, exactly and by verified MinHash"),
    "decontaminate": ("pipelines.decontaminate", "Parquet tables to their rows that share no n-gram of words with a benchmark"),
    "sample": ("pipelines.sample", "so many files of each language, drawn from a corpus, for an oracle to label"),
    "label": ("pipelines.label", "an oracle rates the files of a sample: a large model behind an endpoint, or the rubric"),
    "score": ("pipelines.score", "Parquet tables of files to their rows with quality, without the lowest"),
    "notebooks": ("pipelines.notebooks", "Jupyter notebooks of repositories to documents of their text and code"),
    "high-quality": ("pipelines.high_quality", "a scored corpus to its high-quality files, mined by fastText round by round"),
    "web": ("pipelines.web", "web archives to a corpus of code-related pages"),
    "train-relevance": ("pipelines.train_relevance", "pages to the fastText model that recalls code-related ones"),
    "train-categories": ("pipelines.train_categories", "pages to the fastText model that tells their form and function"),
    "evaluate": ("pipelines.evaluate", "how well a scorer agrees with an oracle, as a page and as JSON"),
    "distill": ("pipelines.distill", "an oracle's judgement into a scorer: sample, label, train, evaluate, score"),
    "train-tokenizer": ("pipelines.train_tokenizer", "a byte-level BPE tokenizer with our special tokens, from a sample of a corpus"),
    "shards": ("pipelines.shards", "corpora mixed, tokenised, packed and shuffled into training shards"),
    "remove": ("pipelines.remove", "repositories, files or owners taken out of finished shards, for good"),
    "long-context": ("pipelines.long_context", "repositories in the order of their dependencies, and long files, as documents to train on"),
    "estimate": ("pipelines.estimate", "time and cost of a run over more, from runs over samples"),
    "graph": ("pipelines.graph", "the Beam graph that a job would run, drawn"),
    "why": ("pipelines.why", "the whole story of one document of a finished run"),
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: beam-seed COMMAND [--help] [arguments]", "", *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns its exit status; 2 where there is no such command."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if not arguments or arguments[0] not in COMMANDS:
        named = f"no command {arguments[0]!r}" if arguments else "no command given"
        print(f"beam-seed: error: {named}; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    logs.start()
    # Beam reads sys.argv for flags it is not given: it must see the command's own.
    before, sys.argv = sys.argv, [f"beam-seed {arguments[0]}", *arguments[1:]]
    try:
        status: int = importlib.import_module(COMMANDS[arguments[0]][0]).main(arguments[1:])
    finally:
        sys.argv = before
    return status


if __name__ == "__main__":
    sys.exit(main())
