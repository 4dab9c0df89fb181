import itertools
import math

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.near_dedup.minhash import EMPTY, sign
from beam_seed.near_dedup.shingles import Shingles, shingle

sets = st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=12), min_size=1, max_size=5)


def batch(hashes):
    offsets = np.cumsum([0, *map(len, hashes)])
    return Shingles(np.array(list(itertools.chain(*hashes)), dtype=np.uint64), offsets.astype(np.int64))


def datasketch_signature(hashes, num_perm):
    minhash = MinHash(num_perm=num_perm, seed=1, scheme="affine32", hashfunc=lambda value: value)
    minhash.update_batch([value % 2**32 for value in hashes])
    return minhash.hashvalues.tolist()


@settings(deadline=None)
@given(sets, st.sampled_from([2, 7, 126, 128]))
def test_signatures_are_datasketchs(hashes, num_perm):
    signatures = sign(batch(hashes), num_perm)
    assert signatures.dtype == np.uint32
    for row, values in zip(signatures, hashes, strict=True):
        assert row.tolist() == (datasketch_signature(values, num_perm) if values else [EMPTY] * num_perm)


def test_signatures_of_real_text_are_datasketchs():
    shingles = shingle([b"def f(a, b):\n    return a + b\n" * 30, "ünïcode = 'x' ; y".encode()])
    for text, row in enumerate(sign(shingles, 126)):
        values = shingles.hashes[shingles.offsets[text] : shingles.offsets[text + 1]].tolist()
        assert row.tolist() == datasketch_signature(values, 126)


@settings(deadline=None)
@given(sets)
def test_the_signature_of_a_union_is_the_minimum(hashes):
    union = sign(batch([list(itertools.chain(*hashes))]), 128)[0]
    assert union.tolist() == sign(batch(hashes), 128).min(axis=0).tolist()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(hashes, random):
    again = hashes + random.choices(hashes, k=5)
    random.shuffle(again)
    assert sign(batch([hashes]), 64).tolist() == sign(batch([again]), 64).tolist()


@pytest.mark.parametrize(("common", "own"), [(20, 90), (100, 50), (160, 20), (190, 5)])
def test_estimates_are_near_the_true_jaccard(common, own):
    pairs, num_perm = 300, 126
    random = np.random.default_rng(common)
    rows = random.integers(0, 2**64, size=(pairs, common + 2 * own), dtype=np.uint64)
    left = sign(batch(rows[:, : common + own].tolist()), num_perm)
    right = sign(batch(np.concatenate([rows[:, :common], rows[:, common + own :]], axis=1).tolist()), num_perm)
    estimates = (left == right).mean(axis=1)
    similarity = common / (common + 2 * own)
    spread = math.sqrt(similarity * (1 - similarity) / num_perm)
    assert abs(estimates.mean() - similarity) < 4 * spread / math.sqrt(pairs)
    assert 0.8 < estimates.std() / spread < 1.2


def test_no_texts():
    assert sign(batch([]), 128).shape == (0, 128)
