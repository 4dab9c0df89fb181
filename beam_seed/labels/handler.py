"""Beam's RunInference over an oracle: the model handlers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, RemoteModelHandler

from beam_seed import metrics
from beam_seed.labels.chat_rater import ChatRater
from beam_seed.labels.opinion import Opinion
from beam_seed.labels.oracles import Chat, Rubric, RubricRater
from beam_seed.records import Document

NAMESPACE = metrics.PREFIX + "label"


class RubricHandler(ModelHandler[Document, Opinion, RubricRater]):
    """The rubric as a model."""

    def __init__(self, oracle: Rubric):
        super().__init__()
        self._oracle = oracle

    def load_model(self) -> RubricRater:
        return self._oracle.start()

    def run_inference(self, batch: Sequence[Document], model: RubricRater, inference_args: dict[str, Any] | None = None) -> list[Opinion]:
        return model.rate(batch)

    def get_num_bytes(self, batch: Sequence[Document]) -> int:
        return sum(document.size for document in batch)

    def get_metrics_namespace(self) -> str:
        return NAMESPACE


class ChatHandler(RemoteModelHandler[Document, Opinion, ChatRater]):
    """A chat endpoint as a remote model.

    Of what Beam's handler brings, its place in RunInference and its throttling signal (which keeps Dataflow from adding workers to a
    step that waits) are used. Its retries are not: they would ask a whole batch again for one request that failed, and pay for its
    neighbours twice; they do not know of Retry-After. Nor is its rate limiter: it counts batches as they come, not requests as they
    are made.
    """

    def __init__(self, oracle: Chat, processes: int):
        super().__init__(NAMESPACE, num_retries=0, retry_filter=_never)
        self._oracle = oracle
        self._processes = processes
        self._run = uuid.uuid4().hex

    def create_client(self) -> ChatRater:
        return self._oracle.start(self._processes, self._run)

    def request(self, batch: Sequence[Document], model: ChatRater, inference_args: dict[str, Any] | None = None) -> list[Opinion]:
        opinions = model.rate(batch)
        seconds = int(model.drain_waited() / self._oracle.concurrency)
        if seconds:
            self.throttler.throttling_signaler.signal_throttled(seconds)
        return opinions

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {}  # RemoteModelHandler does not run ModelHandler's __init__, which would have set this

    def get_num_bytes(self, batch: Sequence[Document]) -> int:
        return sum(document.size for document in batch)

    def get_metrics_namespace(self) -> str:
        return NAMESPACE


def _never(_: BaseException) -> bool:
    return False


def count(opinion: Opinion) -> None:
    """Add one opinion to the job's counters: an answer of a model costs far more than that."""
    more = {"requests": opinion.requests, "retries": max(0, opinion.requests - 1), "reused": int(opinion.reused)}
    if not opinion.reused:
        more |= {"tokens_in": opinion.tokens_in, "tokens_out": opinion.tokens_out, "cost_millionths": round(opinion.cost * 1e6)}
    metrics.count("label", 1, int(opinion.rating is not None), failed=int(opinion.rating is None), more=more)
