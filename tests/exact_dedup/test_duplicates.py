import hashlib
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.exact_dedup.duplicates import digest_partition, find_duplicates, merge_digests, set_digest
from beam_seed.members import MEMBERS, VERDICTS, address, preference
from beam_seed.packing import pack_table, unpack_tables

DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(5)]
# Two digests that differ in their last byte only.
DIGESTS.append(DIGESTS[0][:31] + bytes([DIGESTS[0][31] ^ 1]))

repositories = st.tuples(
    st.none() | st.integers(0, 3),
    st.sampled_from(["", "2019-05-01", "2020-01-01T00:00:00Z"]),
    st.sampled_from("ab"),
    st.sampled_from(["s", "t"]),
)
members_lists = st.lists(st.tuples(st.sampled_from(DIGESTS), repositories, st.sampled_from(["a.py", "ä/b.py", "z"])), max_size=20)


def table_of(members, addresses=None):
    addresses = address(2, np.arange(len(members))) if addresses is None else np.array(addresses, dtype=np.uint64)
    return pa.table(
        [
            pa.array(addresses, pa.uint64()),
            pa.array([digest for digest, _, _ in members], pa.binary(32)),
            pa.array([preference(*repository) for _, repository, _ in members], pa.string()).dictionary_encode(),
            pa.array([path for _, _, path in members], pa.string()),
        ],
        schema=MEMBERS,
    )


def rank(member, position):
    _, (stars, created, repo, source), path = member
    return (stars is None, -(stars or 0), not created, created, repo, source, path, position)


def by_the_rule(members):
    """Index of the kept member of each that has copies, by index."""
    groups = defaultdict(list)
    for index, (digest, _, _) in enumerate(members):
        groups[digest].append(index)
    return {
        index: min(group, key=lambda index: rank(members[index], index)) for group in groups.values() if len(group) > 1 for index in group
    }


@settings(deadline=None)
@given(members_lists)
def test_verdicts_are_those_of_a_dictionary(members):
    verdicts = find_duplicates(table_of(members))
    expected = by_the_rule(members)
    assert verdicts.schema == VERDICTS
    rows = {row["member"] % 2**32: row for row in verdicts.to_pylist()}
    assert {index: row["kept"] % 2**32 for index, row in rows.items()} == expected
    sizes = Counter(expected.values())
    for index, row in rows.items():
        _, (_, _, repo, source), path = members[row["kept"] % 2**32]
        assert (row["similarity"], row["repo"], row["source"], row["path"]) == (1.0, repo, source, path)
        assert row["size"] == (sizes[index] if row["kept"] == row["member"] else 0)


@settings(deadline=None)
@given(members_lists, st.randoms(use_true_random=False), st.integers(1, 4))
def test_verdicts_do_not_hang_on_order_or_batches(members, shuffled, batches):
    whole = table_of(members)
    order = list(range(len(members)))
    shuffled.shuffle(order)
    parts = [whole.take(pa.array(order[part::batches], pa.int64())) for part in range(batches)]
    again = find_duplicates(unpack_tables(map(pack_table, parts), MEMBERS))
    assert again.sort_by("member").to_pylist() == find_duplicates(whole).sort_by("member").to_pylist()


@settings(deadline=None)
@given(members_lists, st.integers(1, 7))
def test_copies_fall_into_one_partition(members, partitions):
    parts = digest_partition(table_of(members), partitions).tolist()
    assert len(parts) == len(members)
    assert all(0 <= part < partitions for part in parts)
    of_digest = dict(zip((digest for digest, _, _ in members), parts, strict=True))
    assert parts == [of_digest[digest] for digest, _, _ in members]


@settings(deadline=None)
@given(members_lists, st.integers(0, 5), st.integers(0, 5))
def test_a_slice_of_a_table_is_judged_like_its_copy(members, start, length):
    part = table_of(members).slice(start, length)
    assert (
        find_duplicates(part).to_pylist()
        == find_duplicates(table_of(members[start : start + length], part["address"].to_pylist())).to_pylist()
    )
    assert digest_partition(part, 5).tolist() == digest_partition(table_of(members), 5).tolist()[start : start + length]


def test_two_members_with_one_address_are_named():
    member = (DIGESTS[0], (1, "", "repo", "source"), "a.py")
    with pytest.raises(ValueError, match=r"two documents have the id of repo/a\.py from source; expected each id once"):
        find_duplicates(table_of([member, member], [7, 7]))


def test_one_member_and_none():
    assert find_duplicates(table_of([])).to_pylist() == []
    assert find_duplicates(table_of([(DIGESTS[0], (None, "", "r", "s"), "p")])).to_pylist() == []


files = st.dictionaries(st.sampled_from([f"p{number}" for number in range(8)] + ["ü", "\udcff"]), st.sampled_from("abc"), max_size=8)


@given(files, st.integers(0, 8), st.randoms(use_true_random=False))
def test_a_set_digest_is_the_merge_of_its_parts_in_any_order(content, cut, shuffled):
    pairs = list(content.items())
    shuffled.shuffle(pairs)
    whole = set_digest(content.items())
    assert len(whole) == 32
    assert set_digest(pairs) == whole
    assert merge_digests([set_digest(pairs[cut:]), set_digest(pairs[:cut]), set_digest([])]) == whole


@given(files, files)
def test_set_digests_are_equal_if_and_only_if_the_sets_are(left, right):
    assert (set_digest(left.items()) == set_digest(right.items())) == (left == right)


def test_path_and_content_are_kept_apart():
    assert set_digest([("a", "b"), ("c", "d")]) != set_digest([("a", "d"), ("c", "b")])
    assert set_digest([("ab", "c")]) != set_digest([("a", "bc")])


def test_a_set_digest_is_a_sum_of_sha256():
    digests = [hashlib.sha256(b"p\0d").hexdigest(), hashlib.sha256(b"q\0e").hexdigest()]
    assert int(set_digest([("p", "d"), ("q", "e")]).hex(), 16) == sum(int(digest, 16) for digest in digests) % 2**256
