"""The chat oracle at work: many requests in flight, tried again where that helps, paid once, and within a budget."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NamedTuple

import tenacity

from beam_seed.labels.answer import MalformedAnswerError, read_answer
from beam_seed.labels.cache import Answer, AnswerCache, answer_key
from beam_seed.labels.chat import BadResponseError, ChatClient, Endpoint, Pace, RefusedClientError, RefusedRequestError, TransientError
from beam_seed.labels.cost import Budget, Prices
from beam_seed.labels.opinion import Opinion, one_line
from beam_seed.labels.prompt import PROMPT_VERSION, Criteria, Prompt, build_prompt
from beam_seed.records import Document

# An endpoint that fails this many files in a row, each after all its retries, is down or refuses what we ask.
_FAILURES_IN_A_ROW = 32

_BACKOFF = tenacity.wait_random_exponential(multiplier=1, max=60)


class Limits(NamedTuple):
    """What one process may do. Money and pace are this process's share."""

    concurrency: int
    requests_per_minute: float  # 0 = no limit
    retries: int
    max_characters: int
    max_cost: float  # of all processes together, and of the cache; 0 = no limit
    processes: int


class OverBudgetError(Exception):
    """A request that might cost more than is left."""


@dataclass
class _Effort:
    """What it took to get one answer."""

    requests: int = 0
    lost: float = 0.0


