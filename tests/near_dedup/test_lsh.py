import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from beam_seed.near_dedup.lsh import Bands, band_hashes, bucket_edges, candidate_probability, has_shingles, optimal_bands
from beam_seed.near_dedup.minhash import EMPTY, sign
from beam_seed.near_dedup.shingles import shingle


@pytest.mark.parametrize(("threshold", "num_perm"), [(0.5, 16), (0.7, 32), (0.7, 24), (0.85, 20)])
def test_bands_weigh_recall_nineteen_to_one(threshold, num_perm):
    def cost(bands, rows):
        def found(similarity):
            return 1 - (1 - similarity**rows) ** bands

        false_positives = quad(found, 0, threshold)[0]
        false_negatives = quad(lambda similarity: 1 - found(similarity), threshold, 1)[0]
        return 0.05 * false_positives + 0.95 * false_negatives

    every = [(bands, rows) for bands, rows in itertools.product(range(1, num_perm + 1), repeat=2) if bands * rows <= num_perm]
    cheapest = min(cost(*each) for each in every)
    # datasketch integrates by steps of 0.001.
    assert cost(*optimal_bands(threshold, num_perm)) == pytest.approx(cheapest, rel=0.01)


def test_the_usual_bands():
    bands = optimal_bands(0.7, 128)
    assert bands == Bands(21, 6)
    assert bands.num_perm == 126


@pytest.mark.parametrize("similarity", [0.0, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_candidate_probability_is_the_share_of_pairs_that_share_a_band(similarity):
    bands, pairs = Bands(9, 4), 20_000
    agree = np.random.default_rng(7).random((pairs, bands.bands, bands.rows)) < similarity
    share = agree.all(axis=2).any(axis=1).mean()
    assert candidate_probability(similarity, bands) == pytest.approx(share, abs=0.015)


def test_candidate_probability_of_an_array():
    curve = candidate_probability(np.linspace(0, 1, 11), Bands(21, 6))
    assert curve.shape == (11,)
    assert curve[0] == 0.0
    assert curve[-1] == 1.0
    assert (np.diff(curve) >= 0).all()


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 12), st.randoms(use_true_random=False))
def test_band_hashes_of_a_band_are_equal_if_and_only_if_its_rows_are(bands, rows, texts, random):
    cells = [[random.choice([0, 1, 0xFFFFFFFF]) for _ in range(bands * rows)] for _ in range(texts)]
    signatures = np.array(cells, dtype=np.uint32)
    hashes = band_hashes(signatures, Bands(bands, rows))
    assert hashes.shape == (texts, bands)
    for band in range(bands):
        pairs = {(int(hashes[text, band]), tuple(cells[text][band * rows : (band + 1) * rows])) for text in range(texts)}
        assert len(pairs) == len({value for value, _ in pairs}) == len({key for _, key in pairs})


def test_signatures_that_were_read_from_bytes():
    signatures = sign(shingle([b"a b c d e f g", b"h i j k l m n"]), 126)
    read = np.frombuffer(signatures.tobytes(), dtype="<u4").reshape(-1, 126)
    assert (band_hashes(read, Bands(21, 6)) == band_hashes(signatures, Bands(21, 6))).all()


def test_a_text_without_tokens_has_no_signature():
    signatures = sign(shingle([b"", b" \n\0", b"x"]), 126)
    assert has_shingles(signatures).tolist() == [False, False, True]
    assert (signatures[:2] == EMPTY).all()


members = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1), st.booleans()), max_size=25, unique_by=lambda m: m[1])


@settings(deadline=None)
@given(members)
def test_bucket_edges_join_each_member_to_the_smallest_of_its_bucket(rows):
    buckets = defaultdict(list)
    for value, address, is_new in rows:
        buckets[value].append((address, is_new))
    expected = set()
    for bucket in buckets.values():
        if any(is_new for _, is_new in bucket):
            root = min(address for address, _ in bucket)
            expected |= {(address, root) for address, _ in bucket if address != root}
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    edges = bucket_edges(np.array(columns[0], dtype=np.uint64), np.array(columns[1], dtype=np.uint64), np.array(columns[2], dtype=np.bool_))
    assert edges.shape == (len(expected), 2)
    assert edges.dtype == np.uint64
    assert {tuple(edge) for edge in edges.tolist()} == expected


def test_a_member_that_is_there_twice_gets_no_edge_to_itself():
    edges = bucket_edges(np.zeros(3, dtype=np.uint64), np.array([9, 4, 4], dtype=np.uint64), np.ones(3, dtype=np.bool_))
    assert edges.tolist() == [[9, 4]]
