"""How many tokens a text has: estimated by its bytes, or counted with a tokenizer's file."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Protocol

from tokenizers import Tokenizer

from beam_seed import storage

_BYTES_PER_TOKEN = 32
"""More than code or prose has on average: what lies beyond is left out without tokenising it."""


class TokenCounter(Protocol):
    """Counts tokens of texts."""

    def count(self, text: str) -> int:
        """Tokens of ``text``."""
        ...

    def most_bytes(self, tokens: int) -> int:
        """What is longer than so many bytes (UTF-8) need not be counted: it has more than ``tokens``."""
        ...

    def fit(self, text: str, tokens: int) -> str:
        """``text`` where it has at most ``tokens``, else its first lines that together have; '' where the first has more."""
        ...


@dataclass(frozen=True)
class EstimatedTokens:
    """Tokens by the number of bytes as UTF-8: no tokenizer needed, the same on every machine."""

    bytes_per_token: float = 3.0
    """The quality scorer's tokenizer, of 8,192 words, takes 3.3 to 3.5 bytes of a repository's text at a time; larger ones take more."""

    def __post_init__(self) -> None:
        if not self.bytes_per_token > 0:
            raise ValueError(f"bytes_per_token is {self.bytes_per_token!r}; expected a number above 0, such as 3.0")

    def count(self, text: str) -> int:
        return -int(-len(text.encode()) // self.bytes_per_token)

    def most_bytes(self, tokens: int) -> int:
        return max(0, int(tokens * self.bytes_per_token))

    def fit(self, text: str, tokens: int) -> str:
        if self.count(text) <= tokens:
            return text
        limit = self.most_bytes(tokens)
        beginning = text[:limit].encode()[:limit]
        return beginning[: beginning.rfind(b"\n") + 1].decode()


@dataclass(frozen=True)
class CountedTokens:
    """Tokens by a tokenizer of the ``tokenizers`` library, without the special tokens that it adds at either end."""

    tokenizer: Tokenizer

    @classmethod
    def from_file(cls, path: str) -> CountedTokens:
        """From a ``tokenizer.json``, local or on any file system Beam reads. Raises ValueError where it is none."""
        try:
            with storage.open_read(path) as file:
                return cls(Tokenizer.from_str(file.read().decode()))
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"{path!r} is not read by the tokenizers library ({error}); expected a tokenizer.json") from error

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def most_bytes(self, tokens: int) -> int:
        return max(0, tokens) * _BYTES_PER_TOKEN

    def fit(self, text: str, tokens: int) -> str:
        beginning = text[: self.most_bytes(tokens)]
        offsets = self.tokenizer.encode(beginning, add_special_tokens=False).offsets
        if len(beginning) == len(text) and len(offsets) <= tokens:
            return text
        end = offsets[tokens][0] if len(offsets) > tokens else len(beginning)
        beginning = _whole_lines(beginning[:end])
        while self.count(beginning) > tokens:  # a token across the cut was better than the ones that took its place
            beginning = _whole_lines(beginning[:-1])
        return beginning


def _whole_lines(text: str) -> str:
    return text[: text.rfind("\n") + 1]


@functools.lru_cache(maxsize=1)
def token_counter(tokenizer: str) -> TokenCounter:
    """Counts with the tokenizer at a path, a ``tokenizer.json`` or the folder of one; estimates where it is ''.

    Raises ValueError where it cannot be read.
    """
    return CountedTokens.from_file(tokenizer_file(tokenizer)) if tokenizer else EstimatedTokens()


def tokenizer_file(tokenizer: str) -> str:
    """The ``tokenizer.json`` that is named, or that is in the folder that is."""
    return tokenizer if not tokenizer or tokenizer.endswith(".json") else storage.join(tokenizer, "tokenizer.json")
