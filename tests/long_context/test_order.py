import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.dependencies.graph import Graph
from beam_seed.long_context.order import against, order_files, strong_components, topological_order


def graph_of(files, edges, groups=0):
    return Graph(files, files + groups, np.array(sorted(set(edges)), np.int64).reshape(-1, 2), {})


@st.composite
def graphs(draw):
    files = draw(st.integers(1, 12))
    groups = draw(st.integers(0, 3))
    of_files = st.tuples(st.integers(0, files - 1), st.integers(0, files + groups - 1)).filter(lambda edge: edge[0] != edge[1])
    edges = draw(st.lists(of_files, max_size=25))
    for group in range(files, files + groups):
        edges += [(group, member) for member in draw(st.sets(st.integers(0, files - 1), min_size=1, max_size=4))]
    return graph_of(files, edges, groups)


def files_needed(graph):
    """(file, file) pairs, groups taken apart: as networkx sees it."""
    members = {node: [b for a, b in graph.edges.tolist() if a == node] for node in range(graph.files, graph.nodes)}
    return [(a, m) for a, b in graph.edges.tolist() if a < graph.files for m in members.get(b, [b]) if m != a]


@settings(deadline=None)
@given(graphs())
def test_what_is_needed_comes_first_outside_of_cycles(graph):
    order = topological_order(graph, strong_components(graph))
    assert sorted(order) == list(range(graph.files))
    place = {file: number for number, file in enumerate(order)}
    whole = nx.DiGraph()
    whole.add_nodes_from(range(graph.nodes))
    whole.add_edges_from(graph.edges.tolist())
    component = {node: number for number, nodes in enumerate(nx.strongly_connected_components(whole)) for node in nodes}
    for file, needed in files_needed(graph):
        if component[file] != component[needed]:
            assert place[needed] < place[file]
    positions = np.array([place[file] for file in range(graph.files)])
    members = {node: [b for a, b in graph.edges.tolist() if a == node] for node in range(graph.files, graph.nodes)}
    ordered = order_files(graph, "topological", [str(file) for file in range(graph.files)], ["C"] * graph.files, ["x"] * graph.files)
    assert (ordered.positions.tolist(), ordered.misplaced) == (positions.tolist(), 0)
    told = sum(any(place[m] > place[a] for m in members.get(b, [b])) for a, b in graph.edges.tolist() if a < graph.files)
    assert against(graph, positions).sum() == told


def test_files_that_belong_together_stay_together():
    graph = graph_of(6, [(1, 4), (4, 5), (2, 3)])
    assert topological_order(graph, strong_components(graph)) == [0, 5, 4, 1, 3, 2]


def test_a_cycle_begins_with_the_file_that_needs_least_of_it():
    graph = graph_of(4, [(0, 1), (0, 2), (1, 2), (2, 0), (3, 0)])  # 1 and 2 need one each, 0 two until 1 is there
    assert topological_order(graph, strong_components(graph)) == [1, 0, 2, 3]


def test_a_long_chain_and_a_large_cycle_are_no_recursion():
    size = 50_000
    chain = graph_of(size, [(number, number + 1) for number in range(size - 1)])
    assert topological_order(chain, strong_components(chain)) == list(range(size))[::-1]
    cycle = graph_of(size, [(number, (number + 1) % size) for number in range(size)])
    assert topological_order(cycle, strong_components(cycle)) == [0, *range(size - 1, 0, -1)]


PATHS = ["README.md", "a.py", "b.py", "c.html", "d.sql", "doc/README.md"]
LANGUAGES = ["Markdown", "Python", "Python", "HTML", "SQL", "Markdown"]


def ordered(order, ids="uvwxyz"):
    found = order_files(graph_of(6, [(1, 2)]), order, PATHS, LANGUAGES, list(ids))
    return [PATHS[file] for file in np.argsort(found.positions)], found.broken


def test_the_orders():
    topological, broken = ordered("topological")
    assert topological[:3] == ["README.md", "b.py", "a.py"]
    assert sorted(topological[3:]) == ["c.html", "d.sql", "doc/README.md"]
    assert broken == 0
    assert order_files(graph_of(2, [(0, 1)]), "path", ["a", "b"], ["C"] * 2, ["a", "b"]).misplaced == 1
    assert ordered("path") == (PATHS, 1)
    assert sorted(ordered("random")[0]) == PATHS
    assert ordered("random") == ordered("random")
    assert len({tuple(ordered("random", ids)[0]) for ids in ("uvwxyz", "zyxwvu", "abcdef")}) > 1
    assert len({tuple(ordered("topological", ids)[0][3:]) for ids in ("uvwxyz", "zyxwvu", "abcdef")}) > 1


def test_a_readme_that_something_needs_is_no_exception():
    found = order_files(graph_of(2, [(0, 1)]), "topological", ["README.md", "z.py"], ["Markdown", "Python"], ["a", "b"])
    assert found.positions.tolist() == [1, 0]


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="expected one of topological, random, path"):
        ordered("alphabetical")


def test_no_files_at_all():
    assert order_files(graph_of(0, []), "topological", [], [], []).positions.tolist() == []
