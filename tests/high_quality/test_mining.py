"""Roles, draws and one round's training against oracles in plain Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.fasttext_model.package import open_package
from beam_seed.high_quality import draw, mine, roles
from beam_seed.high_quality.draw import Draws, Plan
from beam_seed.high_quality.measure import MEASURES, TEST, TRAINING
from beam_seed.high_quality.mine import BINS, Count, Sample
from beam_seed.high_quality.roles import BARE, FOUND, KINDS, LOW, RANDOM, SEED, Facts
from beam_seed.high_quality.sources import Condition, Negatives, Source, load_sources
from beam_seed.high_quality.text import TextFormat
from beam_seed.quality.threshold import ScoreHistogram

SOURCE = Source(
    "s",
    Condition(languages=("Python",)),
    Condition(quality_top=0.5, comment_share=0.1, documented_share=0.5, imports=("os",), paths=("sort",)),
    10,
    1.0,
    Negatives(1.0, 0.5, 0.5),
    0.01,
    0.7,
    0.5,
    0.8,
    0.6,
)


def facts(rows: list[dict]) -> Facts:
    plain = {"id": "", "repo": "", "path": "x", "language": "Python", "size": 1, "digest": b"0" * 32, "quality": 0.5, "draw": 0, "fold": 0}
    plain |= {"comment_share": 0.0, "documented_share": None, "imports": "", "error": None}
    return Facts.of(pa.Table.from_pylist([plain | row for row in rows], schema=MEASURES))


def limits(rows: Facts) -> dict:
    histogram = ScoreHistogram()
    for language in set(rows.languages):
        own = [None if np.isnan(q) else float(q) for q, of in zip(rows.quality, rows.languages, strict=True) if of == language]
        histogram.add(own, group=language)
    return roles.limits(histogram, [SOURCE])


GOOD = {"quality": 0.9, "comment_share": 0.3, "documented_share": 0.5, "imports": "re\nos.path"}


def test_each_condition_decides() -> None:
    rows = facts(
        [
            GOOD,
            GOOD | {"imports": "osx", "path": "a/Sorting.py"},
            GOOD | {"documented_share": None},
            GOOD | {"imports": "re"},  # no topic
            GOOD | {"documented_share": 0.4},
            GOOD | {"comment_share": 0.05},
            GOOD | {"comment_share": 0.01, "documented_share": 0.0},  # bare
            GOOD | {"language": "C"},
            GOOD | {"quality": None},
            GOOD | {"comment_share": None, "error": "x"},
            *({"quality": 0.1, "comment_share": 0.5} for _ in range(20)),  # low
        ]
    )
    found = roles.roles(SOURCE, rows, limits(rows))
    assert np.flatnonzero(found.seed).tolist() == [0, 1, 2]
    assert np.flatnonzero(found.bare).tolist() == [6]
    assert np.flatnonzero(~found.pool).tolist() == [7, 9]
    assert not found.low[:10].any()
    assert np.flatnonzero(found.good).tolist()[:7] == [0, 1, 2, 3, 4, 5, 6]
    assert not found.good[8]


def test_found_files_are_good_and_no_hard_negatives_and_held_out_parts_stay() -> None:
    rows = facts(
        [GOOD, GOOD | {"imports": "re"}, GOOD | {"imports": "re", "fold": TEST}, GOOD | {"comment_share": 0.0, "documented_share": 0.0}]
        + [{"quality": 0.1 + n / 100} for n in range(6)]
    )
    own = roles.roles(SOURCE, rows, limits(rows))
    yes = np.ones(10, bool)
    kind = roles.kinds(own, yes, rows.fold)
    assert kind[:4].tolist() == [SEED, FOUND, RANDOM, BARE]
    assert kind[4] == LOW
    assert roles.kinds(own, ~yes, rows.fold)[:5].tolist() == [SEED, RANDOM, RANDOM, BARE, RANDOM]
    said = pa.table({"s": pa.array([0.7, 0.2, None], pa.float32())})
    assert roles.recalled(SOURCE, said, {"s": {"state": "trained", "threshold": 0.5}}, 3).tolist() == [True, False, False]
    assert not roles.recalled(SOURCE, said, {"s": {"state": "refused", "threshold": 0.1}}, 3).any()


files = st.lists(st.tuples(st.sampled_from([SEED, FOUND, LOW, BARE, RANDOM]), st.integers(0, 2), st.integers(0, 5)), max_size=120)


@given(files, st.integers(1, 4), st.randoms(use_true_random=False))
def test_draws_are_the_lowest_of_their_kind_however_the_corpus_is_divided(given_files: list, parts: int, random: object) -> None:
    """Oracle: sort all files of a group, take as many as the ratios allow."""
    divided = [Draws({}, {}) for _ in range(parts)]
    wanted: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, (kind, fold, number) in enumerate(given_files):
        group = (0, kind, fold if kind in (SEED, BARE, RANDOM) else TRAINING)
        table = row % parts
        address = int(draw.addresses(table, [row])[0])
        divided[table].add(group, 1, np.array([[number, address]], np.uint64), draw.limit_of(SOURCE, group))
        wanted.setdefault(group[1:], []).append((number, address))
    random.shuffle(divided)  # type: ignore[attr-defined]
    tables, (plan,) = draw.settle(draw.merge(divided, [SOURCE]), [SOURCE])
    there = {kind: len(wanted.get((kind, TRAINING), [])) for kind in range(5)}
    seeds = min(10, there[SEED])
    positives = seeds + min(there[FOUND], seeds)
    sizes = {SEED: seeds, FOUND: positives - seeds, LOW: round(positives / 2), BARE: round(positives / 2), RANDOM: positives}
    expected = {
        (kind, fold, address)
        for (kind, fold), group in wanted.items()
        for _, address in sorted(group)[: sizes[kind] if fold == TRAINING else None]
    }
    taken = [(row, table) for table, own in tables.items() for row in pa.concat_tables(own).to_pylist()]
    assert {(row["kind"], row["fold"], int(draw.addresses(table, [row["row"]])[0])) for row, table in taken} == expected
    assert len(taken) == len(expected)
    assert plan.drawn == {KINDS[kind]: min(size, there[kind]) for kind, size in sizes.items()}
    assert sum(map(sum, plan.counts.values())) == len(given_files)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 3)), min_size=2, max_size=30))
def test_separation_is_the_chance_that_a_seed_file_scores_above_another(rows: list[tuple[int, bool, int]]) -> None:
    scores, seed, weight = (np.array(column) for column in zip(*rows, strict=True))
    if seed.all() or not seed.any():
        return
    pairs = [
        (a_weight * b_weight, 1.0 if a > b else 0.5 if a == b else 0.0)
        for a, a_seed, a_weight in rows
        for b, b_seed, b_weight in rows
        if a_seed and not b_seed
    ]
    expected = sum(mass * won for mass, won in pairs) / sum(mass for mass, _ in pairs)
    assert mine.separation(scores.astype(float), seed, weight.astype(float)) == pytest.approx(expected)


def test_figures_weigh_each_kind_as_the_corpus_does() -> None:
    kind = np.array([SEED, SEED, BARE, RANDOM, RANDOM])
    scores = np.array([0.9, 0.2, 0.8, 0.7, 0.1])
    found = mine.measured(scores, kind, 0.5, [4, 0, 0, 1, 100])
    assert found["recall"] == 0.5
    assert found["bare_recalled"] == 1.0
    assert found["precision"] == pytest.approx(2 / (2 + 1 + 50))
    assert found["base_rate"] == pytest.approx(4 / 105)


def sample(others: int = 60) -> tuple[Sample, Plan]:
    kind = np.array(([SEED] * 60 + [RANDOM] * others), np.int8)
    fold = np.array([n % 3 for n in range(len(kind))], np.int8)
    lines = [f"sort the list {n % 7} # explain" if one == SEED else f"button {n % 5} colour x{n % 3}" for n, one in enumerate(kind)]
    drawn = {"seed": 20, "found": 0, "low": 0, "bare": 0, "random": others // 3}
    counts = {name: [drawn[name]] * 3 for name in KINDS}
    return Sample(kind, fold, lines), Plan(drawn, counts)


def test_a_round_separates_what_differs_and_is_the_same_every_time(tmp_path: Path) -> None:
    """fastText with one thread and a seed: two trainings are one model, byte for byte."""
    learnt, plan = sample()
    first, second = (mine.mine(SOURCE, 1, learnt, plan, TextFormat(), 5, str(tmp_path / name)) for name in "ab")
    assert first == second
    assert (tmp_path / "a" / "model.bin").read_bytes() == (tmp_path / "b" / "model.bin").read_bytes()
    assert first["state"] == "trained"
    assert first["recall"] >= 0.8
    assert first["precision"] == 1.0
    assert first["separation"] == 1.0
    assert open_package(str(tmp_path / "a"), mine.KIND).card["fingerprint"] == first["fingerprint"]
    other = mine.mine(SOURCE, 1, learnt, plan, TextFormat(), 6, str(tmp_path / "c"))
    assert other["fingerprint"] != first["fingerprint"]


def test_too_few_files_are_skipped_with_what_is_missing(tmp_path: Path) -> None:
    learnt, plan = sample(others=6)
    found = mine.mine(SOURCE, 1, learnt, plan, TextFormat(), 5, str(tmp_path / "x"))
    assert found["state"] == "skipped"
    assert "20 seed and 2 other" in found["why"]
    assert not (tmp_path / "x").exists()
    assert mine.judged(SOURCE, found, Count(0, 0, 0, np.zeros(BINS, np.int64)))["state"] == "skipped"


def test_a_model_that_says_yes_to_everything_is_refused() -> None:
    told = {"state": "trained", "source": "s", "round": 1}
    histogram = np.zeros(BINS, np.int64)
    assert mine.judged(SOURCE, told, Count(100, 60, 1, histogram))["state"] == "trained"
    refused = mine.judged(SOURCE, told, Count(100, 61, 1, histogram))
    assert refused["state"] == "refused"
    assert "says yes to 61%" in refused["why"]


def test_histograms_hold_every_file_of_the_pool() -> None:
    count = mine.counted(np.array([0.0, 0.049, 0.05, 1.0, np.nan]), np.array([True] * 4 + [False]), 1, 0)
    assert count.histogram.tolist() == [2, 1, *[0] * 17, 1]
    assert count.plus(count).histogram.sum() == 8


def test_the_shipped_sources_ask_for_limits_that_can_be_found() -> None:
    histogram = ScoreHistogram()
    histogram.add([n / 100 for n in range(100)], group="Python")
    found = roles.limits(histogram, load_sources())
    assert found["0.25"]["Python"] == pytest.approx(0.75, abs=1e-4)
    assert found["0.7"]["Python"] == pytest.approx(0.30, abs=1e-4)
