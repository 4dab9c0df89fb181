"""Exact, mergeable statistics of a numeric column: the same whatever the order in which its parts are added."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

UNIT_BINS = 50  # of [0, 1], for shares and scores

# Bins per power of two: a value is known to 1/16 of itself from its bin, and so is the median.
_PARTS = 8
_LOWEST_EXPONENT = 1074  # of the smallest double, so that every bin has a number > 0

_LIMB = 22  # bits: products of two limbs of a 64-bit number stay below 2**44 ...
_LIMB_MASK = (1 << _LIMB) - 1
_ROWS = 1 << 18  # ... and sums of twice that many of them below 2**63

_MANTISSA = 53  # bits of a double's


@dataclass
class Numbers:
    """Sums are exact (rational), so the mean and the standard deviation are correctly rounded; NaN and infinities are counted apart."""

    finite: int = 0
    nan: int = 0
    infinite: int = 0
    zeros: int = 0
    total: Fraction = field(default_factory=Fraction)
    squares: Fraction = field(default_factory=Fraction)
    low: float | None = None  # of the finite ones and infinities
    high: float | None = None
    bins: Counter[int] = field(default_factory=Counter)  # logarithmic, see bin_edges; 0 = zero
    units: Counter[int] = field(default_factory=Counter)  # 50 equal bins of [0, 1]; values outside are in none

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count ``values`` (int64 or float64, no missing ones)."""
        nan = np.isnan(values)
        infinite = np.isinf(values)
        finite = values[~(nan | infinite)]
        self.finite += len(finite)
        self.nan += int(nan.sum())
        self.infinite += int(infinite.sum())
        self.zeros += int((finite == 0).sum())
        known = values[~nan]
        if len(known):
            self._widen(float(known.min()) + 0.0, float(known.max()) + 0.0)  # -0.0 becomes 0.0: they must not depend on which came first
        total, squares = _moments(finite) if finite.dtype == np.int64 else _float_moments(finite)
        self.total += total
        self.squares += squares
        _count_into(self.bins, _log_bins(finite.astype(np.float64)))
        share = finite[(finite >= 0) & (finite <= 1)]
        _count_into(self.units, np.minimum((share * UNIT_BINS).astype(np.int64), UNIT_BINS - 1))

    def merge(self, other: Numbers) -> None:
        for name in ("finite", "nan", "infinite", "zeros", "total", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bins.update(other.bins)
        self.units.update(other.units)
        if other.low is not None and other.high is not None:
            self._widen(other.low, other.high)

    def mean(self) -> float:
        """0.0 where there is no finite value, as in an unset field."""
        return float(self.total / self.finite) if self.finite else 0.0

    def std_dev(self) -> float:
        """Of the population, as in TensorFlow Data Validation."""
        if not self.finite:
            return 0.0
        return _root(self.squares / self.finite - (self.total / self.finite) ** 2)

    def median(self) -> float:
        """The middle of the logarithmic bin that holds the (lower) median: off by at most 1/16 of it."""
        seen = 0
        for number in sorted(self.bins):
            seen += self.bins[number]
            if seen * 2 >= self.finite:
                low, high = bin_edges(number)
                return min(max((low + high) / 2, self.low or 0.0), self.high or 0.0)
        return 0.0

    def histogram(self, shares: bool) -> Iterator[tuple[float, float, int]]:
        """``(low, high, count)``: one bin per power of two and sign; for ``shares``, if all are in [0, 1], 50 equal bins."""
        if shares and sum(self.units.values()) == self.finite:
            for number in range(UNIT_BINS):
                yield number / UNIT_BINS, (number + 1) / UNIT_BINS, self.units[number]
            return
        octaves: Counter[int] = Counter()
        for number, count in self.bins.items():
            octaves[_octave(number)] += count
        for first in sorted(octaves):
            low, high = bin_edges(first)
            width = (high - low) * _PARTS
            yield (low, low + width, octaves[first]) if first > 0 else (high - width, high, octaves[first])

    def _widen(self, low: float, high: float) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def to_json(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("finite", "nan", "infinite", "zeros", "low", "high")}
        return {
            **own,
            "total": str(self.total),
            "squares": str(self.squares),
            "bins": sorted(self.bins.items()),
            "units": sorted(self.units.items()),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Numbers:
        exact = {name: Fraction(value[name]) for name in ("total", "squares")}
        return cls(**{**value, **exact, "bins": Counter(dict(value["bins"])), "units": Counter(dict(value["units"]))})


def bin_edges(number: int) -> tuple[float, float]:
    """The bin's low and high edge: bins are eighths of [2**(e-1), 2**e), numbered upwards from 1; negative ones mirror them; 0 holds 0."""
    if number == 0:
        return 0.0, 0.0
    exponent, part = divmod(abs(number) - 1, _PARTS)
    low, width = math.ldexp(0.5 + part / (2 * _PARTS), exponent - _LOWEST_EXPONENT), math.ldexp(0.5 / _PARTS, exponent - _LOWEST_EXPONENT)
    return (low, low + width) if number > 0 else (-low - width, -low)


def _log_bins(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    mantissa, exponent = np.frexp(np.abs(values))  # mantissa in [0.5, 1)
    part = ((mantissa - 0.5) * (2 * _PARTS)).astype(np.int64)
    number = (exponent.astype(np.int64) + _LOWEST_EXPONENT) * _PARTS + part + 1
    return np.where(values == 0, 0, np.where(values < 0, -number, number))


def _octave(number: int) -> int:
    """The bin nearest to zero of the same power of two and sign."""
    if number == 0:
        return 0
    first = (abs(number) - 1) // _PARTS * _PARTS + 1
    return first if number > 0 else -first


def _count_into(counter: Counter[int], bins: npt.NDArray[np.int64]) -> None:
    numbers, counts = np.unique(bins, return_counts=True)
    counter.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))


def _moments(values: npt.NDArray[np.int64]) -> tuple[Fraction, Fraction]:
    """Exact sum and sum of squares."""
    total = squares = 0
    for start in range(0, len(values), _ROWS):
        part = values[start : start + _ROWS]
        limbs = [part & _LIMB_MASK, (part >> _LIMB) & _LIMB_MASK, part >> (2 * _LIMB)]
        for place, limb in enumerate(limbs):
            total += int(limb.sum()) << (place * _LIMB)
            for other, factor in enumerate(limbs):
                squares += int((limb * factor).sum()) << ((place + other) * _LIMB)
    return Fraction(total), Fraction(squares)


def _float_moments(values: npt.NDArray[np.float64]) -> tuple[Fraction, Fraction]:
    """Exact sum and sum of squares: integer mantissas, summed per exponent."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, _MANTISSA).astype(np.int64)
    total, squares = Fraction(), Fraction()
    for power in np.unique(exponent).tolist():
        own_total, own_squares = _moments(whole[exponent == power])
        unit = Fraction(2) ** (power - _MANTISSA)
        total += own_total * unit
        squares += own_squares * unit**2
    return total, squares


def _root(value: Fraction) -> float:
    """Square root of a rational number >= 0 that may itself be too large or too small for a float."""
    if not value:
        return 0.0
    # Scaled by a power of four to at least 128 bits, so that the integer root has the 53 bits of a float, and more.
    shift = max(0, 128 - value.numerator.bit_length() + value.denominator.bit_length()) // 2 + 1
    return float(Fraction(math.isqrt((value.numerator << 2 * shift) // value.denominator), 1 << shift))
