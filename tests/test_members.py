import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.members import (
    HASHED_SHARD_BITS,
    MAX_DATASETS,
    MAX_SHARDS,
    address,
    hashed_address,
    is_published,
    is_repository,
    names,
    preference,
    ranked,
    refuse_repeats,
    shard_key,
    verdict_table,
)

places = st.tuples(st.integers(0, MAX_SHARDS - 1), st.integers(0, 2**32 - 1), st.integers(0, MAX_DATASETS), st.booleans())


@given(places)
def test_an_address_holds_kind_dataset_shard_and_row(place):
    shard, row, dataset, repository = place
    found = address(shard, np.array([row]), dataset, repository)
    assert found.dtype == np.uint64
    assert f"{int(found[0]):064b}" == f"{repository:01b}{dataset:07b}{shard:024b}{row:032b}"
    assert is_published(found).tolist() == [dataset > 0]
    assert is_repository(found).tolist() == [repository]
    assert shard_key(shard, dataset, repository) == int(found[0]) >> 32


@pytest.mark.parametrize(("shard", "dataset"), [(MAX_SHARDS, 0), (-1, 0), (0, MAX_DATASETS + 1), (0, -1)])
def test_places_without_an_address_are_refused(shard, dataset):
    with pytest.raises(ValueError, match=f"shard {shard} of dataset {dataset} has no address"):
        address(shard, np.zeros(1, dtype=np.int64), dataset)


def test_hashed_addresses_are_new_documents_in_64_parts():
    addresses = np.array([hashed_address(f"{number:032x}") for number in range(5000)], dtype=np.uint64)
    assert len(np.unique(addresses)) == 5000
    assert not is_published(addresses).any()
    assert not is_repository(addresses).any()
    assert set((addresses >> np.uint64(HASHED_SHARD_BITS)).tolist()) == set(range(64))


identities = st.tuples(
    st.none() | st.integers(0, 10**7),
    st.sampled_from(["", "1999-12-31", "2020-01-01", "2020-01-01T10:00:00Z"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)


@given(identities, identities)
def test_preferences_sort_by_stars_age_and_name(left, right):
    def key(identity):
        stars, created, repo, source = identity
        return (stars is None, -(stars or 0), created == "", created, repo, source)

    assert (preference(*left) < preference(*right)) == (key(left) < key(right))
    # Arrow sorts by UTF-8 bytes.
    assert pa.array([preference(*left), preference(*right)]).sort()[0].as_py() == preference(*min(left, right, key=key))


@given(identities, st.integers(0, MAX_DATASETS))
def test_names_are_read_back(identity, dataset):
    repo, source = identity[2:]
    assert names(preference(*identity)) == (repo, source)
    assert names(ranked(preference(*identity), dataset)) == (repo, source)


def test_what_was_published_earlier_ranks_first():
    best, worst = preference(10**12, "1970-01-01", "a", "a"), preference(None, "", "z", "z")
    order = [ranked(worst, 1), ranked(best, 2), ranked(worst, 127), ranked(best, 0)]
    assert order == sorted(order)


@pytest.mark.parametrize("stars", [10**12, 10**12 + 1, 2**63])
def test_absurd_stars_rank_like_the_most(stars):
    assert preference(stars, "", "r", "s") == preference(10**12, "", "r", "s") < preference(10**6, "", "r", "s")


def test_a_verdict_table_tells_of_dropped_ones_and_of_those_that_stand_for_more():
    shards = address(0, np.arange(5)), address(1, np.arange(1), dataset=3)
    members = pa.table(
        {
            "address": np.concatenate(shards),
            "repository": [preference(1, "", f"r{number}", "s") for number in range(6)],
            "path": [f"p{number}" for number in range(6)],
        }
    )
    chosen = np.array([0, 0, 2, 0, 4, 0])  # the last one is published: told of by its own run, never here
    table = verdict_table(members, chosen, np.linspace(0.5, 1.0, 6), np.array([1, 2, 1, 4, 3, 1]))
    rows = [(row["member"], row["kept"], row["similarity"], row["size"], row["repo"], row["path"]) for row in table.to_pylist()]
    assert rows == [(0, 0, 0.5, 8, "r0", "p0"), (1, 0, 0.6, 0, "r0", "p0"), (3, 0, 0.8, 0, "r0", "p0"), (4, 4, 0.9, 3, "r4", "p4")]


def test_repeats_are_refused():
    def members(addresses):
        names = {"repository": [preference(1, "", "r", "s")] * len(addresses), "path": [f"p{each}" for each in addresses]}
        return pa.table({"address": pa.array(addresses, pa.uint64())} | names)

    refuse_repeats(members([]))
    refuse_repeats(members([3, 1, 2]))
    with pytest.raises(ValueError, match="two documents have the id of r/p5 from s"):
        refuse_repeats(members([1, 3, 5, 5, 2]))
