"""The truth that deduplicators are measured against: every pair of documents with a shingle Jaccard index >= 0.7, exactly.

``python benchmarks/oracle.py DOCUMENTS TRUTH.npz`` joins the distinct contents of a Parquet table by prefix filtering
(Chaudhuri et al. 2006; Bayardo et al. 2007; the lengths are those of Xiao et al. 2011): no sketch, no band, nothing of the
product's code. ``--check=N`` compares N documents with all pairs of Python's sets instead, and writes nothing.

``evaluate`` says how well the decisions of a deduplicator agree with the truth.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from numba import njit

sys.path.insert(0, str(Path(__file__).resolve().parent))
from shingles import python_shingles, shingle_sets

Ints = npt.NDArray[np.int64]
Normalise = Callable[[bytes], bytes]
"""What is compared of a text; for the product, the text without its licence header."""


class Truth(NamedTuple):
    """All similar pairs among the distinct contents of a corpus."""

    ids: npt.NDArray[np.str_]  # [documents]
    content: Ints  # [documents] number of the distinct content of each
    shingles: Ints  # [contents] size of the set of each
    left: Ints  # [pairs] content numbers, left < right
    right: Ints
    jaccard: npt.NDArray[np.float64]  # [pairs]


class Quality(NamedTuple):
    """Decisions against truth; contents, not copies, are counted. None where there is nothing to count."""

    contents: int
    removed: int  # contents of which no document is kept
    recall_cluster: float | None  # mean over contents with a partner of the share of partners in the same cluster
    recall_not_both: float | None  # ... of the share of partners such that not both are kept
    pairs_left: int  # similar pairs of which both are kept
    precision: float | None  # share of the removed that have some similar content
    orphans: int  # removed though no kept content is similar
    evidence: float | None  # share of the removed documents whose named twin is kept and similar
    copies_left: int  # kept documents beyond the first of a content


def join(tokens: npt.NDArray[np.int64], offsets: Ints, threshold: Fraction) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
    """All pairs of sets with a Jaccard index of at least ``threshold``: (left, right, index), left < right.

    ``tokens[offsets[i]:offsets[i + 1]]`` is set ``i``, without repeats.
    """
    _, inverse, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    # The rarest first: a prefix of rare shingles finds few candidates.
    rank = np.empty(len(counts), dtype=np.int32)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts), dtype=np.int32)
    ranked = rank[inverse]
    unique = int(np.count_nonzero(counts == 1))  # ranks below this are in one set only and find nothing
    _sort_each(ranked, offsets)
    order = np.argsort(np.diff(offsets), kind="stable")
    left, right, jaccard = _join(ranked, offsets, order, len(counts), unique, threshold.numerator, threshold.denominator)
    swap = left > right
    left, right = np.where(swap, right, left), np.where(swap, left, right)
    by = np.lexsort((right, left))
    return left[by], right[by], jaccard[by]


@njit
def _sort_each(values, offsets):  # type: ignore[no-untyped-def]
    for index in range(len(offsets) - 1):
        values[offsets[index] : offsets[index + 1]].sort()


@njit
def _ceil_div(value, by):  # type: ignore[no-untyped-def]
    return -(-value // by)


@njit
def _overlap(left, right, needed):  # type: ignore[no-untyped-def]
    """Size of the intersection of two sorted arrays, or -1 as soon as it cannot reach ``needed``."""
    i = j = common = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            common += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
        if common + min(len(left) - i, len(right) - j) < needed:
            return -1
    return common


@njit
def _join(ranked, offsets, order, kinds, unique, numerator, denominator):  # type: ignore[no-untyped-def]
    lengths = np.zeros(kinds + 1, dtype=np.int64)
    for index in range(len(order)):
        size = offsets[index + 1] - offsets[index]
        for at in range(size - _ceil_div(2 * numerator * size, numerator + denominator) + 1 if size else 0):
            lengths[ranked[offsets[index] + at] + 1] += 1
    starts = np.cumsum(lengths)
    ends = starts[:-1].copy()
    heads = starts[:-1].copy()
    posted = np.empty(starts[-1], dtype=np.int32)
    seen = np.full(len(order), -1, dtype=np.int64)
    candidates = np.empty(len(order), dtype=np.int64)
    left, right, jaccard = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)], [0.0 for _ in range(0)]
    for index in order:
        whole = ranked[offsets[index] : offsets[index + 1]]
        size = len(whole)
        if size == 0:
            continue
        smallest = _ceil_div(numerator * size, denominator)
        found = 0
        for at in range(size - smallest + 1):
            token = whole[at]
            if token < unique:
                continue
            while heads[token] < ends[token]:
                other = posted[heads[token]]
                if offsets[other + 1] - offsets[other] >= smallest:
                    break
                heads[token] += 1  # too small for this set and for all that follow
            for place in range(heads[token], ends[token]):
                other = posted[place]
                if seen[other] != index:
                    seen[other] = index
                    candidates[found] = other
                    found += 1
        for other in candidates[:found]:
            against = ranked[offsets[other] : offsets[other + 1]]
            total = size + len(against)
            common = _overlap(whole, against, _ceil_div(numerator * total, numerator + denominator))
            if common >= 0 and common * denominator >= (total - common) * numerator:
                left.append(np.int64(index))
                right.append(other)
                jaccard.append(common / (total - common))
        for at in range(size - _ceil_div(2 * numerator * size, numerator + denominator) + 1):
            posted[ends[whole[at]]] = index
            ends[whole[at]] += 1
    return np.array(left), np.array(right), np.array(jaccard)


def find_truth(folder: Path, normalise: Normalise = bytes, threshold: Fraction = Fraction(7, 10)) -> Truth:
    """Reads the documents of ``folder`` (columns id, content) and joins their distinct contents."""
    table = pq.read_table(folder, columns=["id", "content"])
    numbers: dict[bytes, int] = {}
    texts, content = [], []
    for text in table["content"].to_pylist():
        data = text.encode("utf-8", "surrogatepass")
        number = numbers.setdefault(hashlib.sha256(data).digest(), len(numbers))
        if number == len(texts):
            texts.append(normalise(data))
        content.append(number)
    tokens, offsets = shingle_sets(texts)
    left, right, jaccard = join(tokens.view(np.int64), offsets, threshold)
    return Truth(np.array(table["id"].to_pylist()), np.array(content), np.diff(offsets), left, right, jaccard)


def save(truth: Truth, path: Path) -> None:
    np.savez_compressed(path, **truth._asdict())


def load(path: Path) -> Truth:
    with np.load(path) as arrays:
        return Truth(*(arrays[name] for name in Truth._fields))


def evaluate(truth: Truth, removed: Mapping[str, str | None], clusters: Mapping[str, str]) -> Quality:
    """How well decisions agree with the truth.

    removed: id of each removed document, and the id of the kept one it is said to duplicate (None: not said).
    clusters: cluster of each document that is in one; a document that is not named is a cluster of its own.
    """
    number_of = dict(zip(truth.ids.tolist(), truth.content.tolist(), strict=True))
    count = len(truth.shingles)
    kept_documents = Counter(number_of[name] for name in number_of if name not in removed)
    kept = np.zeros(count, dtype=bool)
    kept[list(kept_documents)] = True
    label: list[str] = [""] * count
    for name, number in reversed(number_of.items()):
        label[number] = clusters.get(name, name)
    labels = np.unique(label, return_inverse=True)[1]

    partners = np.bincount(truth.left, minlength=count) + np.bincount(truth.right, minlength=count)
    kept_partners = np.bincount(truth.left, kept[truth.right], count) + np.bincount(truth.right, kept[truth.left], count)
    has_partner = partners > 0
    gone = ~kept
    similar = set(zip(truth.left.tolist(), truth.right.tolist(), strict=True))
    named = [(number_of[name], number_of[twin], twin) for name, twin in removed.items() if twin is not None]
    right_named = sum(twin not in removed and (a == b or (min(a, b), max(a, b)) in similar) for a, b, twin in named)

    def recall(good: npt.NDArray[np.bool_]) -> float | None:
        found = np.bincount(truth.left, good, count) + np.bincount(truth.right, good, count)
        return float(np.mean(found[has_partner] / partners[has_partner])) if has_partner.any() else None

    both_kept = kept[truth.left] & kept[truth.right]
    return Quality(
        contents=count,
        removed=int(gone.sum()),
        recall_cluster=recall(labels[truth.left] == labels[truth.right]),
        recall_not_both=recall(~both_kept),
        pairs_left=int(both_kept.sum()),
        precision=float(np.mean(has_partner[gone])) if gone.any() else None,
        orphans=int(np.sum(gone & (kept_partners == 0))),
        evidence=right_named / len(named) if named else None,
        copies_left=sum(kept_documents.values()) - len(kept_documents),
    )


def check(folder: Path, documents: int) -> int:
    """Compares the join with all pairs of Python's sets on a sample rich in duplicates; the number of differences."""
    table = pq.read_table(folder, columns=["id", "path", "content"])
    # Documents of one name are likely to resemble each other.
    rows = sorted(table.to_pylist(), key=lambda row: (row["path"].rsplit("/", 1)[-1], row["id"]))
    start = (len(rows) - documents) // 2
    texts = sorted({row["content"] for row in rows[start : start + documents]})
    sets = [python_shingles(text) for text in texts]
    expected = {}
    for right, one in enumerate(sets):
        for left, other in enumerate(sets[:right]):
            common = len(one & other)
            if common and Fraction(common, len(one) + len(other) - common) >= Fraction(7, 10):
                expected[left, right] = common / (len(one) + len(other) - common)
    tokens, offsets = shingle_sets([text.encode() for text in texts])
    left, right, jaccard = (array.tolist() for array in join(tokens.view(np.int64), offsets, Fraction(7, 10)))
    found = {(i, j): index for i, j, index in zip(left, right, jaccard, strict=True)}
    sizes = sum(size != len(each) for size, each in zip(np.diff(offsets).tolist(), sets, strict=True))
    wrong = sizes + sum(expected.get(pair) != found.get(pair) for pair in expected.keys() | found.keys())
    print(f"{len(texts)} contents: {len(expected)} pairs by Python sets, {len(found)} by the join, {wrong} differences")
    return wrong


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("documents", type=Path)
    parser.add_argument("truth", type=Path, nargs="?")
    parser.add_argument("--normalise", type=_function, default=bytes, metavar="MODULE:FUNCTION", help="bytes -> bytes, what is compared")
    parser.add_argument("--threshold", type=Fraction, default=Fraction(7, 10))
    parser.add_argument("--check", type=int, metavar="N")
    options = parser.parse_args()
    if options.check:
        return 1 if check(options.documents, options.check) else 0
    if options.truth is None:
        parser.error("TRUTH.npz is missing: where the pairs are written")
    started = time.monotonic()
    truth = find_truth(options.documents, options.normalise, options.threshold)
    save(truth, options.truth)
    touched = np.zeros(len(truth.shingles), dtype=bool)
    touched[truth.left] = touched[truth.right] = True
    above = {limit: int(np.sum(truth.jaccard >= limit)) for limit in (0.7, 0.8, 0.85, 0.9, 0.95, 1.0)}
    print(
        f"{len(truth.ids)} documents, {len(truth.shingles)} contents, {truth.shingles.sum() / 1e6:.1f} M shingles; "
        f"pairs {above}; {touched.sum()} contents in a pair; {time.monotonic() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
