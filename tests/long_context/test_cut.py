import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.dependencies.graph import Graph
from beam_seed.long_context.cut import cut, edges_cut


def graph_of(files, edges, groups=0):
    return Graph(files, files + groups, np.array(sorted(set(edges)), np.int64).reshape(-1, 2), {})


def cut_up(graph, tokens, budget):
    return cut(graph, np.array(tokens, np.int64), np.arange(graph.files), budget)


@st.composite
def repositories(draw):
    files = draw(st.integers(0, 40))
    edge = st.tuples(st.integers(0, max(0, files - 1)), st.integers(0, max(0, files - 1))).filter(lambda pair: pair[0] != pair[1])
    edges = draw(st.lists(edge, max_size=80)) if files > 1 else []
    groups = draw(st.integers(0, 2)) if files > 1 else 0
    for group in range(files, files + groups):
        edges += [(draw(st.integers(0, files - 1)), group)]
        edges += [(group, member) for member in draw(st.sets(st.integers(0, files - 1), min_size=1))]
    tokens = draw(st.lists(st.integers(0, 30), min_size=files, max_size=files))
    positions = draw(st.permutations(range(files)))
    return graph_of(files, edges, groups), np.array(tokens, np.int64), np.array(positions, np.int64), draw(st.integers(1, 60))


@settings(deadline=None, max_examples=200)
@given(repositories())
def test_every_file_is_in_one_sequence_and_none_is_too_long(repository):
    graph, tokens, positions, budget = repository
    sequences = cut(graph, tokens, positions, budget)
    assert sorted(file for files in sequences for file in files) == list(range(graph.files))
    for files in sequences:
        assert tokens[files].sum() <= budget or len(files) == 1
        assert positions[files].tolist() == sorted(positions[files].tolist())
    assert sequences == cut(graph, tokens, positions, budget)
    if tokens.sum() <= budget:
        assert len(sequences) <= 1
    member_of = {file: number for number, files in enumerate(sequences) for file in files}
    members = {node: [b for a, b in graph.edges.tolist() if a == node] for node in range(graph.files, graph.nodes)}
    told = sum(any(member_of[m] != member_of[a] for m in members.get(b, [b])) for a, b in graph.edges.tolist() if a < graph.files)
    assert edges_cut(graph, sequences) == told


def test_components_that_fit_are_not_cut():
    edges = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8)]
    sequences = cut_up(graph_of(9, edges), [10] * 9, 30)
    assert sequences == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_component_is_cut_where_few_dependencies_are():
    # Two circles of ten files, one edge between them.
    circles = [(n, (n + 1) % 10) for n in range(10)] + [(10 + n, 10 + (n + 1) % 10) for n in range(10)]
    graph = graph_of(20, [*circles, (3, 15)])
    sequences = cut_up(graph, [10] * 20, 120)
    assert sequences == [list(range(10)), list(range(10, 20))]
    assert edges_cut(graph, sequences) == 1


def test_small_pieces_are_put_together_near_to_each_other():
    sequences = cut_up(graph_of(100, []), [10] * 100, 100)
    assert len(sequences) == 10
    assert all(max(files) - min(files) < 20 for files in sequences)


def test_a_file_that_is_too_long_stands_alone():
    assert cut_up(graph_of(3, [(0, 1), (1, 2)]), [5, 50, 5], 10) == [[0, 2], [1]]


def test_a_star_and_a_clique_and_a_chain():
    size = 300
    clique = [(a, b) for a in range(60) for b in range(60) if a != b]
    shapes = [[(n, 0) for n in range(1, size)], clique, [(n, n + 1) for n in range(size - 1)]]
    drawn = random.Random(0)
    for edges in shapes:
        tokens = [drawn.randint(1, 50) for _ in range(size)]
        sequences = cut_up(graph_of(size, edges), tokens, 100)
        assert sorted(file for files in sequences for file in files) == list(range(size))
        assert max(sum(tokens[file] for file in files) for files in sequences) <= 100
        assert len(sequences) < 2.2 * sum(tokens) / 100
