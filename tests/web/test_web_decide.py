from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.quality.threshold import STEPS, ScoreHistogram
from beam_seed.records import document_id
from beam_seed.web.categories import NAMES, Policy, Table
from beam_seed.web.decide import Limits, category_fate, limits_of
from beam_seed.web.sampling import draw

WHOLE = dict.fromkeys(NAMES, Fraction(1))


def table(drop_lowest=None, threshold=None, rate=1.0, mix=None):
    return Table(dict.fromkeys(NAMES, Policy("Rate.", drop_lowest, threshold, rate)), mix or {})


def histogram(**scores):
    counted = ScoreHistogram()
    for category, own in scores.items():
        counted.add(own, group=category)
    return counted.to_bytes()


def test_a_share_is_of_the_category_s_own_scores():
    limits = limits_of(table(drop_lowest=0.25), histogram(qa=[0.1, 0.2, 0.3, 0.4], news=[0.6, 0.7, 0.8, 0.9]))
    dropped = {
        name: [score for score in scores if category_fate("0" * 32, name, score, limits)]
        for name, scores in {"qa": [0.1, 0.2, 0.3, 0.4], "news": [0.6, 0.7, 0.8, 0.9]}.items()
    }
    assert dropped == {"qa": [0.1], "news": [0.6]}


def test_a_fixed_threshold_is_rounded_up_to_what_the_histogram_counts():
    limits = limits_of(table(threshold=0.3), histogram(qa=[0.5]))
    assert 0.3 <= limits.thresholds["qa"] < 0.3 + 1 / STEPS


def test_a_target_mix_counts_what_passes_and_pages_without_a_score():
    # Of qa two pass the threshold and one has no score, of forum six pass.
    packed = histogram(qa=[0.1, 0.6, 0.7, None], forum=[0.9] * 6)
    rates = limits_of(table(threshold=0.5, mix={"qa": 0.5, "forum": 0.5}), packed).rates
    assert {name: rate for name, rate in rates.items() if rate} == {"qa": 1, "forum": Fraction(1, 2)}


def test_a_mix_of_what_is_not_there_is_told():
    with pytest.raises(ValueError, match="no page of it passed"):
        limits_of(table(drop_lowest=0.0, mix={"news": 1.0}), histogram(qa=[0.5]))


def test_what_is_too_low_is_not_said_to_be_unsampled():
    limits = Limits({"qa": 0.5}, dict.fromkeys(NAMES, Fraction(0)))
    low, other = category_fate("0" * 32, "qa", 0.4, limits), category_fate("0" * 32, "qa", 0.6, limits)
    assert (low["rule"], low["measured"], low["limit"], low["evidence"]) == ("low-quality", 0.4, 0.5, '{"category": "qa"}')
    assert (other["rule"], other["limit"]) == ("not-sampled", 0.0)
    assert category_fate("0" * 32, "qa", 0.5, Limits({"qa": 0.5}, WHOLE)) is None
    assert category_fate("0" * 32, "qa", None, Limits({"qa": 0.5}, WHOLE)) is None


@given(st.integers(0, 10_000), st.fractions(0, 1))
def test_the_draw_decides_exactly(number, rate):
    identity = document_id("s", "h", str(number))
    fate = category_fate(identity, "qa", None, Limits({}, WHOLE | {"qa": rate}))
    assert (fate is None) == (draw(identity) < rate * 2**64)
