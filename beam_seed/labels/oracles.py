"""The oracles as they are set up. Settings travel and are told; what a running oracle holds, such as a key, never leaves its process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from beam_seed import __version__
from beam_seed.labels.chat import Endpoint
from beam_seed.labels.chat_rater import ChatRater, Limits
from beam_seed.labels.cost import Prices
from beam_seed.labels.keys import DEFAULT_KEY, check_variable, read_key
from beam_seed.labels.opinion import Opinion, one_line
from beam_seed.labels.prompt import PROMPT_VERSION, Criteria
from beam_seed.quality.rubric import rate
from beam_seed.records import Document


@dataclass(frozen=True)
class Rubric:
    """The rubric (``quality.rubric``): offline, deterministic, free. It counts and does not understand."""

    name = "rubric"
    version = __version__
    model = "rubric"

    def start(self) -> RubricRater:
        """The running oracle."""
        return RubricRater()


class RubricRater:
    """Rates by the rubric, one file after the other."""

    def rate(self, documents: Sequence[Document]) -> list[Opinion]:
        """One opinion for each document; a file that the rubric fails on has none."""
        return [_rubric_opinion(document) for document in documents]


def _rubric_opinion(document: Document) -> Opinion:
    try:
        found = rate(document.content, document.language)
    except Exception as error:
        return Opinion(None, error=one_line(error), model="rubric")
    return Opinion(found.rating, explanation=found.explanation, aspects=json.dumps(found.aspects), model="rubric")


@dataclass(frozen=True)
class Chat:
    """A large model behind an OpenAI-compatible chat endpoint.

    Raises ValueError on settings that cannot be.
    """

    endpoint: str  # base URL, such as https://api.deepseek.com/v1 or http://127.0.0.1:8000/v1
    model: str  # as the endpoint names it
    cache: str  # folder of the answers that were paid for; one that is there is used
    temperature: float = 0.0
    max_characters: int = 30_000  # of a file that are shown: all of 99 files in a hundred, about 10,000 tokens
    max_answer_tokens: int = 1024
    timeout: float = 120.0  # seconds for a request
    concurrency: int = 16  # requests in flight in a process
    requests_per_minute: float = 0.0  # of all processes together; 0 = no limit
    retries: int = 6  # after a failure that may pass: with back-off doubling from a second, about a minute
    price_in: float = 0.0  # for a million tokens of prompts
    price_out: float = 0.0  # for a million tokens of answers
    max_cost: float = 0.0  # of all answers in the cache and this run's together; 0 = no limit
    api_key_env: str = DEFAULT_KEY  # name of the environment variable with the key
    api_key_secret: str = ""  # projects/.../secrets/.../versions/... of Secret Manager; goes before the variable

    criteria: tuple[tuple[str, str], ...] = ()  # (category, what its pages are rated by), 'other' among them; none: files of code are rated

    name = "chat"

    @property
    def version(self) -> str:
        """Of the prompt: 12 hex digits that change with its wording."""
        if not self.criteria:
            return PROMPT_VERSION
        return hashlib.blake2b("".join(Criteria(*each).version for each in self.criteria).encode(), digest_size=6).hexdigest()

    def __post_init__(self) -> None:
        url = urlsplit(self.endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"endpoint is {self.endpoint!r}; expected a URL such as https://api.deepseek.com/v1")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError(
                "endpoint holds more than scheme, host and path; expected no key or other parameter in it: it is told in manifests"
            )
        check_variable(self.api_key_env)
        if not self.model or not self.cache:
            raise ValueError(f"model is {self.model!r} and cache is {self.cache!r}; expected a name and a folder")
        for field in ("max_characters", "max_answer_tokens", "timeout", "concurrency"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} is {getattr(self, field)}; expected a number above 0")
        for field in ("temperature", "requests_per_minute", "retries", "price_in", "price_out", "max_cost"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} is {getattr(self, field)}; expected 0 or a number above it")
        if self.criteria and "other" not in dict(self.criteria):
            raise ValueError(f"criteria are those of {sorted(dict(self.criteria))}; expected 'other' among them, for pages of no category")
        if self.max_cost and not (self.price_in and self.price_out):
            raise ValueError(f"max_cost is {self.max_cost} without prices; expected price_in and price_out, for a million tokens")

    @property
    def needs_processes(self) -> bool:
        """Whether a limit is divided among the processes that ask."""
        return bool(self.max_cost or self.requests_per_minute)

    def start(self, processes: int, run: str) -> ChatRater:
        """The running oracle of one of ``processes`` processes; ``run`` names what shares a budget within this process.

        Raises ValueError where there is no key although one is named.
        """
        limits = Limits(
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute / processes,
            retries=self.retries,
            max_characters=self.max_characters,
            max_cost=self.max_cost,
            processes=processes,
        )
        endpoint = Endpoint(self.endpoint, self.model, self.temperature, self.max_answer_tokens, self.timeout)
        key = read_key(self.api_key_env, self.api_key_secret)
        return ChatRater(endpoint, key, Prices(self.price_in, self.price_out), limits, self.cache, run, dict(self.criteria))


Oracle = Rubric | Chat


def settings(oracle: Oracle) -> dict[str, Any]:
    """What to tell of an oracle: everything it is set to. Nothing of it is secret."""
    return {"oracle": oracle.name, "prompt_version": oracle.version, "model": oracle.model} | {
        name: value for name, value in vars(oracle).items() if name != "cache"
    }
