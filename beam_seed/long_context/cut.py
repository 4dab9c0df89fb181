"""Cutting a repository that is too long for one sequence into sub-graphs of its dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pymetis
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from beam_seed.dependencies.graph import Edges, Graph
from beam_seed.long_context.order import Numbers, matrix, node_values

# What METIS aims at, of the budget: parts come out up to a tenth larger than asked for, and what is too large must be cut once more.
_FILL = 0.9

# So many sequences are open at a time for small pieces to fill up; what lies further apart has little to do with each other.
_OPEN = 8


def cut(graph: Graph, tokens: Numbers, positions: Numbers, budget: int) -> list[list[int]]:
    """Files divided into sequences, each of at most ``budget`` tokens, in order of ``positions``; every file is in exactly one.

    What fits as a whole stays whole. Otherwise the weakly connected components are taken apart; one that is too long is
    divided by METIS, which cuts as few dependencies as it can; then pieces are joined again, with those near to them in order, as far as
    they fit.
    A file that alone is longer than the budget is a sequence of its own: the only kind that is longer.
    """
    order = np.argsort(positions, kind="stable")
    if int(tokens.sum()) <= budget:
        return [order.tolist()] if len(order) else []
    large = tokens > budget
    sequences = [[number] for number in np.flatnonzero(large).tolist()]
    weights = np.concatenate([np.where(large, 0, tokens), np.zeros(graph.nodes - graph.files, np.int64)])
    keep = np.append(~large, np.ones(graph.nodes - graph.files, bool))
    edges = graph.edges[keep[graph.edges].all(axis=1)]
    pieces = [files for nodes in _pieces(edges, weights, positions, budget, graph.files) if (files := nodes[keep[nodes]].tolist())]
    sequences += _joined(pieces, tokens, positions, budget)
    return sorted((sorted(each, key=positions.__getitem__) for each in sequences), key=lambda each: positions[each[0]])


def _pieces(edges: Edges, weights: Numbers, positions: Numbers, budget: int, files: int) -> Iterator[Numbers]:
    """Connected sets of files within the budget: whole components, or parts of those that are too large, divided until they fit.

    Each round costs as much as all that is still to be divided, however many parts that has.
    """
    nodes = np.arange(len(weights))  # by their numbers in the graph; what is still to be divided
    while len(nodes):
        local = np.empty(len(weights), np.int64)
        local[nodes] = np.arange(len(nodes))
        count, components = connected_components(matrix(local[edges], len(nodes)), directed=False)
        totals = np.bincount(components, weights=weights[nodes], minlength=count)
        order = np.argsort(components, kind="stable")
        nodes, components = nodes[order], components[order]
        is_large = (totals > budget)[components]
        for members in _runs(nodes[~is_large], components[~is_large]):
            yield members[members < files]
        nodes, components = nodes[is_large], components[is_large]
        parts = np.full(len(weights), -1)  # number of the part of each node that is divided once more
        for members, indptr, indices in _blocks(nodes, components, edges, len(weights)):
            labels = _divided(indptr, indices, weights[members], budget)
            if labels is None:
                yield from _in_order(members[members < files], weights, positions, budget)
            else:
                parts[members] = labels + parts.max() + 1
        edges = edges[(parts[edges[:, 0]] == parts[edges[:, 1]]) & (parts[edges[:, 0]] >= 0)]
        nodes = np.flatnonzero(parts >= 0)


def _runs(nodes: Numbers, keys: Numbers) -> list[Numbers]:
    """Nodes of equal keys; equal ones are side by side."""
    return np.split(nodes, np.flatnonzero(np.diff(keys)) + 1) if len(nodes) else []


def _blocks(nodes: Numbers, components: Numbers, edges: Edges, size: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Each component's nodes and its undirected edges as the two arrays of a compressed sparse matrix, in numbers of the component."""
    place = np.full(size, -1)
    place[nodes] = np.arange(len(nodes))
    here = place[edges[place[edges[:, 0]] >= 0]]
    links = csr_array(matrix(np.concatenate([here, here[:, ::-1]]), len(nodes)))
    start = 0
    for members in _runs(nodes, components):
        end = start + len(members)
        first, last = links.indptr[start], links.indptr[end]
        yield members, links.indptr[start : end + 1] - first, links.indices[first:last] - start
        start = end


def _divided(indptr: Numbers, indices: Numbers, weights: Numbers, budget: int) -> Numbers | None:
    """METIS' part of each node of a connected graph; None where it leaves the graph whole."""
    wanted = max(2, min(len(weights), int(-(-weights.sum() // (budget * _FILL)))))
    labels = np.array(pymetis.part_graph(wanted, xadj=indptr, adjncy=indices, vweights=weights)[1], np.int64)
    return labels if (labels != labels[0]).any() else None


def _in_order(files: Numbers, weights: Numbers, positions: Numbers, budget: int) -> list[Numbers]:
    """Runs of files in order that fit."""
    runs: list[list[int]] = []
    room = 0
    for file in sorted(files.tolist(), key=positions.__getitem__):
        if weights[file] > room or not runs:
            runs.append([])
            room = budget
        runs[-1].append(file)
        room -= int(weights[file])
    return [np.array(run, np.int64) for run in runs]


def _joined(pieces: Sequence[list[int]], tokens: Numbers, positions: Numbers, budget: int) -> list[list[int]]:
    """Pieces put together, in order, each into the first of the open sequences that has room."""
    closed: list[list[int]] = []
    opened: list[tuple[list[int], int]] = []  # files, room
    for piece in sorted(pieces, key=lambda piece: positions[piece].min()):
        size = int(tokens[piece].sum())
        place = next((place for place, (_, room) in enumerate(opened) if size <= room), None)
        if place is None:
            if len(opened) == _OPEN:
                closed.append(opened.pop(0)[0])
            opened.append((piece, budget - size))
        else:
            files, room = opened[place]
            opened[place] = (files + piece, room - size)
    return closed + [files for files, _ in opened]


def edges_cut(graph: Graph, sequences: Sequence[Sequence[int]]) -> int:
    """How many files' edges lead out of their sequence: for a group, where any member lies elsewhere."""
    where = np.zeros(graph.files, np.int64)
    for number, files in enumerate(sequences):
        where[list(files)] = number
    of_files = graph.edges[graph.edges[:, 0] < graph.files]
    own = where[of_files[:, 0]]
    lowest, highest = (node_values(graph, where, each)[of_files[:, 1]] for each in (np.minimum, np.maximum))
    return int(((lowest != own) | (highest != own)).sum())
