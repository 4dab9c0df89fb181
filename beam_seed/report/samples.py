"""Small records picked from many: bottom-k samples by id, and the largest clusters.

Ids are digests, so the k smallest are a uniform sample, the same for every order and partition of the rows; a record that is
among the k smallest of all was never crowded out of a part, so what is summed per record is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

Record = dict[str, Any]  # JSON values


def record(table: pa.Table, row: int, names: Sequence[str]) -> Record:
    """The named columns of one row; those that the table lacks are left out."""
    return {name: finite(table[name][row].as_py()) for name in names if name in table.column_names}


def finite(value: Any) -> Any:
    """``value``; None in place of a float that JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def smallest(records: Iterable[Record], k: int) -> list[Record]:
    """The k records with the smallest ids, ascending; records of one id are joined (their ``files`` and ``size`` added)."""
    joined = _joined(records, "id")
    return [joined[key] for key in sorted(joined)[:k]]


def largest(clusters: Iterable[Record], k: int) -> list[Record]:
    """The k clusters with the most documents, ties by id; records of one cluster are joined (``files`` and ``size`` added)."""
    joined = _joined(clusters, "cluster_id")
    return sorted(joined.values(), key=lambda each: (-each["cluster_size"], each["cluster_id"]))[:k]


def _joined(records: Iterable[Record], name: str) -> dict[str, Record]:
    joined: dict[str, Record] = {}
    for each in records:
        held = joined.get(each[name])
        joined[each[name]] = each if held is None else _sum(held, each)
    return joined


def _sum(one: Record, other: Record) -> Record:
    """Two records of one id. Those that say how many files they stand for are partial sums; a sample is the same wherever it was found."""
    first = min(one, other, key=lambda each: [each.get(name) or "" for name in ("source", "repo", "path", "rule")])
    if "files" not in first:
        return first
    measured = [value for value in (one.get("measured"), other.get("measured")) if value is not None]
    sums = {name: one[name] + other[name] for name in ("files", "size")}
    return first | sums | ({"measured": max(measured)} if measured else {})
