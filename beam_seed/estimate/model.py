"""A sample run's rates, and what they come to at another size.

A stage's time is a fixed part (starting, compiling, barriers) and a part that grows with the bytes. Two runs of different sizes tell the
two apart; of one run all of it is taken to grow, which overestimates. Text is read a fixed number of times and components are bounded, so
no stage grows faster than its input (docs/benchmarks.md shows it from a quarter to four times a corpus).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

GPU_STAGES = ("scores",)
"""Stages that a GPU takes over most of where one is asked for."""

SHUFFLE_BYTES = 1_000
"""Of each document: digest, address and name for exact duplicates, 21 bands of 16 bytes for near ones, its edges in up to twelve rounds. A
document with many near-duplicates takes more, most have none and take half."""

SERVICE_OVERHEAD = 1.5
"""A service's workers start, fetch their image, and wait for the last of a stage: of the upper end of the range."""

GB = 1e9


@dataclass(frozen=True)
class Prices:
    """``prices.yaml``. Raises ValueError on a price below zero."""

    currency: str
    vcpu_hour: float
    memory_gb_hour: float
    memory_gb_per_vcpu: float
    shuffle_gb: float
    disk_gb_hour: float
    disk_gb_per_vcpu: float
    storage_gb_month: float
    gpu_hour: float
    vcpu_per_gpu: float

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name != "currency" and (not isinstance(value, int | float) or value < 0):
                raise ValueError(f"{each.name} is {value!r}; expected a number of {self.currency}, not below 0")

    @classmethod
    def of(cls, told: Any) -> Prices:
        """Raises ValueError where keys are missing or unknown."""
        known = [each.name for each in fields(cls)]
        if not isinstance(told, dict) or set(told) != set(known):
            found = sorted(told) if isinstance(told, dict) else told
            raise ValueError(f"the prices have {found}; expected exactly {', '.join(known)}")
        return cls(**told)

    @property
    def core_hour(self) -> float:
        """A vCPU with its memory and disk."""
        return self.vcpu_hour + self.memory_gb_per_vcpu * self.memory_gb_hour + self.disk_gb_per_vcpu * self.disk_gb_hour


class Sample(NamedTuple):
    """What one run took."""

    bytes: int  # read
    documents: int  # read
    cores: int
    seconds: dict[str, float]  # of each stage that ran, wall time; those that were reused are not there
    stored: int  # bytes of all that it left


class Range(NamedTuple):
    """The least, the likeliest and the most."""

    low: float
    expected: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.expected * factor, self.high * factor)


class StageEstimate(NamedTuple):
    """One stage at the wanted size."""

    stage: str
    core_hours: Range
    gpu_hours: Range
    money: Range


class Estimate(NamedTuple):
    """A whole run at the wanted size."""

    stages: list[StageEstimate]
    shuffle_gb: float
    storage_gb: float
    shuffle_money: float
    storage_money: float  # a month
    total: Range  # money without storage


def estimate(samples: Sequence[Sample], size: int, prices: Prices, gpu_speedup: float = 0.0) -> Estimate:
    """What ``size`` bytes of input take. gpu_speedup: how many cores a GPU stands for in GPU_STAGES; 0: no GPU.

    Raises ValueError without a sample, or where one has no stage that ran.
    """
    if not samples or any(not sample.seconds or sample.bytes <= 0 for sample in samples):
        raise ValueError("no run with stages that ran; expected the output of a run that was not reused from an earlier one")
    names = list(dict.fromkeys(stage for sample in samples for stage in sample.seconds))
    stages = [_stage(name, samples, size, prices, gpu_speedup) for name in names]
    largest = max(samples, key=lambda sample: sample.bytes)
    scale = size / largest.bytes
    shuffle, storage = largest.documents * scale * SHUFFLE_BYTES / GB, largest.stored * scale / GB
    money = [sum(getattr(stage.money, end) for stage in stages) + shuffle * prices.shuffle_gb for end in Range._fields]
    return Estimate(stages, shuffle, storage, shuffle * prices.shuffle_gb, storage * prices.storage_gb_month, Range(*money))


def _stage(name: str, samples: Sequence[Sample], size: int, prices: Prices, gpu_speedup: float) -> StageEstimate:
    hours = _core_hours(name, [sample for sample in samples if name in sample.seconds], size)
    none = Range(0.0, 0.0, 0.0)
    if gpu_speedup and name in GPU_STAGES:
        gpu = hours.times(1 / gpu_speedup)
        return StageEstimate(name, gpu.times(prices.vcpu_per_gpu), gpu, gpu.times(prices.gpu_hour + prices.vcpu_per_gpu * prices.core_hour))
    return StageEstimate(name, hours, none, hours.times(prices.core_hour))


def _core_hours(name: str, samples: Sequence[Sample], size: int) -> Range:
    points = sorted((sample.bytes, sample.seconds[name] * sample.cores / 3600) for sample in samples)
    whole = [size * hours / read for read, hours in points]  # all of it grows
    slopes = [
        (second[1] - first[1]) / (second[0] - first[0])
        for number, first in enumerate(points)
        for second in points[number + 1 :]
        if second[0] >= 1.5 * first[0]  # closer together, noise is larger than growth
    ]
    grown = [max(0.0, points[-1][1] + slope * (size - points[-1][0])) for slope in slopes if slope > 0]
    candidates = grown or whole
    expected = sorted(candidates)[len(candidates) // 2]
    # One run tells no spread: half of it may be fixed cost, which a large run does not pay again.
    low = min(candidates) if len(candidates) > 1 else expected / 2
    return Range(min(low, expected), expected, SERVICE_OVERHEAD * max(*candidates, expected))


def rates(sample: Sample, prices: Prices) -> dict[str, dict[str, float]]:
    """Of each stage and of all together ('total'): MB a second and core, and money a TB, as measured."""
    seconds = sample.seconds | {"total": sum(sample.seconds.values())}
    told: dict[str, dict[str, float]] = {}
    for name, each in seconds.items():
        core_seconds = max(each * sample.cores, 1e-9)
        told[name] = {
            "mb_per_core_second": sample.bytes / 1e6 / core_seconds,
            "money_per_tb": core_seconds / 3600 * prices.core_hour * 1e12 / sample.bytes,
        }
    return told


def as_json(found: Estimate) -> dict[str, Any]:
    """The estimate as JSON values."""
    stages = [
        {name: value._asdict() if isinstance(value, Range) else value for name, value in stage._asdict().items()} for stage in found.stages
    ]
    return {**found._asdict(), "stages": stages, "total": found.total._asdict()}


def sample_of(report: Mapping[str, Any], cores: int, stored: int) -> Sample:
    """The Sample that a ``report.json`` tells of."""
    seconds = {row["stage"]: float(row["seconds"]) for row in report["throughput"] if not row["reused"] and row["seconds"] is not None}
    return Sample(report["read"]["bytes"], report["read"]["files"], cores, seconds, stored)
