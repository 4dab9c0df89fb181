"""Tables of the sources of a stage: how much they hold, and how their work is divided."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from beam_seed.draws import draws
from beam_seed.mixture.plan import solve_factors
from beam_seed.mixture.stage import Source, Stage
from beam_seed.shards.documents import read_rows, text_size
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.special_tokens import escape

# What a source's tokens are estimated from: every eighth row group is read, every eighth of its documents tokenised, 1.6 % of all.
_SAMPLED_GROUPS = 1 / 8
_SAMPLED_DOCUMENTS = 1 / 8

# Text of a task. Source code has three to four bytes a token: a task's tokens are then no more than those of a group.
_TASK_BYTES_PER_TOKEN = 2


class Table(NamedTuple):
    """One input file."""

    number: int  # of all tables of the stage
    source: str
    path: str


class Task(NamedTuple):
    """Rows [first, last) of a table: whole row groups."""

    table: Table
    first: int
    last: int


class Measured(NamedTuple):
    """What a table holds."""

    table: Table
    groups: list[tuple[int, int]]  # (rows, bytes of text as the footer tells them) of each row group
    read: tuple[int, int]  # of the row groups that were read: bytes as the footer tells them, bytes of the texts
    sampled: tuple[int, int]  # of the documents that were tokenised: bytes, tokens


class Plan(NamedTuple):
    """What every worker knows of the whole."""

    factors: dict[str, float]  # source -> copies of each document
    totals: dict[str, float]  # source -> estimated tokens, once
    groups: int  # that documents are packed in


def measure(table: Table, source: Source, tokenizer: ShardTokenizer, seed: int) -> Measured:
    """The table's row groups, and the tokens of a sample that depends on the seed and the documents alone."""
    groups = text_size(table.path, source)
    drawn = [draws(seed, "measure", table.number, number).share(0) for number in range(len(groups))]
    least = min(drawn, default=0.0)
    told, read, size, tokens, start = 0, 0, 0, 0, 0
    for (rows, held), share in zip(groups, drawn, strict=True):
        if share < _SAMPLED_GROUPS or share == least:
            told += held
            for row in read_rows(table.path, source, start, start + rows, Counter()):
                read += row.size
                if row.number == start or draws(seed, "measure", row.id).share(0) < _SAMPLED_DOCUMENTS:
                    size += row.size
                    tokens += len(tokenizer.encode([row.text if source.formatted else escape(row.text)])[0])
        start += rows
    return Measured(table, groups, (told, read), (size, tokens))


def make_plan(measured: Iterable[Measured], stage: Stage, group_tokens: int) -> Plan:
    """Factors and packing groups of a stage. Raises ValueError where a source is empty, see ``mixture.plan``."""
    sums = {name: [0] * 5 for name in stage.sources}
    for (_, source, _), groups, read, sampled in measured:
        for place, value in enumerate((sum(held for _, held in groups), *read, *sampled)):
            sums[source][place] += value
    totals = {name: _estimate(*values) for name, values in sums.items()}
    factors = solve_factors(stage, totals)
    expected = sum(factors[name] * totals[name] for name in factors)
    return Plan(factors, totals, max(1, math.ceil(expected / group_tokens)))


def _estimate(held: int, told: int, read: int, size: int, tokens: int) -> float:
    """Tokens: footers tell more or less than the texts have, and texts have more or less tokens a byte; both as in the sample."""
    return held * (read / told) * (tokens / size) if told and size else float(tokens)


def tasks(measured: Measured, group_tokens: int) -> Iterator[Task]:
    """A table's rows in parts of about as many tokens as a group has."""
    table, groups = Table(*measured[0]), measured[1]
    first = last = size = 0
    for rows, held in groups:
        last += rows
        size += held
        if size >= group_tokens * _TASK_BYTES_PER_TOKEN:
            yield Task(table, first, last)
            first, size = last, 0
    if last > first:
        yield Task(table, first, last)


def shard_range(shard: int, shards: int, sequences: int) -> tuple[int, int]:
    """Positions [first, last) of a shard: equally many each, and one fewer in the last ones where it does not come out even."""
    each, more = divmod(sequences, shards)
    first = shard * each + min(shard, more)
    return first, first + each + (shard < more)


def overlapping(counts: Sequence[int], first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """``(bucket, begin, end)``: which rows of each bucket lie at positions [first, last) of all, where buckets hold ``counts`` rows."""
    before = 0
    for bucket, count in enumerate(counts):
        begin, end = max(first - before, 0), min(last - before, count)
        if begin < end:
            yield bucket, begin, end
        before += count
        if before >= last:
            return
