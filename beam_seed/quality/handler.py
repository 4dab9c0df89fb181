"""Beam's RunInference over a scorer: the model handler."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from beam_seed.quality.encoding import Tokens
from beam_seed.quality.package import open_package
from beam_seed.quality.scorer import Scorer

Prediction = float | str
"""The score of one document, or what went wrong with it (exception type and message)."""


class ScorerHandler(ModelHandler[Tokens, Prediction, Scorer]):
    """Score batches of token ids, each of one of ``Shapes``' shapes (so: ``with_no_batching()``, behind ``encoding.batches``).

    Beam's own handlers do not fit: the Hugging Face one needs TensorFlow to be imported, the PyTorch one loses outputs when a model
    returns a dictionary, and both send the healthy documents of a failing batch to the dead letters.
    """

    def __init__(self, scorer: str, batch_tokens: int, processes: int, accelerator: bool, copies: int = 1):
        """``processes``: how many of them score on one machine and divide its cores; 0 = one for each core.

        ``copies``: of the model on one accelerator.
        """
        # A GPU holds so many models for all processes of its machine; on CPUs a model a process saves the hop between processes.
        super().__init__(large_model=accelerator, model_copies=copies if accelerator else None)
        self._scorer = scorer
        self._batch_tokens = batch_tokens
        self._processes = processes
        self._device = "cuda" if accelerator else "cpu"

    def load_model(self) -> Scorer:
        import torch

        if self._device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError(
                "an accelerator was asked for but this worker has no CUDA device; expected a GPU and its driver, or accelerator=''"
            )
        cores = os.cpu_count() or 1
        torch.set_num_threads(max(1, cores // (self._processes or cores)))
        return Scorer.load(self._scorer, self._device, self._batch_tokens)

    def run_inference(self, batch: Sequence[Tokens], model: Scorer, inference_args: dict[str, Any] | None = None) -> list[Prediction]:
        """One prediction for each document; where a batch fails, its halves are tried, so that only the culprits fail."""
        try:
            return model.score_tokens(batch).tolist()
        except Exception as error:
            if len(batch) == 1:
                logging.warning("a document could not be scored: %s", error)
                return [f"{type(error).__name__}: {error}"]
        middle = len(batch) // 2
        return [prediction for half in (batch[:middle], batch[middle:]) for prediction in self.run_inference(half, model)]

    def update_model_path(self, model_path: str | None = None) -> None:
        """Score by another scorer from the next load on. Raises ValueError where documents are encoded for the first one in another way."""
        if not model_path:
            return
        before, after = open_package(self._scorer), open_package(model_path)
        tokenizers = [(package.directory / "tokenizer.json").read_bytes() for package in (before, after)]
        if before.input != after.input or tokenizers[0] != tokenizers[1]:
            raise ValueError(
                f"{model_path} reads documents in another way than {self._scorer or 'the default scorer'}, for which they are encoded; "
                "expected the same tokenizer.json and input format; start a job with the new scorer instead"
            )
        self._scorer = model_path

    def get_num_bytes(self, batch: Sequence[Tokens]) -> int:
        return sum(tokens.nbytes for tokens in batch)

    def get_metrics_namespace(self) -> str:
        return "quality"
