"""Packing: every token of every document once, no sequence too long, and little waste."""

from __future__ import annotations

import bisect

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.shards.documents import TOKENISED
from beam_seed.shards.pack import best_fit_decreasing, pack
from beam_seed.shards.sequences import Counts, add, count, pack_group

LENGTHS = st.lists(st.integers(1, 70), max_size=40).map(lambda lengths: np.array(lengths, np.int64))


@given(LENGTHS, st.integers(1, 32))
def test_every_token_is_packed_once(lengths: np.ndarray, capacity: int) -> None:
    pieces = pack(lengths, capacity)
    covered = [[False] * length for length in lengths.tolist()]
    held: dict[int, int] = {}
    for sequence, document, start, length in zip(*(column.tolist() for column in pieces), strict=True):
        assert length > 0
        held[sequence] = held.get(sequence, 0) + length
        for token in range(start, start + length):
            assert not covered[document][token]
            covered[document][token] = True
    assert all(map(all, covered))
    assert all(each <= capacity for each in held.values())
    assert sorted(held) == list(range(len(held)))
    order = list(zip(pieces.sequence.tolist(), pieces.document.tolist(), strict=True))
    assert order == sorted(order)
    # A document is in no more pieces than its length needs.
    needed = [-(-length // capacity) for length in lengths.tolist()]
    assert np.bincount(pieces.document, minlength=len(lengths)).tolist() == needed


def plain_best_fit(lengths: list[int], capacity: int) -> list[int]:
    """Rooms of the bins that best-fit decreasing leaves, by a sorted list."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        place = bisect.bisect_left(rooms, length)
        room = rooms.pop(place) if place < len(rooms) else capacity
        bisect.insort(rooms, room - length)
    return rooms


@given(st.lists(st.integers(1, 50), max_size=60))
def test_it_is_best_fit_decreasing(lengths: list[int]) -> None:
    bins = best_fit_decreasing(np.array(lengths, np.int64), 50)
    held = np.bincount(bins, weights=lengths).astype(int) if lengths else np.array([], int)
    assert sorted(50 - held) == plain_best_fit(lengths, 50)


def test_waste_is_small_on_lengths_like_those_of_files() -> None:
    lengths = np.minimum(np.random.default_rng(0).lognormal(6.5, 1.3, 4000).astype(np.int64) + 1, 100_000)
    sequences = int(pack(lengths, 8192).sequence.max()) + 1
    assert 1 - lengths.sum() / (sequences * 8192) < 0.005


def group(rows: list[tuple[str, int, int]], order: int = 1) -> pa.Table:
    """(id, row, tokens) as TOKENISED."""
    values = [
        {
            **dict.fromkeys(("repo", "path", "language"), "x"),
            "source": "code",
            "id": name,
            "epoch": 0,
            "form": "plain",
            "sha256": bytes(32),
            "size": length,
            "order": order,
            "table": 0,
            "row": row,
            "tokens": [row] * length,
        }
        for name, row, length in rows
    ]
    return pa.Table.from_pylist(values, schema=TOKENISED)


def test_a_group_does_not_depend_on_its_order_and_takes_an_id_once() -> None:
    rows = [("a", 1, 5), ("b", 2, 7), ("a", 3, 9), ("c", 4, 30)]
    packed = pack_group(group(rows), 12, 0, seed=1)
    assert pack_group(group(rows[::-1]), 12, 0, seed=1) == packed
    assert packed.copies == {"code": 1}
    assert sorted(packed.documents["row"].to_pylist()) == [1, 2, 4]  # the first row of 'a' is taken
    assert packed.sequences["key"].to_pylist() == sorted(packed.sequences["key"].to_pylist())
    for row in packed.sequences.to_pylist():
        held = [token for piece in row["pieces"] for token in [{"a": 1, "b": 2, "c": 4}[piece["id"]]] * piece["length"]]
        assert row["tokens"] == held + [0] * (12 - len(held))
    assert pack_group(group(rows), 12, 0, seed=2).sequences["key"] != packed.sequences["key"]


def test_counts_add_up_and_can_be_taken_back() -> None:
    pieces = pack_group(group([("a", 1, 5), ("b", 2, 30)]), 12, 0, seed=1).sequences["pieces"].combine_chunks()
    whole = count(pieces)
    assert whole == Counts(
        35, {"code": {"documents": 2, "tokens": 35, "sequences": 3}}, {"x": {"documents": 2, "tokens": 35, "sequences": 3}}
    )
    parts = [count(pieces.slice(number, 1)) for number in range(len(pieces))]
    assert add(add(parts[0], parts[1]), parts[2]) == whole
    assert add(add(whole, parts[1], -1), parts[1]) == whole


@pytest.mark.parametrize("capacity", [1, 3])
def test_nothing_packs_to_nothing(capacity: int) -> None:
    assert all(len(column) == 0 for column in pack(np.array([], np.int64), capacity))
    assert len(pack_group(group([]), capacity, 0, 0).sequences) == 0
