"""From texts to verdicts without Beam: bands, buckets, components, verification."""

import itertools
import random

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.members import VERDICTS, address, preference, ranked
from beam_seed.near_dedup.candidates import CANDIDATES, candidate_table, judge
from beam_seed.near_dedup.lsh import band_hashes, bucket_edges, optimal_bands
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import Shingles, shingle, unique_sorted
from beam_seed.packing import pack_table, unpack_tables

THRESHOLD = 0.7
BANDS = optimal_bands(THRESHOLD, 128)


def families(seed, count):
    """Texts in families: copies of a few originals with a few words changed. Some drift away from the family step by step."""
    rng = random.Random(seed)
    originals = [[rng.choice("abcdefghijklmnop") + str(rng.randrange(40)) for _ in range(60)] for _ in range(3)]
    texts = []
    for number in range(count):
        family = originals[number % len(originals)]
        words = list(family)
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            words[rng.randrange(len(words))] = f"x{rng.randrange(9999)}"
        if rng.random() < 0.5:
            originals[number % len(originals)] = words
        texts.append(" ".join(words).encode())
    return texts


def members_of(texts, dataset=0):
    """(address, preference, path, text) of texts of one shard, every second one in a popular repository."""
    addresses = address(3, np.arange(len(texts)), dataset).tolist()
    return [
        (addresses[number], ranked(preference(number % 2, "2020-01-01", f"r{number % 4}", "s"), dataset), f"{number:03d}.txt", text)
        for number, text in enumerate(texts)
    ]


def sets_of(members):
    return unique_sorted(shingle([text for *_, text in members]))


def clusters_of(members):
    """Smallest address of each candidate's component, by address; a published pair alone makes no candidates."""
    hashes = band_hashes(sign(sets_of(members), BANDS.num_perm), BANDS)
    addresses = np.array([member[0] for member in members], dtype=np.uint64)
    is_new = np.array([member[0] >> 56 == 0 for member in members])
    graph = nx.Graph()
    for band in range(BANDS.bands):
        graph.add_edges_from(bucket_edges(hashes[:, band], addresses, is_new).tolist())
    return {node: min(component) for component in nx.connected_components(graph) for node in component}


def table_of(members, weights=None):
    clusters = clusters_of(members)
    chosen = [member for member in members if member[0] in clusters]
    return candidate_table(
        np.array([clusters[member[0]] for member in chosen], dtype=np.uint64),
        np.array([member[0] for member in chosen], dtype=np.uint64),
        np.array([(weights or {}).get(member[0], 1) for member in chosen], dtype=np.int64),
        [member[1] for member in chosen],
        [member[2] for member in chosen],
        sets_of(chosen),
    )


def drops_of(members):
    verdicts = judge(table_of(members), THRESHOLD, BANDS)
    assert verdicts.schema == VERDICTS
    return {row["member"]: row for row in verdicts.to_pylist() if row["member"] != row["kept"]}


def exact_similarity(members, left, right):
    sets = sets_of(members)
    rows = [[member[0] for member in members].index(each) for each in (left, right)]
    a, b = (set(sets.hashes[sets.offsets[row] : sets.offsets[row + 1]].tolist()) for row in rows)
    return len(a & b) / len(a | b)


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_a_dropped_document_has_a_kept_twin_and_no_cluster_is_lost(seed):
    members = members_of(families(seed, 24))
    drops = drops_of(members)
    assert drops
    known = {member[0]: member for member in members}
    for member, row in drops.items():
        assert row["kept"] not in drops
        assert row["similarity"] == exact_similarity(members, member, row["kept"]) >= THRESHOLD
        assert known[row["kept"]][1:3] < known[member][1:3]  # the preferred one
        assert (row["source"], row["path"]) == ("s", known[row["kept"]][2])
    clusters = clusters_of(members)
    assert {clusters[member] for member in clusters if member not in drops} == set(clusters.values())


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_verdicts_are_those_of_the_rule_over_all_documents(seed):
    members = members_of(families(seed, 20))
    sets = sets_of(members)
    shingles = [frozenset(sets.hashes[start:end].tolist()) for start, end in itertools.pairwise(sets.offsets)]
    hashes = band_hashes(sign(sets, BANDS.num_perm), BANDS).tolist()
    kept = []
    dropped = set()
    for index in sorted(range(len(members)), key=lambda index: members[index][1:3]):
        twins = [
            other
            for other in kept
            if any(a == b for a, b in zip(hashes[index], hashes[other], strict=True))
            and len(shingles[index] & shingles[other]) / len(shingles[index] | shingles[other]) >= THRESHOLD
        ]
        if twins:
            dropped.add(members[index][0])
        else:
            kept.append(index)
    assert set(drops_of(members)) == dropped


