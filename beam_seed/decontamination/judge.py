"""What becomes of documents that have n-grams of benchmarks: measured batch by batch, decided once it is known which are boilerplate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed.decontamination.benchmarks import find_benchmarks, read_benchmark
from beam_seed.decontamination.index import Ids, Index, Limits, build_index, counted, per_text, telling
from beam_seed.judge import Judge
from beam_seed.packing import U64
from beam_seed.records import Document, Judgement, reject

STAGE = "decontamination"
RULE = "benchmark-overlap"

NONE_COMMON: Ids = np.empty(0, dtype=np.int64)

HITS = pa.schema([("row", pa.int64()), ("repository", pa.uint64()), ("ngrams", pa.binary()), ("error", pa.string())])
"""What a table's rows have of an index: a row for each that has an n-gram (little-endian int64) or could not be searched."""

CONTAMINATED = pa.schema([("row", pa.int64()), ("measured", pa.float64()), ("evidence", pa.string()), ("error", pa.string())])
"""What is dropped of a table's rows, or failed."""


class Texts(NamedTuple):
    """Some rows of a table."""

    rows: Sequence[int]
    repositories: Sequence[str]  # that each row is of; n-grams that many have are boilerplate
    columns: Sequence[Sequence[bytes] | Sequence[memoryview]]  # of UTF-8 texts


def index_of(benchmarks: Sequence[str], limits: Limits) -> Index:
    """The index of what ``PATH[:field+field]`` name. Raises BenchmarkError."""
    return build_index((item for each in find_benchmarks(benchmarks) for item in read_benchmark(each)), limits)


def repository_hash(name: str) -> int:
    """64 bits that stand for a repository's name."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def find_hits(texts: Iterable[Texts], index: Index) -> pa.Table:
    """HITS of a table's rows."""
    told = [row for batch in texts for row in _hits(batch, index)]
    return pa.Table.from_pylist(told, schema=HITS)


def _hits(batch: Texts, index: Index) -> Iterator[dict[str, Any]]:
    try:
        found = [per_text(index.match(column)) for column in batch.columns]
        every = [np.unique(np.concatenate(own)) for own in zip(*found, strict=True)]
    except Exception as error:  # whatever it is, only the culprits fail
        if len(batch.rows) == 1:
            yield {"row": batch.rows[0], "error": f"{type(error).__name__}: {error}"}
        else:
            for at in range(len(batch.rows)):
                alone = slice(at, at + 1)
                yield from _hits(Texts(batch.rows[alone], batch.repositories[alone], [column[alone] for column in batch.columns]), index)
        return
    for row, repository, grams in zip(batch.rows, batch.repositories, every, strict=True):
        if len(grams):
            yield {"row": row, "repository": repository_hash(repository), "ngrams": grams.astype("<i8").tobytes()}


def _grams(packed: bytes | None) -> Ids:
    return np.frombuffer(packed or b"", dtype="<i8").astype(np.int64)


def boilerplate_votes(hits: pa.Table, index: Index) -> U64:
    """[rows, 2]: n-gram and repository of what may turn out to be boilerplate, for :func:`common_grams`."""
    return votes(zip(hits["repository"].to_pylist(), map(_grams, hits["ngrams"].to_pylist()), strict=True), index)


def votes(grams: Iterable[tuple[int | None, Ids]], index: Index) -> U64:
    """The same of (repository's hash, n-grams) of documents."""
    pairs = [
        np.stack([own.astype(np.uint64), np.full(len(own), repository or 0, np.uint64)], axis=1)
        for repository, own in ((repository, counted(index, each)) for repository, each in grams)
    ]
    return np.unique(np.concatenate([np.empty((0, 2), np.uint64), *pairs]), axis=0)


def decide_hits(hits: pa.Table, index: Index, common: Ids) -> pa.Table:
    """CONTAMINATED of a table's rows."""
    told = []
    for hit in hits.to_pylist():
        own = _verdict(index, _grams(hit["ngrams"]), common)
        if own or hit["error"] is not None:
            told.append({"row": hit["row"], "error": hit["error"], **own})
    return pa.Table.from_pylist(told, schema=CONTAMINATED)


def _verdict(index: Index, grams: Ids, common: Ids) -> dict[str, Any]:
    told = telling(index, grams, common)
    return {"measured": float(len(told)), "evidence": index.evidence(told)} if len(told) else {}


def contamination_fate(contaminated: Mapping[str, Any]) -> dict[str, Any]:
    """The fate of a document with this row of CONTAMINATED: the fields of its Rejected or Failed record."""
    if contaminated["error"] is not None:
        return {"stage": STAGE, "error": contaminated["error"]}
    told = {name: contaminated[name] for name in ("measured", "evidence")}
    return {"stage": STAGE, "rule": RULE, "limit": 0.0, **told}


def judge_contamination(documents: list[Document], index: Index, common: Ids = NONE_COMMON) -> list[Judgement]:
    """Reject documents that share an n-gram that is not ``common`` (ascending) with a benchmark."""
    judgements: list[Judgement] = []
    for document, grams in zip(documents, search(documents, index), strict=True):
        told = _verdict(index, grams, common)
        judgements.append(reject(document, STAGE, RULE, limit=0.0, **told) if told else document)
    return judgements


def search(documents: Sequence[Document], index: Index) -> list[Ids]:
    """The n-grams that each document has."""
    return list(per_text(index.match([document.content.encode("utf-8", "surrogatepass") for document in documents])))


def search_or_none(documents: Sequence[Document], index: Index) -> list[Ids]:
    """The same, none for a document that cannot be searched: it has no vote, and fails when it is judged."""
    try:
        return search(documents, index)
    except Exception:
        return [NONE_COMMON] if len(documents) == 1 else [own for each in documents for own in search_or_none([each], index)]


def make_judge(benchmarks: Sequence[str], limits: Limits) -> Judge:
    """A judge that reads the benchmarks where it is made; what many repositories have is not known to it, so nothing is boilerplate."""
    index = index_of(benchmarks, limits)
    judge: Callable[[list[Document]], list[Judgement]] = lambda documents: judge_contamination(documents, index)  # noqa: E731
    return judge


class Overlap(NamedTuple):
    """One line of the table of hits."""

    benchmark: str
    items: int
    looked_for: int  # items that have an n-gram to look for
    hit: int  # items that a dropped document shares an n-gram with, other than one of the benchmark's own template
    documents: int  # that were dropped for sharing one with an item


def overlaps(counts: Mapping[str, tuple[int, int]], evidence: Iterable[str]) -> list[Overlap]:
    """The table of hits, from the evidence of the dropped documents. counts: see :func:`~beam_seed.decontamination.index.item_counts`."""
    hit: dict[str, set[str]] = {name: set() for name in counts}
    documents = dict.fromkeys(counts, 0)
    for told in evidence:
        own = json.loads(told)["hits"]
        for each in own:
            if "item" in each:
                hit[each["benchmark"]].add(each["item"])
        for name in {each["benchmark"] for each in own}:
            documents[name] += 1
    return [Overlap(name, *counts[name], len(hit[name]), documents[name]) for name in sorted(counts)]
