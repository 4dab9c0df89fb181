"""Which score cuts off the lowest share of a corpus: an exact, mergeable histogram of quantised scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

# A power of two, so that ``score * STEPS`` and ``step / STEPS`` are exact in floating point: comparing scores with a threshold
# then drops precisely the steps that were counted. 1/65536 is far below any scorer's own error (about 0.05).
STEPS = 1 << 16

_MAGIC = b"BSSH1\n"  # Beam Seed Score Histogram, format 1
_HEADER_SIZE = 8  # bytes that hold the length of the JSON header


class ScoreHistogram:
    """Weighted counts of scores in steps of 1/65536, per group (``''`` = the whole corpus, or a language).

    Adding and merging are integer sums, so any order and any partition of the scores gives the same histogram, bit for bit.
    A missing score is ``None``: it is counted (``missing``), is no part of the total, and no threshold drops it.
    """

    def __init__(self) -> None:
        self._steps: dict[str, npt.NDArray[np.int64]] = {}  # group -> distinct steps, ascending
        self._counts: dict[str, npt.NDArray[np.int64]] = {}  # group -> weight of each of those steps
        self._missing: dict[str, int] = {}

    def add(self, scores: Sequence[float | None] | npt.NDArray[np.floating], weights: Sequence[int] | None = None, group: str = "") -> None:
        """Count ``scores`` in [0, 1], each with its weight (1 = count files, a size = count bytes), in ``group``.

        Raises ValueError on NaN, on a score outside [0, 1], on negative or differently many weights.
        """
        known = np.array([score is not None for score in scores], bool)
        values = np.array([score for score in scores if score is not None], np.float64)
        mass = np.ones(len(known), np.int64) if weights is None else np.asarray(weights, np.int64)
        if len(mass) != len(known) or (mass < 0).any():
            raise ValueError(f"{len(known)} scores came with {len(mass)} weights; expected one weight >= 0 for each score")
        bad = ~((values >= 0) & (values <= 1))
        if bad.any():
            raise ValueError(f"a score is {values[bad][0]}; expected 0 <= score <= 1, or None where a document has no score")
        self._merge_group(group, (values * STEPS).astype(np.int64), mass[known], int(mass[~known].sum()))

    def merge(self, other: ScoreHistogram) -> None:
        """Add the counts of ``other`` to this histogram."""
        for group in other._missing:
            self._merge_group(group, other._steps[group], other._counts[group], other._missing[group])

    def groups(self) -> list[str]:
        """The groups that something was counted in, sorted."""
        return sorted(self._missing)

    def total(self, group: str = "") -> int:
        """Weight of all scores of ``group``, missing ones not included."""
        return int(self._counts[group].sum()) if group in self._counts else 0

    def missing(self, group: str = "") -> int:
        """Weight of the documents of ``group`` without a score."""
        return self._missing.get(group, 0)

    def below(self, threshold: float, group: str = "") -> int:
        """Weight of the scores of ``group`` below ``threshold``; exact for a multiple of 1/65536, such as ``threshold()`` returns."""
        if group not in self._steps:
            return 0
        return int(self._counts[group][: np.searchsorted(self._steps[group], threshold * STEPS)].sum())

    def threshold(self, drop_lowest: float, group: str = "") -> float | None:
        """The largest multiple of 1/65536 of which at most the share ``drop_lowest`` of the group's scores lies strictly below.

        ``score < threshold`` then drops at most that share. The largest real number with this property is less than 1/65536
        above it: only scores of that one step are kept that a threshold without quantisation might have dropped.
        The share is compared exactly, as the decimal number that was given. None where the group has no scores.
        Raises ValueError unless 0 <= drop_lowest < 1.
        """
        if not 0 <= drop_lowest < 1:
            raise ValueError(f"drop_lowest is {drop_lowest}; expected a share in 0 <= drop_lowest < 1, such as 0.1")
        total = self.total(group)
        if total == 0:
            return None
        allowed = Fraction(str(drop_lowest)) * total // 1
        first_too_many = int(np.searchsorted(np.cumsum(self._counts[group]), allowed, side="right"))
        return float(self._steps[group][first_too_many]) / STEPS

    def thresholds(self, drop_lowest: float) -> dict[str, float]:
        """``threshold`` of every group that has scores."""
        found = {group: self.threshold(drop_lowest, group) for group in self.groups()}
        return {group: threshold for group, threshold in found.items() if threshold is not None}

    def to_bytes(self) -> bytes:
        """The histogram as bytes, equal for equal histograms."""
        header = {group: [len(self._steps[group]), self._missing[group]] for group in self.groups()}
        text = json.dumps(header, sort_keys=True).encode()
        arrays = [part.astype("<i8").tobytes() for group in self.groups() for part in (self._steps[group], self._counts[group])]
        return b"".join([_MAGIC, len(text).to_bytes(_HEADER_SIZE, "little"), text, *arrays])

    @classmethod
    def from_bytes(cls, data: bytes) -> ScoreHistogram:
        """The histogram that ``to_bytes`` wrote. Raises ValueError on anything else."""
        start = len(_MAGIC) + _HEADER_SIZE
        try:
            if data[: len(_MAGIC)] != _MAGIC:
                raise ValueError("the first bytes are others")
            end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
            header: Mapping[str, tuple[int, int]] = json.loads(data[start:end])
            numbers = np.frombuffer(data[end:], "<i8").astype(np.int64)
            if len(numbers) != 2 * sum(length for length, _ in header.values()):
                raise ValueError("the counts are cut off")
            return cls._from_numbers(header, numbers)
        except (ValueError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{len(data)} bytes are no score histogram ({error}); expected what ScoreHistogram.to_bytes() returns"
            ) from error

    @classmethod
    def merged(cls, packed: Iterable[bytes]) -> ScoreHistogram:
        """One histogram of several that ``to_bytes`` wrote."""
        whole = cls()
        for each in packed:
            whole.merge(cls.from_bytes(each))
        return whole

    @classmethod
    def _from_numbers(cls, header: Mapping[str, tuple[int, int]], numbers: npt.NDArray[np.int64]) -> ScoreHistogram:
        histogram = cls()
        for group in sorted(header):
            length, missing = header[group]
            steps, counts, numbers = numbers[:length], numbers[length : 2 * length], numbers[2 * length :]
            if length < 0 or (np.diff(steps) <= 0).any() or (steps < 0).any() or (steps > STEPS).any() or (counts < 0).any():
                raise ValueError(f"the counts of group {group!r} are not in order")
            histogram._merge_group(group, steps, counts, missing)
        return histogram

    def _merge_group(self, group: str, steps: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], missing: int) -> None:
        if group in self._steps:
            steps, counts = np.concatenate([self._steps[group], steps]), np.concatenate([self._counts[group], counts])
        self._steps[group], index = np.unique(steps, return_inverse=True)
        self._counts[group] = np.zeros(len(self._steps[group]), np.int64)
        np.add.at(self._counts[group], index, counts)
        self._missing[group] = self._missing.get(group, 0) + int(missing)
