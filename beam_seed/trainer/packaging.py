"""What makes a trained model a scorer: weights of half the width, what it was trained on and how well it does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from beam_seed.quality.package import InputFormat, open_package, write_card
from beam_seed.quality.scorer import Scorer
from beam_seed.trainer.evaluation import errors, evaluate
from beam_seed.trainer.labels import Label, oracles, project_name
from beam_seed.trainer.model_card import model_card


def package(directory: Path, form: InputFormat, training: Sequence[Label], held_out: Sequence[Label], facts: Mapping[str, Any]) -> None:
    """Turn ``directory``, with a model's weights, configuration and tokenizer, into a scorer's.

    facts: of the training, for the card. What is evaluated is the scorer as it was written.
    """
    _to_half(directory)
    write_card(directory, form)
    ratings = np.array([label.rating for label in held_out])
    predicted = 10 * Scorer.load(str(directory), "cuda" if torch.cuda.is_available() else "cpu").score(
        [label.document for label in held_out]
    )
    mean = np.full_like(ratings, np.mean([label.rating for label in training]))
    evaluation = {
        "scorer": evaluate(predicted, ratings, [label.document.language for label in held_out]),
        "mean": errors(mean, ratings),
        "projects": len(set(map(project_name, held_out))),
    }
    write_cards(directory, form, {"training": {**data_facts(training), **facts}, "evaluation": evaluation})


def write_cards(directory: Path, form: InputFormat, card: Mapping[str, Any], title: str = "", notes: str = "") -> None:
    """Write scorer.json and README.md, which says the same in words. title, notes: what only this scorer's README says."""
    write_card(directory, form, **card)
    scorer = open_package(str(directory))
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    text = model_card(scorer, config, count_parameters(directory), title, notes)
    (directory / "README.md").write_text(text, encoding="utf-8")


def data_facts(labels: Sequence[Label]) -> dict[str, Any]:
    """Of the labels that a scorer was trained on: how many, from how many projects, languages with their files, oracles with theirs."""
    return {
        "labels": len(labels),
        "projects": len(set(map(project_name, labels))),
        "languages": dict(Counter(label.document.language for label in labels)),
        "oracles": oracles(labels),
    }


def progress(log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of a log of transformers' ``Trainer``: the losses, and how many tokens (no padding) were trained on."""
    return {
        "loss": [entry["loss"] for entry in log if "loss" in entry],
        "tokens": max((entry["num_input_tokens_seen"] for entry in log if "num_input_tokens_seen" in entry), default=0),
    }


def count_parameters(directory: Path) -> int:
    """Numbers in the safetensors files of ``directory``, by their headers."""
    count = 0
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            count += sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118 (it is no dict)
    return count


def _to_half(directory: Path) -> None:
    # bfloat16 where it was trained so, else float16: 11 bits are far more than the scores are good for.
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float16
    for path in directory.glob("*.safetensors"):
        save_file({name: weight.to(dtype).contiguous() for name, weight in load_file(path).items()}, path, {"format": "pt"})
        path.chmod(0o644)  # save_file leaves it to its owner alone
