"""Draws: of each kind so many files of the whole corpus, those of the lowest seeded digest, whichever worker saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed.high_quality.measure import TRAINING
from beam_seed.high_quality.roles import BARE, FOUND, KINDS, LOW, RANDOM, SEED
from beam_seed.high_quality.sources import Source
from beam_seed.packing import U64, split_by

ROW_BITS = 32

HELD_OUT_SIZE = 20_000
"""Files of each kind in each held-out part: a share among so many is known to better than half a per cent."""

DRAWN = pa.schema([("source", pa.int8()), ("kind", pa.int8()), ("fold", pa.int8()), ("draw", pa.uint64()), ("row", pa.int64())])
"""Files of one table that a round learns or is tested on; source: its number."""

Group = tuple[int, int, int]  # source, kind, fold


class Draws(NamedTuple):
    """Of each group how many files there are, and the lowest (draw, address) of them, uint64 ``[files, 2]``, ascending."""

    counts: dict[Group, int]
    lowest: dict[Group, U64]

    def add(self, group: Group, count: int, files: U64, limit: int) -> None:
        """Count ``count`` files and keep the ``limit`` lowest of ``files`` and those kept before."""
        together = np.concatenate([self.lowest[group], files]) if group in self.lowest else files
        order = np.lexsort((together[:, 1], together[:, 0]))[:limit]
        self.counts[group] = self.counts.get(group, 0) + count
        self.lowest[group] = together[order]


def merge(parts: Iterable[Draws], sources: Sequence[Source]) -> Draws:
    """The draws of several parts of a corpus together."""
    whole = Draws({}, {})
    for part in parts:
        for group, count in part.counts.items():
            whole.add(group, count, part.lowest[group], limit_of(sources[group[0]], group))
    return whole


def limit_of(source: Source, group: Group) -> int:
    """The most files of a group that a round may need."""
    _, kind, fold = group
    if fold != TRAINING:
        return HELD_OUT_SIZE
    found = int(source.found_per_seed * source.seed_size)
    if kind in (SEED, FOUND):
        return source.seed_size if kind == SEED else found
    return round(_ratio(source, kind) * (source.seed_size + found))


def _ratio(source: Source, kind: int) -> float:
    return {LOW: source.negatives.low, BARE: source.negatives.bare, RANDOM: source.negatives.random}[kind]


class Plan(NamedTuple):
    """What a round learns of one source."""

    drawn: dict[str, int]  # kind -> files of the training part
    counts: dict[str, list[int]]  # kind -> files there are in the training, validation and test part


def settle(draws: Draws, sources: Sequence[Source]) -> tuple[dict[int, list[pa.Table]], list[Plan]]:
    """Table number -> DRAWN of its files; and the plan of each source. Found files and negatives are cut to their ratios."""
    parts: dict[int, list[pa.Table]] = {}
    plans = []
    for number, source in enumerate(sources):
        sizes = _sizes(source, {kind: len(draws.lowest.get((number, kind, TRAINING), ())) for kind in range(len(KINDS))})
        counts = {name: [draws.counts.get((number, kind, fold), 0) for fold in range(3)] for kind, name in enumerate(KINDS)}
        plans.append(Plan({KINDS[kind]: size for kind, size in sizes.items()}, counts))
        for group, files in draws.lowest.items():
            if group[0] == number:
                _divide(group, files[: sizes[group[1]]] if group[2] == TRAINING else files, parts)
    return parts, plans


def _sizes(source: Source, there: Mapping[int, int]) -> dict[int, int]:
    found = min(there[FOUND], int(source.found_per_seed * there[SEED]))
    positives = there[SEED] + found
    negatives = {kind: min(there[kind], round(_ratio(source, kind) * positives)) for kind in (LOW, BARE, RANDOM)}
    return {SEED: there[SEED], FOUND: found, **negatives}


def _divide(group: Group, files: U64, parts: dict[int, list[pa.Table]]) -> None:
    for table, positions in split_by(files[:, 1] >> np.uint64(ROW_BITS)):
        own = files[positions]
        constants = [np.full(len(own), value, np.int8) for value in group]
        rows = (own[:, 1] & np.uint64((1 << ROW_BITS) - 1)).astype(np.int64)
        parts.setdefault(table, []).append(pa.table([*constants, own[:, 0], rows], schema=DRAWN))


def addresses(table: int, rows: Iterator[int] | Sequence[int] | np.ndarray) -> U64:
    """Addresses of the rows of a table."""
    return np.asarray(rows, np.uint64) | np.uint64(table << ROW_BITS)