@settings(deadline=None, max_examples=15)
@given(seeds, st.integers(1, 5))
def test_verdicts_do_not_hang_on_order_or_batches(seed, batches):
    members = members_of(families(seed, 20))
    table = table_of(members)
    order = np.random.default_rng(seed).permutation(len(table))
    parts = [table.take(rows) for rows in np.array_split(order, batches)]
    shuffled = unpack_tables(map(pack_table, parts), CANDIDATES)
    expected = judge(table, THRESHOLD, BANDS).sort_by("member")
    assert judge(shuffled, THRESHOLD, BANDS).sort_by("member").to_pylist() == expected.to_pylist()
    # Shards may be numbered in another order: addresses say nothing about who is preferred.
    renamed = [(999 - member[0] % 2**32, *member[1:]) for member in members]
    back = {new[0]: old[0] for new, old in zip(renamed, members, strict=True)}
    assert {back[member]: back[row["kept"]] for member, row in drops_of(renamed).items()} == {
        row["member"]: row["kept"] for row in expected.to_pylist() if row["member"] != row["kept"]
    }


@settings(deadline=None, max_examples=25)
@given(seeds)
def test_a_second_batch_loses_what_a_joint_run_would_have_dropped_of_it(seed):
    texts = families(seed, 24)
    cut = random.Random(seed).randrange(25)
    old, new = members_of(texts[:cut], dataset=1), members_of(texts[cut:])
    # Alone, or together with the new ones but preferred to them: as members of a run's own input.
    own = [(member[0] % 2**56 + (9 << 32), *member[1:]) for member in old]
    dropped_old = set(drops_of(own)) if own else set()
    joint = drops_of(own + new)
    second = drops_of([earlier for earlier, alone in zip(old, own, strict=True) if alone[0] not in dropped_old] + new)
    assert set(second) == {member for member in joint if member in {each[0] for each in new}}
    assert {member for member in joint if member in {each[0] for each in own}} == dropped_old


def test_sizes_add_up_to_the_weights():
    members = members_of(families(5, 24))
    weights = {member[0]: number + 1 for number, member in enumerate(members)}
    table = table_of(members, weights)
    rows = judge(table, THRESHOLD, BANDS).to_pylist()
    drops = {row["member"]: row["kept"] for row in rows if row["member"] != row["kept"]}
    for row in rows:
        behind = [member for member, kept in drops.items() if kept == row["member"]]
        assert row["size"] == (sum(map(weights.get, [row["member"], *behind])) if row["member"] == row["kept"] else 0)
    told = {row["member"] for row in rows}
    assert all(weights[member] == 1 for member in table["address"].to_pylist() if member not in told)


WORDS = [f"w{number}" for number in range(40)]


def repository_table(parts_by_repository, cluster):
    """CANDIDATES of repositories: one row for each part."""
    rows = [(number, part) for number, parts in enumerate(parts_by_repository) for part in parts]
    addresses = address(1, np.array([number for number, _ in rows]), repository=True)
    names = [preference(None, "", f"repo{number}", "s") for number, _ in rows]
    sets = unique_sorted(shingle([part.encode() for _, part in rows]))
    clusters = np.full(len(rows), cluster, dtype=np.uint64)
    return candidate_table(clusters, addresses, np.ones(len(rows), dtype=np.int64), names, [""] * len(rows), sets)


def test_the_parts_of_a_repository_are_judged_as_one():
    first, second = " ".join(WORDS[:20]), " ".join(WORDS[20:])
    table = repository_table([[first, second], [second], [second, second, first]], int(address(1, np.zeros(1), repository=True)[0]))
    rows = judge(table, THRESHOLD, BANDS).to_pylist()
    assert [(row["member"] % 2**32, row["kept"] % 2**32, row["similarity"], row["size"]) for row in rows] == [
        (0, 0, 1.0, 2),
        (2, 0, 1.0, 0),
    ]


def test_a_repository_is_no_duplicate_of_its_only_file():
    text = " ".join(WORDS)
    files = table_of(members_of([text.encode()] * 2))
    repositories = repository_table([[text], [text]], int(address(1, np.zeros(1), repository=True)[0]))
    rows = judge(pa.concat_tables([files, repositories]).unify_dictionaries(), THRESHOLD, BANDS).to_pylist()
    drops = {row["member"]: row["kept"] for row in rows if row["member"] != row["kept"]}
    assert len(drops) == 2
    assert all(member >> 63 == kept >> 63 for member, kept in drops.items())


def test_no_candidates():
    assert judge(CANDIDATES.empty_table(), THRESHOLD, BANDS).to_pylist() == []
    empty = Shingles(np.empty(0, dtype=np.uint64), np.zeros(1, dtype=np.int64))
    none = np.empty(0, dtype=np.uint64)
    assert candidate_table(none, none, none.astype(np.int64), [], [], empty).schema == CANDIDATES


def test_a_document_that_was_read_twice_is_named():
    members = members_of([" ".join(WORDS).encode()] * 2)
    table = table_of(members)
    with pytest.raises(ValueError, match=r"two documents have the id of r\d/00\d\.txt from s; expected each id once"):
        judge(pa.concat_tables([table, table]).unify_dictionaries(), THRESHOLD, BANDS)
