from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.records import document_id
from beam_seed.web.categories import NAMES, load_table
from beam_seed.web.sampling import draw, is_sampled, sampling_rates, solve_rates

IDS = [document_id("s", "h", str(number)) for number in range(20_000)]


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 0.9, 1.0])
def test_the_sample_has_the_rate(rate):
    taken = sum(is_sampled(identity, Fraction(str(rate))) for identity in IDS)
    assert abs(taken - rate * len(IDS)) <= 4 * (rate * (1 - rate) * len(IDS)) ** 0.5


def test_samples_are_nested_and_repeat_themselves():
    small, large = ({identity for identity in IDS if is_sampled(identity, Fraction(rate, 10))} for rate in (2, 3))
    assert small < large
    assert draw(IDS[0]) == draw(IDS[0])


def test_the_draw_does_not_follow_the_id():
    # Other samples are drawn by the id's own digits: within one of them, this draw is still uniform.
    other = sorted(IDS)[:2000]
    assert 850 < sum(is_sampled(identity, Fraction(1, 2)) for identity in other) < 1150


counts = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**9), min_size=1)


@given(counts, st.data())
def test_the_target_mix_is_exact(pages, data):
    weights = {name: data.draw(st.integers(1, 20)) for name in pages}
    total = sum(weights.values())
    # Shares as decimals that sum to one: the last takes what rounding leaves.
    mix = {name: Fraction(weight, total).limit_denominator(1000) for name, weight in weights.items()}
    mix = {name: float(round(share, 3)) for name, share in mix.items()}
    first = next(iter(mix))
    mix[first] = float(1 - sum(Fraction(str(share)) for name, share in mix.items() if name != first))
    if any(share <= 0 for share in mix.values()):
        return
    rates = solve_rates(pages, mix)
    taken = {name: rates[name] * pages[name] for name in pages}
    whole = sum(taken.values())
    assert all(taken[name] == Fraction(str(mix[name])) * whole for name in pages)
    assert max(rates.values()) == 1  # no more could be taken
    assert min(rates.values()) >= 0


def test_what_is_out_of_the_mix_is_not_taken():
    assert solve_rates({"qa": 10, "news": 5}, {"qa": 1.0}) == {"qa": 1, "news": 0}
    assert solve_rates({"qa": 10, "news": 5}, {"qa": 1.0, "news": 0.0}) == {"qa": 1, "news": 0}


def test_infeasible_targets_are_told():
    with pytest.raises(ValueError, match=r"the target mix wants 0\.5 of forum, but no page of it passed; leave the category out"):
        solve_rates({"qa": 10, "forum": 0}, {"qa": 0.5, "forum": 0.5})
    with pytest.raises(ValueError, match=r"wants 0\.5 of forum"):
        solve_rates({"qa": 10}, {"qa": 0.5, "forum": 0.5})
    with pytest.raises(ValueError, match=r"sums to 0\.6; expected 1"):
        solve_rates({"qa": 10, "forum": 10}, {"qa": 0.5, "forum": 0.1})


def test_rates_of_a_table():
    table = load_table()
    rates = sampling_rates(table, {"qa": 10})
    assert {name: float(rate) for name, rate in rates.items()} == {name: policy.sampling_rate for name, policy in table.policies.items()}
    mixed = sampling_rates(table._replace(target_mix={"qa": 0.5, "forum": 0.5}), {"qa": 10, "forum": 30, "news": 7})
    assert {name: rate for name, rate in mixed.items() if rate} == {"qa": 1, "forum": Fraction(1, 3)}
    assert set(mixed) == set(NAMES)
