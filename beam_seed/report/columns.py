"""Columns of outcome tables as arrays, and rows grouped by them: everything that must not loop over rows in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_ID_DIGITS = 32  # an id is a BLAKE2b-128 in hex, see records.document_id
_PREFIX_DIGITS = 8  # 32 bits: sums of 2**31 of them fit into 64 bits

# Value of each byte as a hex digit; 255 = none.
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)

# Quotes inside JSON strings are escaped, so no repository or path can look like these keys.
_SIMILARITY = r'"similarity_to_kept": ?(?P<similarity>[0-9.eE+-]+)'
_CLUSTER = r'"cluster": ?"(?P<cluster>[^"\\]*)"'

KeyType = TypeVar("KeyType")
Column = Any  # a pa.Array; the published stubs of pyarrow lack most overloads of its compute functions


def select(table: pa.Table, dataset: str, names: Sequence[str]) -> dict[str, Column]:
    """The named columns: int64 for sizes, else string with '' for null.

    Raises ValueError where a column is missing: it lists those found.
    """
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise ValueError(
            f"a table of {dataset}/ lacks the column {missing[0]!r}; found {', '.join(table.column_names) or 'no columns'}; "
            f"expected {', '.join(names)}"
        )
    return {name: _integers(table[name]) if name.endswith("size") else _strings(table[name]) for name in names}


def _strings(column: Column) -> Column:
    return pc.fill_null(column.cast(pa.string()), "").combine_chunks()


def _integers(column: Column) -> Column:
    return pc.fill_null(column.cast(pa.int64()), 0).combine_chunks()


def floats(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """A numeric column, NaN for null; all NaN where the table has no such column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column: Column = table[name].cast(pa.float64())
    return np.asarray(pc.fill_null(column, np.nan).to_numpy()) + 0.0  # -0.0 becomes 0.0: extremes must not depend on which came first


def hex_prefixes(ids: Column) -> npt.NDArray[np.uint32]:
    """The first 32 bits of ids. Raises ValueError where one is not 32 lower-case hex digits."""
    lengths: Column = pc.binary_length(ids)
    wrong = np.flatnonzero(lengths.to_numpy(zero_copy_only=False) != _ID_DIGITS)
    if not len(wrong):
        start = int(np.frombuffer(ids.buffers()[1], np.int32)[ids.offset]) if len(ids) else 0
        text = np.frombuffer(ids.buffers()[2] or b"", np.uint8)[start : start + len(ids) * _ID_DIGITS].reshape(-1, _ID_DIGITS)
        digits = _DIGITS[text[:, :_PREFIX_DIGITS]]
        wrong = np.flatnonzero((digits > 15).any(axis=1))
    if len(wrong):
        raise ValueError(f"found id {ids[int(wrong[0])].as_py()!r}; expected 32 hex digits, see records.document_id")
    pairs = digits[:, ::2] << 4 | digits[:, 1::2]
    return np.ascontiguousarray(pairs).view(">u4").ravel().astype(np.uint32)


