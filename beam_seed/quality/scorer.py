"""The scorer: a Llama-structure regression model that reads a file as text and returns its quality in [0, 1].

After Seed-Coder (arXiv 2506.03524, code quality filter): a large model's ratings, rescaled to [0, 1], are distilled into a small
language model with a regression head on the last token, which can then judge every file of a corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from beam_seed.quality.encoding import Encoder, Shapes, Tokens, batches, pad
from beam_seed.quality.package import Package, open_package
from beam_seed.records import Document

if TYPE_CHECKING:
    import torch

# On two cores 1,024 to 8,192 tokens are within 3 % of each other with the default scorer, and 16,384 are a third slower: they leave the
# caches. A GPU wants more.
BATCH_TOKENS = 4096


class Scorer:
    """A loaded scorer. ``Scorer.load(location).score(documents)`` is all there is to it; scores do not depend on the batch."""

    def __init__(self, package: Package, model: torch.nn.Module, device: str, batch_tokens: int):
        self.package = package
        self.encoder = Encoder(package.directory, package.input)
        self.shapes = Shapes(package.input.max_length, batch_tokens)
        self.model = model
        self.device = device
        self.padding = _check(model.config, self.encoder.vocabulary_size, package)

    @classmethod
    def load(cls, location: str = "", device: str = "cpu", batch_tokens: int = BATCH_TOKENS) -> Scorer:
        """Load the scorer at ``location`` (a directory, ``gs://``, '' = the default one) onto ``device``.

        float32 on the CPU, where scores repeat bit for bit; bfloat16 and compiled on CUDA. Raises FileNotFoundError or ValueError
        naming the file and what was expected in it.
        """
        import torch
        from transformers import AutoModelForSequenceClassification
        from transformers.utils import logging

        logging.disable_progress_bar()  # one a worker process would fill the job's log
        package = open_package(location)
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        model, info = AutoModelForSequenceClassification.from_pretrained(
            str(package.directory), dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if info["missing_keys"] or info["mismatched_keys"]:
            # transformers would fill these with random numbers and only warn.
            wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"]]))
            raise ValueError(
                f"{package.directory} lacks the weights {wrong}; expected a model with a trained regression head (score.weight)"
            )
        model.eval().to(device)
        if device.startswith("cuda"):
            model.compile(dynamic=False)  # a fixed set of shapes: each is compiled once
        return cls(package, model, device, batch_tokens)

    @property
    def fingerprint(self) -> str:
        """32 hex digits that change with anything that can change a score."""
        return self.package.fingerprint

    def score(self, documents: Sequence[Document]) -> npt.NDArray[np.float32]:
        """Quality of each document in [0, 1] (the model's output, clipped), in the same order.

        The model sees ``max_length`` tokens at most. Raises ValueError where a document cannot be encoded or a score is not finite.
        """
        tokens = [self.encoder.encode(document) for document in documents]
        scores = np.empty(len(tokens), np.float32)
        for batch in batches([len(found) for found in tokens], self.shapes):
            scores[batch] = self.score_tokens([tokens[position] for position in batch])
        return scores

    def score_tokens(self, batch: Sequence[Tokens]) -> npt.NDArray[np.float32]:
        """Scores of one of ``encoding.batches``' batches: documents of one shape, no more than fit in it."""
        scores = self.forward(pad(batch, self.shapes.of(max(map(len, batch))), self.padding))[: len(batch)]
        if not np.isfinite(scores).all():
            raise ValueError(
                f"the scorer returned {scores[~np.isfinite(scores)][0]}; expected a finite number: its weights or its input overflow"
            )
        return np.clip(scores, 0, 1)

    def forward(self, padded: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The model's raw output for each row of token ids, padded on the right."""
        import torch

        tokens = torch.from_numpy(padded).to(self.device)
        with torch.inference_mode():
            output = self.model(input_ids=tokens, attention_mask=(tokens != self.padding).long(), use_cache=False)
        return output.logits[:, 0].float().cpu().numpy()


def _check(config: Any, vocabulary_size: int, package: Package) -> int:
    """The padding token of a model that fits its package; ValueError for one that does not."""
    facts = {
        "num_labels": (config.num_labels, "1, a single regression output", config.num_labels == 1),
        "problem_type": (config.problem_type, "'regression'", config.problem_type == "regression"),
        "pad_token_id": (config.pad_token_id, "the id of the padding token", config.pad_token_id is not None),
        "vocab_size": (config.vocab_size, f"at least the tokenizer's {vocabulary_size}", config.vocab_size >= vocabulary_size),
        "max_position_embeddings": (
            config.max_position_embeddings,
            f"at least scorer.json's max_length of {package.input.max_length}",
            config.max_position_embeddings >= package.input.max_length,
        ),
    }
    for name, (found, expected, good) in facts.items():
        if not good:
            raise ValueError(f"{package.directory / 'config.json'} has {name} {found!r}; expected {expected}")
    return int(config.pad_token_id)
