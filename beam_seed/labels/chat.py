"""A client of OpenAI-compatible chat endpoints: one request, its limits, and which of its failures may pass."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from typing import Any, NamedTuple

import httpx

from beam_seed.labels.cache import Answer
from beam_seed.labels.cost import Prices

MAX_RESPONSE_BYTES = 4 << 20  # an answer of a thousand tokens is 10 kB
_MAX_PAUSE = 600.0  # seconds that an endpoint may ask us to wait
_TOLD = 300  # characters of an endpoint's own words in an error message


class TransientError(Exception):
    """A request that failed and may succeed when it is made again."""

    def __init__(self, message: str, *, pause: float = 0.0, lost: bool = False):
        """pause: seconds the endpoint asked for. lost: an answer may have been made, and charged, that did not arrive."""
        super().__init__(message)
        self.pause = pause
        self.lost = lost


class RefusedRequestError(Exception):
    """A request that the endpoint refuses however often it is made."""


class RefusedClientError(Exception):
    """The endpoint refuses all our requests: a wrong key, a wrong address, an unknown model, an empty account."""


class BadResponseError(Exception):
    """A response that is not an answer. ``raw`` is the beginning of what it is."""

    def __init__(self, message: str, raw: str):
        super().__init__(message)
        self.raw = raw


class Endpoint(NamedTuple):
    """Where and what to ask. Nothing in it is secret."""

    url: str  # base, such as https://api.deepseek.com/v1
    model: str
    temperature: float
    max_answer_tokens: int
    timeout: float  # seconds a request may take


class ChatClient:
    """Asks an endpoint, from any number of threads. The key is only ever in the header of requests: what comes back is cleaned of it."""

    def __init__(self, endpoint: Endpoint, key: str, prices: Prices, connections: int):
        self._endpoint = endpoint
        self._key = key
        self._prices = prices
        base = endpoint.url.rstrip("/")
        self._url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
        # Redirects are not followed: they would take the key to another host.
        self._http = httpx.Client(
            headers=headers,
            timeout=endpoint.timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def body(self, messages: list[dict[str, str]]) -> bytes:
        """The request's body."""
        request = {
            "model": self._endpoint.model,
            "messages": messages,
            "temperature": self._endpoint.temperature,
            "max_tokens": self._endpoint.max_answer_tokens,
            "stream": False,
        }
        return json.dumps(request).encode()

    def ask(self, messages: list[dict[str, str]]) -> Answer:
        """One request. Raises TransientError, RefusedRequestError, RefusedClientError or BadResponseError."""
        deadline = time.monotonic() + self._endpoint.timeout
        try:
            headers = {"Content-Type": "application/json"}
            with self._http.stream("POST", self._url, content=self.body(messages), headers=headers) as response:
                data = _read(response, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransientError(self._clean(f"{type(error).__name__}: {error}")) from None
        except httpx.TimeoutException as error:
            message = f"no answer in {self._endpoint.timeout:g} s ({type(error).__name__})"
            raise TransientError(message, lost=isinstance(error, httpx.ReadTimeout)) from None
        except httpx.TransportError as error:
            # A connection that breaks while we wait may break off an answer that is being made.
            is_lost = isinstance(error, httpx.ReadError | httpx.RemoteProtocolError)
            raise TransientError(self._clean(f"{type(error).__name__}: {error}"), lost=is_lost) from None
        except httpx.InvalidURL as error:
            raise RefusedClientError(f"{self._endpoint.url!r} is no address: {error}") from None
        if not response.is_success:
            self._raise_status(response, data)
        return self._parse(data, self.worst(messages))

    def worst(self, messages: list[dict[str, str]]) -> float:
        """The most that a request can cost."""
        return self._prices.worst(messages, self._endpoint.max_answer_tokens)

    def _raise_status(self, response: httpx.Response, data: bytes) -> None:
        status = response.status_code
        told = self._clean(" ".join(_error_text(data).split())[:_TOLD])
        message = f"HTTP {status}: {told or response.reason_phrase}"
        if status in (408, 409, 425, 429) or status >= 500:
            raise TransientError(message, pause=_retry_after(response.headers.get("retry-after", "")))
        if status in (401, 402, 403, 404, 405) or status < 400:
            sent = "a key was sent" if self._key else "no key was sent"
            raise RefusedClientError(f"{self._url} refuses: {message} ({sent}; model {self._endpoint.model!r})")
        raise RefusedRequestError(message)

    def _parse(self, data: bytes, worst: float) -> Answer:
        text = self._clean(data.decode("utf-8", "replace"))
        try:
            response = json.loads(text)
            choice = response["choices"][0]
            content = choice["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise BadResponseError(f"the response is no chat completion: {type(error).__name__}: {error}", text[:100_000]) from None
        if not isinstance(content, str):
            raise BadResponseError(f"the answer's content is {type(content).__name__}; expected text", text[:100_000])
        tokens = [_count(response.get("usage"), name) for name in ("prompt_tokens", "completion_tokens")]
        # What an endpoint does not account for is taken to have cost the most it can.
        cost = worst if None in tokens else self._prices.cost(tokens[0] or 0, tokens[1] or 0)
        finish, model = str(choice.get("finish_reason") or ""), str(response.get("model") or self._endpoint.model)
        return Answer(_encodable(content), _encodable(finish), _encodable(model), tokens[0] or 0, tokens[1] or 0, cost)

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def _read(response: httpx.Response, deadline: float) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise BadResponseError(f"the response is encoded as {response.headers['content-encoding']!r}; expected none", "")
    parts, size = [], 0
    for part in response.iter_raw():
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            raise BadResponseError(f"the response has more than {MAX_RESPONSE_BYTES} bytes", "")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the response trickles in")
        parts.append(part)
    return b"".join(parts)


def _error_text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _encodable(text: str) -> str:
    # JSON can write half of a surrogate pair, Parquet cannot.
    return text.encode("utf-8", "replace").decode()


def _count(usage: Any, name: str) -> int | None:
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 1 << 40 else None


def _retry_after(header: str) -> float:
    """Seconds to wait, from a number of seconds or a date; 0 where the header says nothing."""
    try:
        seconds = float(header) if header.strip().replace(".", "", 1).isdigit() else _seconds_until(header)
    except (ValueError, TypeError):
        return 0.0
    return min(max(seconds, 0.0), _MAX_PAUSE)


def _seconds_until(date: str) -> float:
    return email.utils.parsedate_to_datetime(date).timestamp() - time.time()


class Pace:
    """Spaces requests evenly, and stops all of them while the endpoint asks to wait. Blocks the calling thread."""

    def __init__(self, per_minute: float):
        """per_minute: 0 = no limit."""
        self._interval = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Wait for this request's turn; the seconds that took."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval
        time.sleep(turn - now)
        return turn - now

    def pause(self, seconds: float) -> None:
        """Let no request go for ``seconds``."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
