"""Cutting a repository that is too long for one sequence into sub-graphs of its dependencies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pymetis
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from beam_seed.dependencies.graph import Graph
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
    pieces = [[number] for number in np.flatnonzero(large).tolist()]
    weights = np.concatenate([np.where(large, 0, tokens), np.zeros(graph.nodes - graph.files, np.int64)])
    keep = np.append(~large, np.ones(graph.nodes - graph.files, bool))
    edges = graph.edges[keep[graph.edges].all(axis=1)]
    links = matrix(edges, graph.nodes)
    links = csr_array(links + links.T)
    small = _pieces(links, np.flatnonzero(keep), weights, positions, budget, graph.files)
    sequences = pieces + _joined(small, tokens, positions, budget)
    return sorted((sorted(each, key=positions.__getitem__) for each in sequences), key=lambda each: positions[each[0]])


def _pieces(links: csr_array, nodes: Numbers, weights: Numbers, positions: Numbers, budget: int, files: int) -> list[list[int]]:
    """Connected sets of files within the budget."""
    found: list[list[int]] = []
    waiting = [nodes] if len(nodes) else []
    while waiting:
        nodes = waiting.pop()
        own = csr_array(links[nodes][:, nodes])
        count, labels = connected_components(own, directed=False)
        totals = np.bincount(labels, weights=weights[nodes], minlength=count)
        order = np.argsort(labels, kind="stable")
        for component, rows in enumerate(np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)):
            members = nodes[rows]
            own_files = members[members < files]
            if totals[component] <= budget:
                if len(own_files):
                    found.append(own_files.tolist())
            else:
                parts = _divided(csr_array(own[rows][:, rows]), weights[members], budget)
                if parts is None:
                    found += _in_order(own_files, weights, positions, budget)
                else:
                    waiting += [members[part] for part in parts]
    return found


def _divided(links: csr_array, weights: Numbers, budget: int) -> list[npt.NDArray[np.int64]] | None:
    """METIS' parts of a connected graph; None where it leaves one part as large as the whole."""
    wanted = min(len(weights), int(-(-weights.sum() // (budget * _FILL))))
    labels = np.array(pymetis.part_graph(max(2, wanted), xadj=links.indptr, adjncy=links.indices, vweights=weights, recursive=False)[1])
    parts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return parts if len(parts) > 1 else None


def _in_order(files: Numbers, weights: Numbers, positions: Numbers, budget: int) -> list[list[int]]:
    """Runs of files in order that fit."""
    runs: list[list[int]] = []
    room = 0
    for file in sorted(files.tolist(), key=positions.__getitem__):
        if weights[file] > room or not runs:
            runs.append([])
            room = budget
        runs[-1].append(file)
        room -= int(weights[file])
    return runs


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
