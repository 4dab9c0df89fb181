"""Histograms and curves as SVG paths in a box of 100 x 100, with what their axes say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from beam_seed.report.schema import Histogram

_CURVE_POINTS = 100  # straight pieces of a curve: finer than a pixel of a phone's screen

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

# Widest labels that stay apart at 360 px: every fourth power of two, every fifth of the unit interval.
_OCTAVES_PER_LABEL = 4
_UNIT_LABELS = 5


class Bar(NamedTuple):
    left: float  # 0 to 100, as is width
    width: float
    title: str  # what a pointer resting on it shows


class Chart(NamedTuple):
    """A histogram: paths to be filled, one per series, stacked from below."""

    paths: list[str]
    bars: list[Bar]
    labels: list[tuple[float, str]]  # (position from the left, 0 to 100, text)
    top: int  # what the full height stands for


def histogram(data: Histogram) -> Chart:
    """Kept below, dropped above."""
    numbers = range(data["first"], data["first"] + len(data["kept"]))
    names = [_bin_name(data["kind"], number, len(numbers)) for number in numbers]
    titles = [
        f"{name}: {kept:,} kept, {dropped:,} dropped" for name, kept, dropped in zip(names, data["kept"], data["dropped"], strict=True)
    ]
    return _stacked([data["kept"], data["dropped"]], titles, _labels(data["kind"], numbers))


def unit_histogram(series: Sequence[Sequence[int]], names: Sequence[str]) -> Chart:
    """Series of equal bins of [0, 1], stacked."""
    bins = len(series[0])
    titles = [
        f"{_bin_name('unit', number, bins)}: " + ", ".join(f"{counts[number]:,} {name}" for counts, name in zip(series, names, strict=True))
        for number in range(bins)
    ]
    return _stacked(series, titles, _labels("unit", range(bins)))


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """1 - (1 - s**r)**b: that two documents of Jaccard similarity s agree in at least one band (Mining of Massive Datasets, 3.4.2)."""
    return float(1 - (1 - similarity**rows) ** bands)


def candidate_curve(bands: int, rows: int) -> str:
    """:func:`candidate_probability` from 0 to 1 as a path."""
    points = [
        (100 * step / _CURVE_POINTS, 100 - 100 * candidate_probability(step / _CURVE_POINTS, bands, rows))
        for step in range(_CURVE_POINTS + 1)
    ]
    return "M" + "L".join(f"{x:g} {y:.2f}" for x, y in points)


def size_name(size: int) -> str:
    """A power of two of bytes, such as '4 KiB'."""
    power = min((size.bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{size >> (10 * power)} {_UNITS[power]}"


def _stacked(series: Sequence[Sequence[int]], titles: Sequence[str], labels: list[tuple[float, str]]) -> Chart:
    count = len(titles)
    sums = [sum(values) for values in zip(*series, strict=True)]
    top = max(sums, default=0)
    width = 100 / count if count else 0.0
    base = [0] * count
    paths = []
    for values in series:
        pieces = []
        for number, value in enumerate(values):
            if value:
                low, high = 100 - 100 * base[number] / top, 100 - 100 * (base[number] + value) / top
                # A gap of a tenth of the bin on its right keeps neighbours apart at every width.
                pieces.append(f"M{number * width:.2f} {low:.2f}V{high:.2f}h{width * 0.9:.2f}V{low:.2f}z")
            base[number] += value
        paths.append("".join(pieces))
    return Chart(paths, [Bar(round(number * width, 2), round(width, 2), title) for number, title in enumerate(titles)], labels, top)


def _bin_name(kind: str, number: int, bins: int) -> str:
    if kind == "unit":
        return f"{number / bins:.2f} to {(number + 1) / bins:.2f}"
    if kind == "count":
        return f"{(1 << (number - 1)) + 1:,} to {1 << number:,}" if number > 1 else ("0 or 1", "2")[number]
    return f"{size_name(1 << (number - 1))} to {size_name(1 << number)}" if number else "0 B"


def _labels(kind: str, numbers: range) -> list[tuple[float, str]]:
    if kind == "unit":
        return [(100 * step / _UNIT_LABELS, f"{step / _UNIT_LABELS:g}") for step in range(_UNIT_LABELS + 1)]
    # Bin b begins at 2**(b-1): labels stand at the left edges of 1 B, 16 B, 256 B, 4 KiB, ...
    name = "{:,}".format if kind == "count" else size_name
    marked = [number for number in numbers if number and (number - 1) % _OCTAVES_PER_LABEL == 0]
    return [(100 * (number - numbers.start) / len(numbers), name(1 << (number - 1))) for number in marked]
