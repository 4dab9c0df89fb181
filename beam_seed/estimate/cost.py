"""What a finished run took and cost, stage by stage, beside what was foretold of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beam_seed.estimate.model import Prices, rates, sample_of

TOTAL = "total"


def cost_of(report: Mapping[str, Any], cores: int, prices: Prices, foretold: Mapping[str, Any] | None) -> dict[str, Any]:
    """The section ``cost`` of a report.

    Core seconds are wall time times ``cores``: what is paid for, whether a core was busy or not. foretold: what ``beam-seed estimate
    --output`` wrote; its figures are scaled to the bytes that were read. Stages that were reused are left out, and the whole section is
    empty where all were, or nothing was read.
    """
    sample = sample_of(report, cores, 0)
    if not sample.bytes or not sum(sample.seconds.values()):
        return {}
    expected = _foretold(foretold, sample.bytes) if foretold else {}
    measured = rates(sample, prices)
    seconds = sample.seconds | {TOTAL: sum(sample.seconds.values())}
    if TOTAL in expected and set(expected) - {TOTAL} != set(sample.seconds):
        del expected[TOTAL]  # of other stages than those that ran
    stages = [
        {"stage": name, "core_seconds": seconds[name] * cores, **own, "foretold": expected.get(name)} for name, own in measured.items()
    ]
    return {"cores": cores, "currency": prices.currency, "core_hour": prices.core_hour, "stages": stages}


def _foretold(told: Mapping[str, Any], size: int) -> dict[str, list[float]]:
    """Stage -> core seconds at least, likely and at most, for ``size`` bytes."""
    scale = 3600 * size / told["size"]
    ends = ("low", "expected", "high")
    found = {each["stage"]: [each["core_hours"][end] * scale for end in ends] for each in told["estimate"]["stages"]}
    return found | {TOTAL: [sum(values) for values in zip(*found.values(), strict=True)]}


def cost_lines(cost: Mapping[str, Any]) -> Sequence[str]:
    """The section as a text table."""
    if not cost:
        return []
    lines = [f"{'stage':<14}{'MB/s a core':>12}{'core seconds':>14}{cost['currency'] + ' a TB':>12}{'foretold core seconds':>28}"]
    for each in cost["stages"]:
        foretold = " - ".join(f"{value:,.0f}" for value in each["foretold"]) if each["foretold"] else "-"
        own = f"{each['mb_per_core_second']:>12.3g}{each['core_seconds']:>14,.1f}{each['money_per_tb']:>12,.2f}"
        lines.append(f"{each['stage']:<14}{own}{foretold:>28}")
    return lines
