"""The order of a repository's files: what is needed comes before what needs it."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from beam_seed.dependencies.graph import Edges, Graph
from beam_seed.dependencies.table import LANGUAGES

ORDERS = ("topological", "random", "path")

Numbers = npt.NDArray[np.int64]

_README = re.compile(r"readme(\.(md|markdown|rst|adoc|asciidoc|org|txt))?", re.IGNORECASE)


class Ordered(NamedTuple):
    """Where each file stands."""

    positions: Numbers  # of the files, from 0
    cyclic_files: int  # files in cycles, or reached by one through a group
    cycles: int  # strongly connected components of such files
    largest_cycle: int  # files of the largest
    broken: int  # edges against the order
    misplaced: int  # of them, those that are part of no cycle: 0 in topological order


def order_files(graph: Graph, order: str, paths: Sequence[str], languages: Sequence[str], ids: Sequence[str]) -> Ordered:
    """Order files, which are given sorted by path.

    'topological': README at the root; then files that have dependencies or could have, each right after what it needs
    (:func:`topological_order`); then the others, such as HTML, SQL and Shell, at random. 'random': all at random. 'path': as given.
    Random means by a digest of the file's id, so it is the same in every run. Raises ValueError for any other order.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; expected one of {', '.join(ORDERS)}")
    draws = [hashlib.blake2b(each.encode("utf-8", "surrogatepass"), digest_size=16).digest() for each in ids]
    components = strong_components(graph)
    if order == "path":
        chosen = list(range(graph.files))
    elif order == "random":
        chosen = sorted(range(graph.files), key=lambda number: (draws[number], number))
    else:
        linked = np.zeros(graph.nodes, bool)
        linked[graph.edges.ravel()] = True
        in_graph = [bool(linked[number]) or language in LANGUAGES for number, language in enumerate(languages)]
        first = next((number for number, path in enumerate(paths) if _README.fullmatch(path) and not linked[number]), -1)
        rest = sorted((number for number in range(graph.files) if not in_graph[number]), key=lambda number: (draws[number], number))
        code = [number for number in topological_order(graph, components) if in_graph[number]]
        chosen = [number for number in (first,) if number >= 0] + [number for number in code + rest if number != first]
    positions = np.empty(graph.files, np.int64)
    positions[chosen] = np.arange(graph.files)
    sizes = np.bincount(components, minlength=1)
    files = np.bincount(components[: graph.files], minlength=len(sizes))
    in_cycles = files[(sizes > 1) & (files > 0)]
    broken = against(graph, positions)
    ends = components[graph.edges[graph.edges[:, 0] < graph.files]]
    misplaced = broken & (ends[:, 0] != ends[:, 1])
    cycles = (int(in_cycles.sum()), len(in_cycles), int(in_cycles.max(initial=0)))
    return Ordered(positions, *cycles, int(broken.sum()), int(misplaced.sum()))


def strong_components(graph: Graph) -> Numbers:
    """The strongly connected component of each node."""
    return np.asarray(connected_components(matrix(graph.edges, graph.nodes), directed=True, connection="strong")[1], np.int64)


def matrix(edges: Edges, nodes: int) -> csr_array:
    """Edges as a sparse matrix."""
    return csr_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))


def topological_order(graph: Graph, components: Numbers) -> list[int]:
    """The files, each after all that it needs, unless that needs it too.

    Files are taken in the order given; before each comes what it needs, and that before it, so that files which belong together stay
    together (post-order of a depth-first search over the strongly connected components). The files of a cycle are taken by
    fewest dependencies within it that are still to come, then in the order given. Linear in files and edges, but for a logarithm in cycles.
    """
    inside = components[graph.edges[:, 0]] == components[graph.edges[:, 1]]
    members: list[list[int]] = [[] for _ in range(int(components.max(initial=-1)) + 1)]
    for node, component in enumerate(components.tolist()):
        members[component].append(node)
    needs: list[list[int]] = [[] for _ in range(graph.nodes)]  # of a node, in other components
    for node, needed in graph.edges[~inside].tolist():
        needs[node].append(needed)
    within: dict[int, list[tuple[int, int]]] = {}
    for node, needed in graph.edges[inside].tolist():
        within.setdefault(int(components[node]), []).append((node, needed))
    placed: list[int] = []
    seen = [False] * len(members)
    for root in range(graph.files):
        # A component is entered once and left once, after all that its members need.
        waiting = [int(components[root])]
        while waiting:
            component = waiting.pop()
            if component < 0:
                placed += _cycle_order(members[~component], within.get(~component, []))
                continue
            if seen[component]:
                continue
            seen[component] = True
            waiting.append(~component)
            needed_nodes = sorted({needed for node in members[component] for needed in needs[node]}, reverse=True)
            waiting += [here for needed in needed_nodes if not seen[here := int(components[needed])]]
    return [node for node in placed if node < graph.files]


def _cycle_order(members: list[int], edges: list[tuple[int, int]]) -> list[int]:
    if len(members) == 1:
        return members
    missing = dict.fromkeys(members, 0)
    needed_by: dict[int, list[int]] = {node: [] for node in members}
    for node, needed in edges:
        missing[node] += 1
        needed_by[needed].append(node)
    heap = [(count, node) for node, count in missing.items()]
    heapq.heapify(heap)
    order = []
    while heap:
        count, node = heapq.heappop(heap)
        if missing.get(node) != count:  # an entry from before the count went down, or of a node that is placed
            continue
        del missing[node]
        order.append(node)
        for other in needed_by[node]:
            if other in missing:
                missing[other] -= 1
                heapq.heappush(heap, (missing[other], other))
    return order


def against(graph: Graph, positions: Numbers) -> npt.NDArray[np.bool_]:
    """Which edges of files lead to what comes later: for a group, to any member of it."""
    last = node_values(graph, positions, np.maximum)
    of_files = graph.edges[graph.edges[:, 0] < graph.files]
    return last[of_files[:, 1]] > positions[of_files[:, 0]]


def node_values(graph: Graph, values: Numbers, of_members: np.ufunc) -> Numbers:
    """Values of the files, and for each group its members' combined by a ufunc; 0 for a group without members."""
    whole = np.concatenate([values, np.zeros(graph.nodes - graph.files, np.int64)])
    of_groups = graph.edges[graph.edges[:, 0] >= graph.files]
    if len(of_groups):
        groups, starts = np.unique(of_groups[:, 0], return_index=True)
        whole[groups] = of_members.reduceat(values[of_groups[:, 1]], starts)
    return whole
