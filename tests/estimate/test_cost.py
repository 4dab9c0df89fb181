"""What a run cost, worked out by hand."""

from __future__ import annotations

import pytest

from beam_seed.estimate.cost import cost_lines, cost_of
from beam_seed.estimate.model import Prices

PRICES = Prices("EUR", 1.0, 0.5, 2.0, 10.0, 0.0, 0.0, 3.0, 4.0, 8.0)  # a core hour is 2


def report(reused: bool = False) -> dict:
    rows = [("documents", 9.0, True), ("measures", 10.0, reused), ("scores", 40.0, reused)]
    return {
        "read": {"bytes": 200_000_000, "files": 1000},
        "throughput": [{"stage": name, "seconds": seconds, "reused": done} for name, seconds, done in rows],
    }


def foretold(*stages: str) -> dict:
    hours = {"low": 1.0, "expected": 2.0, "high": 4.0}
    return {"size": 2_000_000_000, "estimate": {"stages": [{"stage": name, "core_hours": hours} for name in stages]}}


def test_rates_money_and_what_was_foretold():
    cost = cost_of(report(), 4, PRICES, foretold("measures", "scores"))
    measures, scores, total = cost["stages"]
    assert (measures["core_seconds"], scores["core_seconds"], total["core_seconds"]) == (40, 160, 200)
    assert (measures["mb_per_core_second"], scores["mb_per_core_second"], total["mb_per_core_second"]) == (5.0, 1.25, 1.0)
    # 200 core seconds for 0.2 GB are a million for a TB, 277.8 core hours of 2 each.
    assert total["money_per_tb"] == pytest.approx(1e6 / 3600 * 2)
    # A tenth of the size that was estimated for: a tenth of 1, 2 and 4 hours.
    assert measures["foretold"] == [360, 720, 1440]
    assert total["foretold"] == [720, 1440, 2880]
    assert cost_lines(cost)[-1].split() == ["total", "1", "200.0", "555.56", "720", "-", "1,440", "-", "2,880"]


def test_a_foretold_total_of_other_stages_is_not_shown():
    stages = cost_of(report(), 4, PRICES, foretold("documents", "measures", "scores"))["stages"]
    assert [each["foretold"] is None for each in stages] == [False, False, True]
    assert all(each["foretold"] is None for each in cost_of(report(), 4, PRICES, None)["stages"])


def test_what_was_reused_cost_nothing():
    assert cost_of(report(reused=True), 4, PRICES, None) == {}
    assert cost_lines({}) == []
