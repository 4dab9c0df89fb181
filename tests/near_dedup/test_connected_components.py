import itertools
import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from beam_seed.near_dedup.connected_components import NO_EDGES, both_ways, large_star, larger_first, roots, small_star, unfinished
from beam_seed.near_dedup.transforms import ConnectedComponents
from beam_seed.packing import pack_columns, unpack_columns

# Addresses use all 64 bits; small numbers make dense graphs.
nodes = st.one_of(st.integers(0, 12), st.sampled_from([2**63, 2**63 + 1, 2**64 - 1, 2**32]))
edge_lists = st.lists(st.tuples(nodes, nodes).filter(lambda edge: edge[0] != edge[1]), max_size=40)


def as_array(edges):
    return np.array(list(edges), dtype=np.uint64).reshape(-1, 2)


def smallest_of_component(edges):
    graph = nx.Graph()
    graph.add_edges_from(edges)
    return {node: min(component) for component in nx.connected_components(graph) for node in component}


def in_parts(edges, arrange, step, partitions):
    arranged = arrange(edges)
    parts = [step(arranged[arranged[:, 0] % np.uint64(partitions) == part]) for part in range(partitions)]
    return np.concatenate(parts) if parts[0].ndim else sum(parts)


def components_of(edges, partitions=1, rounds=64):
    """Roots by node, and the number of rounds it took."""
    edges = as_array(edges)
    for number in range(rounds):
        left = sum(
            unfinished(grouped[grouped[:, 0] % np.uint64(partitions) == part])
            for grouped in [both_ways(edges)]
            for part in range(partitions)
        )
        if not left:
            return dict(in_parts(edges, both_ways, roots, partitions).tolist()), number
        edges = in_parts(edges, both_ways, large_star, partitions)
        edges = in_parts(edges, larger_first, small_star, partitions)
    raise AssertionError(f"not converged after {rounds} rounds")


@settings(deadline=None)
@given(edge_lists, st.integers(1, 5))
def test_components_are_networkxs(edges, partitions):
    assert components_of(edges, partitions)[0] == smallest_of_component(edges)


@settings(deadline=None)
@given(edge_lists, st.randoms(use_true_random=False))
def test_components_do_not_hang_on_order_direction_or_repeats(edges, shuffled):
    again = [(b, a) if shuffled.random() < 0.5 else (a, b) for a, b in edges + edges[:3]]
    shuffled.shuffle(again)
    assert components_of(again) == components_of(edges)


@settings(deadline=None)
@given(edge_lists)
def test_unfinished_is_zero_exactly_for_stars_around_the_smallest(edges):
    graph = nx.Graph()
    graph.add_edges_from(edges)
    are_stars = all(
        sorted(graph[node]) == ([min(component)] if node != min(component) else sorted(component - {node}))
        for component in nx.connected_components(graph)
        for node in component
    )
    assert (unfinished(both_ways(as_array(edges))) == 0) == are_stars


@settings(deadline=None)
@given(edge_lists)
def test_a_finished_graph_stays_as_it_is(edges):
    stars = as_array((node, root) for node, root in smallest_of_component(edges).items() if node != root)
    after = small_star(larger_first(large_star(both_ways(stars))))
    assert {tuple(edge) for edge in after.tolist()} == {tuple(edge) for edge in stars.tolist()}


def path(n, order=None):
    order = range(n) if order is None else order
    return list(itertools.pairwise(order))


def shuffled_range(n):
    numbers = list(range(n))
    random.Random(n).shuffle(numbers)
    return numbers


SHAPES = {
    "path": path(700),
    "path backwards": path(700, range(700)[::-1]),
    "shuffled path": path(700, shuffled_range(700)),
    "ring": [*path(300), (299, 0)],
    "star around the smallest": [(0, leaf) for leaf in range(1, 300)],
    "star around the largest": [(300, leaf) for leaf in range(300)],
    "clique": [(a, b) for a in range(40) for b in range(a)],
    "binary tree": [(child, (child - 1) // 2) for child in range(1, 500)],
    "families joined by one edge": [(base + a, base + b) for base in (0, 100, 200) for a in range(20) for b in range(a)]
    + [(5, 119), (110, 201)],
    "comb": path(100) + [(tooth, tooth + 1000) for tooth in range(100)],
}


@pytest.mark.parametrize("edges", SHAPES.values(), ids=SHAPES.keys())
def test_shapes(edges):
    found, rounds = components_of(edges, partitions=3)
    assert found == smallest_of_component(edges)
    assert rounds <= 12


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3000), st.integers(2, 2000), st.integers(0, 2**32 - 1))
def test_components_are_scipys(count, size, seed):
    ends = np.random.default_rng(seed).integers(0, size, size=(count, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    _, labels = connected_components(coo_array((np.ones(len(ends)), ends.T), shape=(size, size)), directed=False)
    smallest = {}
    for node in np.unique(ends).tolist():
        smallest.setdefault(labels[node], node)
    found, _ = components_of(ends, partitions=2)
    assert found == {node: smallest[labels[node]] for node in np.unique(ends).tolist()}


def test_nothing_to_join():
    for step in (large_star, small_star, roots):
        assert step(NO_EDGES).shape == (0, 2)
    assert larger_first(NO_EDGES).shape == both_ways(NO_EDGES).shape == (0, 2)
    assert unfinished(NO_EDGES) == 0


def run(edges, **parameters):
    # Several packed batches, one of them empty.
    batches = [pack_columns(as_array(edges[start::3])) for start in range(3)] + [b""]
    result = batches | ConnectedComponents(**parameters)
    named = [(key, pair) for key, packed in result for pair in unpack_columns([packed], 2).tolist()]
    assert len({node for _, (node, _) in named}) == len(named)
    return {node: (key, root) for key, (node, root) in named}


@pytest.mark.parametrize("partitions", [1, 4])
def test_the_transform_names_every_node_once_under_its_shard(partitions):
    high = 5 << 32
    edges = [*path(30, shuffled_range(30)), (high, high + 1), (high + 1, 3 << 32), (2**64 - 1, 2**63)]
    expected = {node: (node >> 32, root) for node, root in smallest_of_component(edges).items()}
    assert run(edges, partitions=partitions) == expected


def test_the_transform_does_not_hang_on_the_order_of_edges():
    edges = SHAPES["families joined by one edge"]
    again = edges.copy()
    random.Random(1).shuffle(again)
    assert run(edges, partitions=2, rounds=3) == run(again, partitions=5, rounds=3)


def test_the_transform_without_edges():
    assert [] | ConnectedComponents(rounds=2) == []
    assert [b""] | ConnectedComponents(rounds=2) == []


def test_too_few_rounds_fail_the_pipeline():
    with pytest.raises(RuntimeError, match=r"after 1 rounds .* \d+ nodes are still in no star; expected none; raise the number of rounds"):
        run(path(5000), rounds=1)


def test_enough_rounds_do_not():
    assert {root for _, root in run(path(5000, shuffled_range(5000)), rounds=12).values()} == {0}


def test_no_partitions_are_refused():
    with pytest.raises(ValueError, match="partitions is 0; expected at least 1"):
        ConnectedComponents(partitions=0)
