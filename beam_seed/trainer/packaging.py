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
from beam_seed.trainer.baseline import baselines
from beam_seed.trainer.evaluation import evaluate
from beam_seed.trainer.labels import Label, oracles, project_name
from beam_seed.trainer.model_card import model_card

# A card is read by people: more names than this are a list nobody reads, and the labels have them.
_NAMED_PROJECTS = 200


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
    evaluation = {
        "scorer": evaluate(predicted, ratings, [label.document.language for label in held_out]),
        **baselines(training, held_out, form),
        **_projects(held_out),
    }
    write_card(directory, form, training={**data_facts(training), **facts}, evaluation=evaluation)
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    text = model_card(open_package(str(directory)), config, count_parameters(directory))
    (directory / "README.md").write_text(text, encoding="utf-8")


def data_facts(labels: Sequence[Label]) -> dict[str, Any]:
    """Of the labels that a scorer was trained on: how many, from which projects, languages with their files, oracles with theirs."""
    return {
        "labels": len(labels),
        **_projects(labels),
        "languages": dict(Counter(label.document.language for label in labels)),
        "oracles": oracles(labels),
    }


def _projects(labels: Sequence[Label]) -> dict[str, Any]:
    names = sorted(set(map(project_name, labels)))
    return {"projects": len(names)} | ({"project_names": names} if len(names) <= _NAMED_PROJECTS else {})


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