def size_bins(size: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bit length of each size: bin b holds [2**(b-1), 2**b), bin 0 holds 0."""
    return np.frexp(size.astype(np.float64))[1].astype(np.int64)


def evidence_clusters(evidence: Column) -> Column:
    """The cluster that evidence names, null where it names none."""
    return pc.struct_field(pc.extract_regex(evidence, _CLUSTER), "cluster")


def evidence_similarities(evidence: Column, measured: npt.NDArray[np.float64]) -> Column:
    """Similarity to the kept document: as evidence tells it of a copy of a file that was itself dropped, else as measured."""
    told: Column = pc.struct_field(pc.extract_regex(evidence, _SIMILARITY), "similarity")
    return pc.coalesce(told.cast(pa.float64()), pa.array(measured, from_pandas=True))


def is_empty(column: Column) -> Column:
    """Which strings are ''."""
    return pc.equal(column, pa.scalar(""))


@dataclass
class Groups(Generic[KeyType]):
    """Rows of one table by key: ``codes[row]`` is the position of the row's key in ``keys``."""

    codes: npt.NDArray[np.int64]
    keys: list[KeyType]

    def merged(self, rename: Callable[[KeyType], KeyType]) -> Groups[KeyType]:
        """The groups whose renamed keys are equal, as one."""
        position: dict[KeyType, int] = {}
        new = np.array([position.setdefault(rename(key), len(position)) for key in self.keys], np.int64)
        return Groups(new[self.codes], list(position))

    def count(self, **columns: npt.NDArray[np.int64]) -> list[dict[str, int]]:
        """Rows (``files``) and exact column sums of each group."""
        arrays: dict[str, Any] = {"code": self.codes, **columns}
        table = pa.table(arrays)
        sums = table.group_by("code", use_threads=False).aggregate([("code", "count"), *((name, "sum") for name in columns)])
        found: list[dict[str, int]] = [{} for _ in self.keys]
        for row in sums.to_pylist():
            found[row["code"]] = {"files": row["code_count"], **{name: row[f"{name}_sum"] for name in columns}}
        return found

    def extremes(self, values: npt.NDArray[np.float64]) -> list[tuple[float | None, float | None]]:
        """Smallest and largest number of each group; None where there is none."""
        known = np.isfinite(values)
        arrays: dict[str, Any] = {"code": self.codes[known], "value": values[known]}
        table = pa.table(arrays)
        found: list[tuple[float | None, float | None]] = [(None, None)] * len(self.keys)
        for row in table.group_by("code", use_threads=False).aggregate([("value", "min"), ("value", "max")]).to_pylist():
            found[row["code"]] = (row["value_min"], row["value_max"])
        return found

    def histogram(self, bins: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_] | None = None) -> list[dict[int, int]]:
        """Rows of each group in each bin (>= 0), of all or the chosen rows."""
        codes, bins = (self.codes, bins) if chosen is None else (self.codes[chosen], bins[chosen])
        width = int(bins.max(initial=0)) + 1
        counts = np.bincount(codes * width + bins, minlength=width * len(self.keys)).reshape(-1, width)
        return [{int(b): int(row[b]) for b in np.flatnonzero(row)} for row in counts]

    def smallest(self, prefixes: npt.NDArray[np.uint32], ids: Column, k: int) -> Iterator[tuple[KeyType, list[int]]]:
        """Each key with the rows of its ``k`` smallest ids, ascending. ``prefixes``: :func:`hex_prefixes` of ``ids``."""
        for code, key in enumerate(self.keys):
            rows = np.flatnonzero(self.codes == code)
            if len(rows) > k:
                cut = np.partition(prefixes[rows], k - 1)[k - 1]
                rows = rows[prefixes[rows] <= cut]  # k rows, and those that tie with the last in its first 32 bits
            yield key, sorted(rows.tolist(), key=lambda row: ids[row].as_py())[:k]


def group_rows(columns: Mapping[str, Column], make_key: Callable[..., KeyType]) -> Groups[KeyType]:
    """Group rows by string columns; ``make_key`` gets the columns' values by name."""
    codes = np.zeros(len(next(iter(columns.values()))), np.int64)
    vocabularies = []
    for column in columns.values():
        encoded = column.dictionary_encode()
        vocabularies.append(encoded.dictionary.to_pylist())
        codes = codes * len(vocabularies[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
    combined = pa.array(codes).dictionary_encode()
    parts = np.unravel_index(combined.dictionary.to_numpy(), [max(len(words), 1) for words in vocabularies])
    keys = [
        make_key(**{name: words[at] for name, words, at in zip(columns, vocabularies, places, strict=True)})
        for places in np.transpose(parts).tolist()
    ]
    return Groups(combined.indices.to_numpy(zero_copy_only=False).astype(np.int64), keys)
