"""Connected components by alternating large-star and small-star (Kiveris et al. 2014, "Connected Components in
MapReduce and Beyond", algorithms 2-4), each half-round a vectorised pure function on one partition's edges.

An edge array is ``[edges, 2]`` uint64. When nothing changes any more every component is a star around its smallest
node: the edges are exactly the pairs (node, root).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from beam_seed.near_dedup.lsh import Edges

NO_EDGES: Edges = np.empty((0, 2), dtype=np.uint64)


def _unique(edges: Edges) -> Edges:
    if len(edges) < 2:
        return edges
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    keep = np.ones(len(edges), dtype=bool)
    keep[1:] = (edges[1:] != edges[:-1]).any(axis=1)
    return edges[keep]


def both_ways(edges: Edges) -> Edges:
    """What large-star groups: every edge under each of its ends."""
    return np.concatenate([edges, edges[:, ::-1]])


def larger_first(edges: Edges) -> Edges:
    """What small-star groups: every edge under its larger end."""
    return np.stack([edges.max(axis=1), edges.min(axis=1)], axis=1) if len(edges) else NO_EDGES


def _minimum_by_node(edges: Edges) -> npt.NDArray[np.uint64]:
    # The edges are sorted by (node, neighbour), so that a node's first neighbour is its smallest one.
    first = np.ones(len(edges), dtype=bool)
    first[1:] = edges[1:, 0] != edges[:-1, 0]
    return edges[first, 1][np.cumsum(first) - 1]


def large_star(grouped: Edges) -> Edges:
    """For every node u, join its larger neighbours to the minimum of u and its neighbours.

    ``grouped`` holds all edges of its nodes (from :func:`both_ways`); returns edges with the larger end first.
    """
    edges = _unique(grouped)
    if not len(edges):
        return NO_EDGES
    smallest = np.minimum(_minimum_by_node(edges), edges[:, 0])
    larger = edges[:, 1] > edges[:, 0]
    return _unique(np.stack([edges[larger, 1], smallest[larger]], axis=1))


def small_star(grouped: Edges) -> Edges:
    """For every node u, join u and its smaller neighbours to the smallest of them.

    ``grouped`` holds the edges under their larger end (from :func:`larger_first`); returns edges larger end first.
    """
    edges = _unique(grouped)
    if not len(edges):
        return NO_EDGES
    smallest = _minimum_by_node(edges)
    joined = np.concatenate([np.stack([edges[:, 0], smallest], axis=1), np.stack([edges[:, 1], smallest], axis=1)])
    return _unique(joined[joined[:, 0] != joined[:, 1]])


def unfinished(grouped: Edges) -> int:
    """Nodes of a partition that are not yet leaf or root of one star; 0 everywhere means converged.

    ``grouped`` as for :func:`large_star`: in a star a leaf has one neighbour, and it is smaller; a root has only larger ones.
    """
    edges = _unique(grouped)
    if not len(edges):
        return 0
    first = np.ones(len(edges), dtype=bool)
    first[1:] = edges[1:, 0] != edges[:-1, 0]
    starts = np.flatnonzero(first)
    degree = np.diff(np.append(starts, len(edges)))
    has_smaller = np.logical_or.reduceat(edges[:, 1] < edges[:, 0], starts)
    return int((has_smaller & (degree > 1)).sum())


def roots(grouped: Edges) -> Edges:
    """``[node, root]`` of every node of a partition, once converged; ``grouped`` as for :func:`large_star`."""
    edges = _unique(grouped)
    smallest = np.minimum(_minimum_by_node(edges), edges[:, 0]) if len(edges) else edges[:, 0]
    return _unique(np.stack([edges[:, 0], smallest], axis=1))
