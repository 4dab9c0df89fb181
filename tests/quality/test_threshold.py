import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.quality.threshold import STEPS, ScoreHistogram

SCORES = st.one_of(st.floats(0, 1, allow_nan=False), st.sampled_from([0.0, 1.0, 0.5, 1 / STEPS, 0.25]), st.none())
ROWS = st.lists(st.tuples(SCORES, st.integers(0, 1000), st.sampled_from(["", "C", "Ada\0"])), max_size=60)
SHARES = st.one_of(st.floats(0, 1, exclude_max=True), st.integers(0, 99).map(lambda n: n / 100))


def build(rows) -> ScoreHistogram:
    histogram = ScoreHistogram()
    for score, weight, group in rows:
        histogram.add([score], [weight], group)
    return histogram


@given(ROWS, SHARES)
def test_threshold_is_the_largest_step_within_the_share(rows, share):
    histogram = build(rows)
    for group in {group for _, _, group in rows}:
        known = sorted((score, weight) for score, weight, name in rows if name == group and score is not None)
        total = sum(weight for _, weight in known)
        threshold = histogram.threshold(share, group)
        assert histogram.total(group) == total
        assert histogram.missing(group) == sum(weight for score, weight, name in rows if name == group and score is None)
        if total == 0:
            assert threshold is None
            continue
        dropped = sum(weight for score, weight in known if score < threshold)
        one_step_more = sum(weight for score, weight in known if score < threshold + 1 / STEPS)
        assert dropped == histogram.below(threshold, group)
        assert dropped / total <= share + 1e-12
        assert one_step_more / total > share - 1e-12
        assert (threshold * STEPS).is_integer()


@given(ROWS, st.integers(0, 60), st.randoms())
def test_any_order_and_partition_gives_the_same_bytes(rows, cut, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    merged = build(shuffled[cut:])
    merged.merge(build(shuffled[:cut]))
    assert merged.to_bytes() == build(rows).to_bytes()
    assert ScoreHistogram.from_bytes(merged.to_bytes()).to_bytes() == merged.to_bytes()


def test_share_is_read_as_the_decimal_that_was_given():
    # 0.29 * 100 is 28.999999999999996 in floating point.
    histogram = ScoreHistogram()
    histogram.add(np.arange(100) / 128)
    assert histogram.threshold(0.29) == 29 / 128


def test_ten_percent_of_distinct_scores_against_numpy():
    scores = np.random.default_rng(3).random(5000)
    histogram = ScoreHistogram()
    histogram.add(scores)
    threshold = histogram.threshold(0.1)
    assert threshold is not None
    assert 0 <= np.sort(scores)[500] - threshold < 1 / STEPS


def test_ties_at_the_bottom_are_never_dropped_in_part():
    histogram = ScoreHistogram()
    histogram.add([0.0] * 20 + [0.9] * 80)
    assert histogram.threshold(0.1) == 0.0
    assert histogram.threshold(0.2) == pytest.approx(0.9, abs=1 / STEPS)


def test_bytes_and_files_differ():
    histogram = ScoreHistogram()
    histogram.add([0.25, 0.75], [90, 10])
    assert histogram.threshold(0.5) == 0.25


def test_thresholds_leave_out_groups_without_scores():
    histogram = ScoreHistogram()
    histogram.add([None, None], group="C")
    histogram.add([0.5, None], group="Go")
    assert histogram.thresholds(0.1) == {"Go": 0.5}
    assert (histogram.missing("C"), histogram.missing("Go"), histogram.groups()) == (2, 1, ["C", "Go"])


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1, math.inf])
def test_scores_out_of_range_are_refused(score):
    with pytest.raises(ValueError, match="expected 0 <= score <= 1"):
        ScoreHistogram().add([0.5, score])


@pytest.mark.parametrize("weights", [[1], [1, -1]])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="one weight >= 0 for each score"):
        ScoreHistogram().add([0.5, 0.6], weights)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_bad_shares_are_refused(share):
    with pytest.raises(ValueError, match="0 <= drop_lowest < 1"):
        ScoreHistogram().threshold(share)


@given(st.binary(max_size=40))
def test_hostile_bytes_are_refused(junk):
    with pytest.raises(ValueError, match="no score histogram"):
        ScoreHistogram.from_bytes(junk)


@given(st.data())
def test_damaged_bytes_never_raise_anything_else(data):
    good = bytearray(build([(0.5, 3, "C"), (0.7, 1, ""), (None, 2, "")]).to_bytes())
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        ScoreHistogram.from_bytes(bytes(good[: data.draw(st.integers(0, len(good)))]))