class ChatRater:
    """Rates files by asking an endpoint. For any number of threads of one process."""

    def __init__(self, endpoint: Endpoint, key: str, prices: Prices, limits: Limits, cache: str, run: str, criteria: Mapping[str, str]):
        """``criteria``: of pages, by category; empty where files are rated."""
        self._endpoint = endpoint
        self._criteria = {category: Criteria(category, text) for category, text in criteria.items()}
        self._limits = limits
        self._client = ChatClient(endpoint, key, prices, limits.concurrency)
        self._cache = AnswerCache(cache)
        self._budget = _budget_of(run, (limits.max_cost - self._cache.spent) / limits.processes if limits.max_cost else None)
        self._pace = Pace(limits.requests_per_minute)
        self._pool = ThreadPoolExecutor(limits.concurrency, "ask")
        self._lock = threading.Lock()
        self._failures_in_a_row = 0
        self._refusal: RefusedClientError | None = None
        self._waited = 0.0
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_attempt(1 + limits.retries),
            wait=_wait,
            before_sleep=self._note_sleep,
            reraise=True,
        )

    def rate(self, documents: Sequence[Document]) -> list[Opinion]:
        """One opinion for each document; copies in a batch are asked about once.

        Raises RefusedClientError, when no request is in flight any more, where the endpoint refuses us or fails one file after the other.
        """
        keys = [self._key(document) for document in documents]
        futures: dict[str, Future[Opinion]] = {}
        for key, document in zip(keys, documents, strict=True):
            if key not in futures:
                futures[key] = self._pool.submit(self._rate_one, document, key)
        wait(futures.values())
        self._cache.flush()
        if self._refusal:
            raise self._refusal
        opinions, seen = [], set()
        for key in keys:
            opinion = futures[key].result()
            opinions.append(opinion._replace(requests=0, lost=0.0, reused=True) if key in seen else opinion)
            seen.add(key)
        logging.info("%d files rated, %d failed", len(opinions), sum(opinion.rating is None for opinion in opinions))
        return opinions

    def drain_waited(self) -> float:
        """Seconds spent waiting for limits and back-off since the last call, by all requests together."""
        with self._lock:
            waited, self._waited = self._waited, 0.0
        return waited

    def _key(self, document: Document) -> str:
        sha256 = hashlib.sha256(document.content.encode("utf-8", "surrogatepass")).hexdigest()
        endpoint = self._endpoint
        parameters = (endpoint.temperature, endpoint.max_answer_tokens, self._limits.max_characters)
        criteria = self._criteria_of(document)
        return answer_key(sha256, document.language, criteria.version if criteria else PROMPT_VERSION, endpoint.model, *parameters)

    def _criteria_of(self, document: Document) -> Criteria | None:
        """A page's category stands where a file's language does; of one that the table does not name, those of 'other'."""
        return self._criteria.get(document.language, self._criteria["other"]) if self._criteria else None

    def _rate_one(self, document: Document, key: str) -> Opinion:
        prompt = build_prompt(document.content, document.language, self._limits.max_characters, self._criteria_of(document))
        kept = self._cache.find(key)
        if kept is not None:
            return _opinion(kept, prompt, _Effort())._replace(reused=True)
        if self._refusal:
            raise self._refusal
        effort = _Effort()
        try:
            answer = self._retrying(self._attempt, prompt, effort)
        except RefusedClientError as error:
            self._refusal = error
            raise
        except OverBudgetError as error:
            return Opinion(None, error=f"budget: {error}", requests=effort.requests, lost=effort.lost)
        except (TransientError, RefusedRequestError, BadResponseError) as error:
            self._note_failure(error)
            raw = error.raw if isinstance(error, BadResponseError) else ""
            return Opinion(None, error=one_line(error), answer=raw, requests=effort.requests, lost=effort.lost)
        self._failures_in_a_row = 0
        self._keep(key, answer)
        return _opinion(answer, prompt, effort)

    def _attempt(self, prompt: Prompt, effort: _Effort) -> Answer:
        reserved = self._client.worst(prompt.messages)
        if not self._budget.reserve(reserved):
            raise OverBudgetError(f"the next request may cost {reserved:.6f}, more than is left of {self._limits.max_cost:g}")
        cost = 0.0
        try:
            self._note_waited(self._pace.wait())
            if self._refusal:
                raise self._refusal
            effort.requests += 1
            answer = self._client.ask(prompt.messages)
            cost = answer.cost
        except (TransientError, BadResponseError) as error:
            if isinstance(error, BadResponseError) or error.lost:
                cost = reserved
                effort.lost += cost
                self._cache.add_lost(cost)
            self._pace.pause(getattr(error, "pause", 0.0))
            raise
        finally:
            self._budget.settle(reserved, cost)
        return answer

    def _keep(self, key: str, answer: Answer) -> None:
        try:
            self._cache.add(key, answer)
        except Exception as error:
            self._refusal = RefusedClientError(f"stopped asking: answers cannot be kept: {one_line(error)}")
            raise

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW and not self._refusal:
                self._refusal = RefusedClientError(
                    f"{self._endpoint.url} failed {_FAILURES_IN_A_ROW} files in a row, the last one with {one_line(error)}; "
                    "what was answered is kept: run again when it works"
                )

    def _note_sleep(self, state: tenacity.RetryCallState) -> None:
        self._note_waited(state.next_action.sleep if state.next_action else 0.0)

    def _note_waited(self, seconds: float) -> None:
        with self._lock:
            self._waited += seconds


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds before the next attempt: what the endpoint asked for, or more, with jitter."""
    error = state.outcome.exception() if state.outcome else None
    return float(getattr(error, "pause", 0.0) + _BACKOFF(state))


def _opinion(answer: Answer, prompt: Prompt, effort: _Effort) -> Opinion:
    opinion = Opinion(
        None,
        model=answer.model,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=answer.cost,
        lost=effort.lost,
        requests=effort.requests,
    )
    try:
        if answer.finish == "length":
            raise MalformedAnswerError(f"the answer was cut off after {answer.tokens_out} tokens")
        reading = read_answer(answer.text, prompt)
    except MalformedAnswerError as error:
        return opinion._replace(error=one_line(error), answer=answer.text)
    return opinion._replace(rating=reading.rating, explanation=reading.explanation)


# A process makes a rater anew when its step has been idle; what it has spent stays spent.
_BUDGETS: dict[str, Budget] = {}
_BUDGETS_LOCK = threading.Lock()


def _budget_of(run: str, limit: float | None) -> Budget:
    with _BUDGETS_LOCK:
        return _BUDGETS.setdefault(run, Budget(limit))
