"""What an oracle says of a file, whichever oracle it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from beam_seed.records import Document


class Opinion(NamedTuple):
    """What an oracle said of one file: a rating, or why there is none."""

    rating: float | None  # 0 to 10; None = failed
    error: str = ""  # why there is no rating, one line
    explanation: str = ""
    aspects: str = "{}"  # JSON object: aspect -> 0 to 10, where the oracle rates them
    answer: str = ""  # the raw answer, where there is no rating in it
    model: str = ""  # what said so, as it names itself
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0  # of the answer
    lost: float = 0.0  # what was, at most, spent on requests whose answer did not arrive
    requests: int = 0  # made in this run
    reused: bool = False  # the answer was there before this run


class Rater(Protocol):
    """A running oracle."""

    def rate(self, documents: Sequence[Document]) -> list[Opinion]:
        """One opinion for each document, in the same order. Raises only where no document can be rated at all."""
        ...


def one_line(error: BaseException) -> str:
    """An exception's type and message on one line, as a Failed record tells it."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:1000]
