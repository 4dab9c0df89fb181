import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from beam_seed.records import make_document
from beam_seed.trainer import evaluation
from beam_seed.trainer.agreement import agree, same_files
from beam_seed.trainer.labels import Label

unhurried = settings(max_examples=50, deadline=None)  # the machine may be busy
PAIRS = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40))
def test_errors_against_a_loop(pairs):
    predicted, ratings = np.array(pairs).T
    by_class: dict[int, list[float]] = {}
    for guess, rating in pairs:
        by_class.setdefault(round(rating), []).append(abs(guess - rating))
    assert evaluation.mean_absolute_error(predicted, ratings) == pytest.approx(sum(sum(found) for found in by_class.values()) / len(pairs))
    expected = sum(sum(found) / len(found) for found in by_class.values()) / len(by_class)
    assert evaluation.class_balanced_error(predicted, ratings) == pytest.approx(expected)


def test_evaluation_table():
    random = np.random.default_rng(2)
    ratings = random.random(90) * 10
    predicted = ratings + random.normal(size=90)
    languages = ["Go"] * 50 + ["C"] * 30 + ["Ada"] * 10
    found = evaluation.evaluate(predicted, ratings, languages)
    assert found["files"] == 90
    assert list(found["languages"]) == ["C", "Go"]
    assert found["languages"]["Go"]["mae"] == round(float(np.abs(predicted - ratings)[:50].mean()), 3)
    assert found["spearman"] == pytest.approx(stats.spearmanr(predicted, ratings)[0], abs=1e-3)
    assert evaluation.errors(np.ones(5), np.arange(5.0))["spearman"] is None


@unhurried
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=30))
def test_correlations_and_bias_against_loops(pairs):
    predicted, ratings = np.array(pairs, float).T
    found = evaluation.errors(predicted, ratings)
    assert found["bias"] == pytest.approx(sum(guess - rating for guess, rating in pairs) / len(pairs), abs=1e-3)
    signs = [np.sign(a - c) * np.sign(b - d) for number, (a, b) in enumerate(pairs) for c, d in pairs[:number]]
    untied = [sum(a != c for number, a in enumerate(side) for c in side[:number]) for side in (predicted, ratings)]
    if 0 in untied:
        assert found["kendall"] is found["pearson"] is found["spearman"] is None
    else:
        assert found["kendall"] == pytest.approx(sum(signs) / math.sqrt(untied[0] * untied[1]), abs=1e-3)  # tau-b
        assert found["pearson"] == pytest.approx(np.corrcoef(predicted, ratings)[0, 1], abs=1e-3)


@unhurried
@given(PAIRS)
def test_boxes_hold_the_predictions_of_their_rating(pairs):
    predicted, ratings = np.array(pairs).T
    found = evaluation.boxes(predicted, ratings)
    assert sum(box["files"] for box in found) == len(pairs)
    assert [box["rating"] for box in found] == sorted({round(rating) for rating in ratings})
    for box in found:
        values = [guess for guess, rating in pairs if round(rating) == box["rating"]]
        assert (box["q1"], box["med"], box["q3"]) == pytest.approx(np.percentile(values, [25, 50, 75]), abs=1e-3)
        fence = 1.5 * (np.percentile(values, 75) - np.percentile(values, 25)) + 1e-9
        inside = [value for value in values if np.percentile(values, 25) - fence <= value <= np.percentile(values, 75) + fence]
        assert (box["whislo"], box["whishi"]) == pytest.approx((min([*inside, box["q1"]]), max([*inside, box["q3"]])), abs=1e-3)
        assert box["outliers"] == len(values) - len(inside)


