"""What answers cost, and a limit that is kept before money is spent: every request reserves the most it can cost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from beam_seed.labels.prompt import count_bytes

# A chat template adds a few tokens to each message; none of the published ones adds as many.
_TEMPLATE_TOKENS = 64


class Prices(NamedTuple):
    """Money for a million tokens, in the currency of the limit."""

    tokens_in: float
    tokens_out: float

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6

    def worst(self, messages: Sequence[dict[str, Any]], max_answer_tokens: int) -> float:
        """The most that a request can cost: a token of a prompt is at least one byte of it."""
        return self.cost(count_bytes(list(messages)) + _TEMPLATE_TOKENS, max_answer_tokens)


class Budget:
    """A sum that the threads of a process spend together and never exceed."""

    def __init__(self, limit: float | None):
        """limit: None = no limit."""
        self._limit = limit
        self._spent = 0.0
        self._reserved: list[float] = []
        self._settled = threading.Condition()

    def reserve(self, amount: float) -> bool:
        """Set ``amount`` aside. Waits while requests in flight may yet cost less than they reserved; False where it does not fit."""
        with self._settled:
            while self._limit is not None and self._spent + sum(self._reserved) + amount > self._limit:
                if not self._reserved:
                    return False
                self._settled.wait()
            self._reserved.append(amount)
            return True

    def settle(self, amount: float, cost: float) -> None:
        """What was set aside as ``amount`` cost ``cost``."""
        with self._settled:
            self._reserved.remove(amount)
            self._spent += cost
            self._settled.notify_all()
