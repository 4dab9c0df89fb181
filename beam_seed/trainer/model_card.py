"""A scorer's README.md: its card in words, for whoever finds the directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beam_seed.quality.package import Package
from beam_seed.report.text import counted, visible

_ROWS = (("scorer", "this scorer"), ("fasttext", "fastText on the same labels"), ("mean", "mean of the training ratings"))
_LANGUAGES = 12  # named in the text; scorer.json has them all

_USE = """`scorer.json` holds this in a form to be read by programs; its fingerprint changes with anything that can change a score.

```sh
beam-seed github --scorer=DIRECTORY --drop-lowest=0.1 ...
beam-seed evaluate --scorer=DIRECTORY --labels=LABELS --output=FOLDER
```"""

_LIMITS = """It is made to drop the worst of a large corpus, not to judge one file or its author. It imitates its oracle, with the oracle's
mistakes and tastes; it sees a part of each file and nothing of the rest of the repository, and does not know whether code is correct,
safe or lawful to use. Scores mean less for languages that few or no labels were given for, and scores of two scorers are not comparable."""


def model_card(package: Package, config: Mapping[str, Any], parameters: int) -> str:
    """README.md of a scorer. config: of its model.

    What the card does not say is left out, so that it can be written for any scorer.
    """
    training, evaluation = package.card.get("training", {}), package.card.get("evaluation", {})
    parts = [
        "# A code quality scorer",
        f"A model of {config.get('model_type', 'unknown')} structure with a regression head: {_sizes(config, parameters)}.\n"
        f"It reads a file as text and returns its quality from 0 to 1. Fingerprint `{package.fingerprint}`.",
        *(["## Trained on", _data(training), _run(training)] if training else []),
        *(["## Errors", _scope(evaluation), _figures(evaluation), _languages(evaluation)] if "scorer" in evaluation else []),
        "## Use",
        _input(package),
        _USE,
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sizes(config: Mapping[str, Any], parameters: int) -> str:
    named = (("num_hidden_layers", "{:,} layers"), ("hidden_size", "width {:,}"), ("vocab_size", "{:,} tokens"))
    return ", ".join([*(text.format(config[name]) for name, text in named if name in config), f"{parameters:,} parameters"])


def _data(training: Mapping[str, Any]) -> str:
    oracles = "; ".join(_oracle(each) for each in training.get("oracles", ()))
    languages = sorted(training.get("languages", {}).items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{_cell(name) or 'unknown'} {count:,}" for name, count in languages[:_LANGUAGES])
    text = f"Ratings from 0 to 10 of {counted(training['labels'], 'file')} from {counted(training['projects'], 'project')}"
    text += f", given by: {oracles}." if oracles else "."
    if named:
        rest = len(languages) - _LANGUAGES
        text += f"\n\nFiles by language: {named}{f', and {rest} languages more' if rest > 0 else ''}."
    return text


def _oracle(each: Mapping[str, Any]) -> str:
    version = f"prompt version {each['prompt_version']}" if each["prompt_version"] else ""
    name = ", ".join(_cell(part) for part in (each["oracle"], each["model"], version) if part)
    return f"{name or 'an oracle that the labels do not name'} ({each['files']:,})"


def _run(training: Mapping[str, Any]) -> str:
    told = [
        f"started from {_cell(training['start'])}" if training.get("start", "from scratch") != "from scratch" else "from scratch",
        "one epoch of mean squared error on ratings rescaled to [0, 1]",
        *(f"{name.replace('_', ' ')} {training[name]}" for name in ("batch", "learning_rate", "seed") if name in training),
        *([f"{training['tokens']:,} tokens"] if training.get("tokens") else []),
    ]
    return f"Training: {', '.join(told)}."


def _scope(evaluation: Mapping[str, Any]) -> str:
    projects = f" from {counted(evaluation['projects'], 'project')} held out from training" if "projects" in evaluation else ""
    return (
        f"On {counted(evaluation['scorer']['files'], 'file')}{projects}, on the scale of 0 to 10. Class-balanced: the mean over the\n"
        "ratings of the mean absolute error (MAE) on the files of that rating."
    )


def _figures(evaluation: Mapping[str, Any]) -> str:
    rows = [(name, evaluation[key]) for key, name in _ROWS if key in evaluation]
    return _table(["", "MAE", "class-balanced MAE", "Spearman"], ([name, *_numbers(found)] for name, found in rows))


def _languages(evaluation: Mapping[str, Any]) -> str:
    rows = evaluation["scorer"].get("languages", {})
    head = ["language", "files", "MAE", "class-balanced MAE", "Spearman"]
    return _table(head, ([_cell(name), found["files"], *_numbers(found)] for name, found in rows.items())) if rows else ""


def _numbers(found: Mapping[str, Any]) -> list[Any]:
    return [found["mae"], found["class_balanced_mae"], "-" if found["spearman"] is None else found["spearman"]]


def _table(head: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Text of a label table in one cell or sentence: without line breaks, and nothing that Markdown would act on."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|" else sign for sign in " ".join(str(visible(text)).split()))


def _input(package: Package) -> str:
    form = package.input
    pieces = f" in {form.pieces} pieces from its start to its end" if form.pieces > 1 else " from its start"
    return f"It reads at most {form.max_characters:,} characters of a file{pieces}, {form.max_length:,} tokens in all."