def test_intervals_by_project_are_wider_where_projects_differ():
    random = np.random.default_rng(0)
    projects = [f"p{number % 12}" for number in range(600)]
    shift = dict(zip(sorted(set(projects)), random.normal(size=12), strict=True))
    ratings = random.integers(0, 11, 600).astype(float)
    predicted = ratings + [shift[name] for name in projects] + random.normal(size=600) / 2
    found = evaluation.intervals(predicted, ratings, projects)
    alone = evaluation.intervals(predicted, ratings, [str(number) for number in range(600)])
    assert found == evaluation.intervals(predicted, ratings, projects) != evaluation.intervals(predicted, ratings, projects, seed=1)
    for name, value in evaluation.errors(predicted, ratings).items():
        if name in found:
            assert found[name][0] <= value <= found[name][1]
            assert (found[name][1] - found[name][0] > 2 * (alone[name][1] - alone[name][0])) or name == "spearman"
    means = [predicted[np.array(projects) == name].mean() - ratings[np.array(projects) == name].mean() for name in shift]
    width = 2 * 1.96 * np.std(means) / math.sqrt(12)  # what the normal approximation says of the mean of twelve projects
    assert found["bias"][1] - found["bias"][0] == pytest.approx(width, rel=0.15)


def test_intervals_of_what_has_none():
    one = evaluation.intervals(np.ones(3), np.arange(3.0), ["a"] * 3)
    assert set(one.values()) == {None}
    constant = evaluation.intervals(np.ones(3), np.arange(3.0), ["a", "b", "c"])
    assert constant["spearman"] is None
    assert constant["mae"] is not None


@unhurried
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 10), st.integers(0, 5000)), min_size=1, max_size=60))
def test_drops_and_curve_against_loops(rows):
    scores, ratings, sizes = (np.array(column) for column in zip(*rows, strict=True))
    for found in evaluation.drops(scores, ratings.astype(float), sizes):
        dropped = [row for row in rows if row[0] < found["threshold"]]
        poor = [row for row in rows if row[1] <= 2]
        assert found["files"] == len(dropped) <= found["share"] * len(rows)
        assert found["bytes"] == sum(row[2] for row in dropped)
        right = sum(row[1] <= 2 for row in dropped)
        assert found["precision"] == (pytest.approx(right / len(dropped), abs=1e-4) if dropped else None)
        assert found["recall"] == (pytest.approx(right / len(poor), abs=1e-4) if poor else None)
        assert found["mean_kept"] == pytest.approx(np.mean([row[1] for row in rows if row not in dropped]), abs=1e-4)
    curve = evaluation.kept_curve(scores, sizes)
    assert [point["threshold"] for point in curve] == [step / 100 for step in range(101)]
    for point in curve[::7]:
        kept = [row for row in rows if row[0] >= point["threshold"]]
        assert point["files"] == pytest.approx(len(kept) / len(rows), abs=1e-4)
        assert point["bytes"] == pytest.approx(sum(row[2] for row in kept) / max(1, sizes.sum()), abs=1e-4)


def labels(*pairs):
    return [Label(make_document("r", f"{number}.go", content, language="Go"), rating) for number, (content, rating) in enumerate(pairs)]


def test_oracles_are_compared_on_equal_content():
    first = labels(("a", 0.0), ("b", 5.0), ("b", 9.0), ("c", 10.0), ("only here", 3.0))
    second = labels(("c", 8.0), ("b", 5.4), ("a", 3.0), ("b", 0.0), ("only there", 1.0))
    assert [(ours.rating, theirs.rating) for ours, theirs in same_files(first, second)] == [(0, 3), (5, 5.4), (10, 8)]
    found = agree(first, second)
    assert found["files"] == 3
    assert found["mae"] == pytest.approx((3 + 0.4 + 2) / 3, abs=1e-3)
    assert found["bias"] == pytest.approx((3 + 0.4 - 2) / 3, abs=1e-3)
    assert (found["same_rating"], found["within_one"]) == (0.3333, 0.3333)
    cells = {(row, column): count for row, line in enumerate(found["confusion"]) for column, count in enumerate(line) if count}
    assert cells == {(0, 3): 1, (5, 5): 1, (10, 8): 1}
    assert agree(first, labels(("x", 1.0))) is None


def test_class_balance_depends_on_whose_classes():
    first = labels(*[(str(number), 5.0) for number in range(10)], ("z", 0.0))
    second = labels(*[(str(number), 5.0 + number % 2) for number in range(10)], ("z", 4.0))
    assert agree(first, second)["class_balanced_mae"] == {"by_first": 2.25, "by_second": pytest.approx(5 / 3, abs=1e-3)}
