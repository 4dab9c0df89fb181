"""Chance that rests on identity: numbers that are a function of a seed, a purpose and a name, whatever the order, worker or machine."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

_WORDS = struct.Struct("<8Q")


class Draws(NamedTuple):
    """Eight independent numbers, each uniform over the whole numbers below 2**64."""

    words: tuple[int, ...]

    def share(self, place: int) -> float:
        """The number at ``place`` as one of [0, 1)."""
        return (self.words[place] >> 11) / (1 << 53)  # as many bits as a float holds, so that 1 is never reached

    def below(self, place: int, limit: int) -> int:
        """The number at ``place`` as a whole number in [0, limit), ``limit`` above 0."""
        return (self.words[place] * limit) >> 64


def draws(seed: int, purpose: str, *names: str | int) -> Draws:
    """The numbers of what ``names`` identify (BLAKE2b, keyed by the seed). Different purposes (16 bytes at most) share nothing."""
    identity = "\0".join(map(str, names)).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(identity, digest_size=64, key=str(seed).encode(), person=purpose.encode()).digest()
    return Draws(_WORDS.unpack(digest))
