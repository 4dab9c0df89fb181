"""The rule of verification, against a plain reading of it."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.near_dedup.shingles import Shingles
from beam_seed.near_dedup.verify import BUCKET_REPRESENTATIVES, jaccard, verify

documents = st.lists(
    st.tuples(
        st.integers(0, 2),  # cluster
        st.frozensets(st.integers(0, 9), max_size=10),  # shingles
        st.lists(st.integers(0, 2), min_size=3, max_size=3),  # band hashes
        st.booleans(),  # published earlier
    ),
    max_size=16,
)
thresholds = st.sampled_from([0.1, 0.3, 0.5, 0.55, 0.7, 0.8, 1.0])


def similarity_of(left, right):
    return len(left & right) / len(left | right) if left | right else 1.0


def by_the_rule(rows, threshold):
    """The rule, for (cluster, shingles, band hashes, published) in order: (index of the kept document or -1, similarity)."""
    representatives = defaultdict(list)
    judged = []
    for index, (cluster, shingles, bands, published) in enumerate(rows):
        shared = defaultdict(int)
        for bucket in enumerate(bands):
            for other in representatives[cluster, bucket]:
                shared[other] += 1
        passing = [other for other in shared if similarity_of(shingles, rows[other][1]) >= threshold]
        if passing and not published:
            kept = min(passing, key=lambda other: (-shared[other], other))
            judged.append((kept, similarity_of(shingles, rows[kept][1])))
            continue
        judged.append((-1, 0.0))
        for bucket in enumerate(bands):
            if len(representatives[cluster, bucket]) < BUCKET_REPRESENTATIVES:
                representatives[cluster, bucket].append(index)
    return judged


def run(rows, threshold):
    sets = [sorted(shingles) for _, shingles, _, _ in rows]
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    verdict = verify(
        np.array([row[0] for row in rows], dtype=np.uint64),
        Shingles(np.array([value for each in sets for value in each], dtype=np.uint64), offsets),
        np.array([row[2] for row in rows], dtype=np.uint64).reshape(len(rows), len(rows[0][2]) if rows else 1),
        np.array([row[3] for row in rows], dtype=np.bool_),
        threshold,
    )
    return list(zip(verdict.duplicate_of.tolist(), verdict.similarity.tolist(), strict=True))


@settings(deadline=None)
@given(documents, thresholds)
def test_documents_are_judged_by_the_rule(rows, threshold):
    rows = sorted(rows, key=lambda row: row[0])
    assert run(rows, threshold) == by_the_rule(rows, threshold)


@settings(deadline=None)
@given(documents, thresholds)
def test_what_is_dropped_has_a_kept_twin_in_its_cluster(rows, threshold):
    rows = sorted(rows, key=lambda row: row[0])
    judged = run(rows, threshold)
    for row, (kept, similarity) in zip(rows, judged, strict=True):
        if kept >= 0:
            assert judged[kept][0] == -1
            assert rows[kept][0] == row[0]
            assert similarity == similarity_of(row[1], rows[kept][1]) >= threshold
    assert {row[0] for row, (kept, _) in zip(rows, judged, strict=True) if kept < 0} == {row[0] for row in rows}


def test_clusters_are_judged_apart_even_where_their_hashes_are_equal():
    # A file and the repository that holds nothing else have one shingle set and one signature, but lie in two clusters.
    rows = [(cluster, frozenset(range(5)), [1, 2, 3], False) for cluster in (0, 0, 1, 1, 1)]
    assert run(rows, 0.7) == [(-1, 0.0), (0, 1.0), (-1, 0.0), (2, 1.0), (2, 1.0)]


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_similarity_equal_to_the_threshold_reaches_it(percent):
    rows = [(0, frozenset(range(100)), [1], False), (0, frozenset(range(percent)), [1], False)]
    assert run(rows, percent / 100) == [(-1, 0.0), (0, percent / 100)]
    assert run(rows, np.nextafter(percent / 100, 2.0)) == [(-1, 0.0), (-1, 0.0)]


def test_empty_sets_are_alike_and_unlike_all_others():
    rows = [(0, frozenset(), [1], False), (0, frozenset(), [1], False), (0, frozenset({1}), [1], False)]
    assert run(rows, 0.5) == [(-1, 0.0), (0, 1.0), (-1, 0.0)]


def test_nobody():
    assert run([], 0.5) == []


def test_a_bucket_compares_its_first_representatives_only():
    def distinct(number):
        return frozenset(range(10 * number, 10 * number + 10))

    rows = [(0, distinct(number), [7], False) for number in range(BUCKET_REPRESENTATIVES + 3)]
    last, beyond = BUCKET_REPRESENTATIVES - 1, BUCKET_REPRESENTATIVES
    judged = run([*rows, (0, distinct(last), [7], False), (0, distinct(beyond), [7], False)], 0.7)
    assert judged == [(-1, 0.0)] * len(rows) + [(last, 1.0), (-1, 0.0)]


def test_a_full_bucket_is_no_loss_where_another_band_is_shared():
    rows = [(0, frozenset({number}), [7, number], False) for number in range(BUCKET_REPRESENTATIVES + 5)]
    twin = len(rows) - 1
    assert run([*rows, (0, frozenset({twin}), [7, twin], False)], 0.7)[-1] == (twin, 1.0)


def test_the_likeliest_twin_is_named():
    rows = [(0, frozenset(range(8)), [1, 5, 6], False), (0, frozenset(range(5, 20)), [1, 2, 3], False)]
    assert run([*rows, (0, frozenset(range(6, 20)), [1, 2, 3], False)], 0.2)[-1] == (1, 14 / 15)


def test_published_documents_stay_and_stand_for_new_ones():
    rows = [(0, frozenset({1, 2}), [1], True), (0, frozenset({1, 2}), [1], True), (0, frozenset({1, 2}), [1], False)]
    assert run(rows, 0.7) == [(-1, 0.0), (-1, 0.0), (0, 1.0)]


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 2**64 - 1)), st.frozensets(st.integers(0, 2**64 - 1)), st.frozensets(st.integers(0, 2**64 - 1)))
def test_jaccard_is_that_of_sets(left, right, common):
    left, right = left | common, right | common
    arrays = [np.array(sorted(each), dtype=np.uint64) for each in (left, right)]
    assert jaccard(*arrays) == similarity_of(left, right)
