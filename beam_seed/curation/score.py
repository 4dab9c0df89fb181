"""Stage 4: syntax and quality of what deduplication left. A crash of the native parser costs only its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed import metrics
from beam_seed.curation.datasets import DUPLICATES, SYNTAX, read_documents, read_table, shard_path, write_table
from beam_seed.curation.duplicates import dropped_rows
from beam_seed.packing import unpack_tables
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat
from beam_seed.records import Document, Failed
from beam_seed.syntax.check import RULE, check_batch, evidence
from beam_seed.syntax.isolation import ParserProcess
from beam_seed.syntax.limits import limit_of
from beam_seed.syntax.measure import SyntaxMeasure

# Copies of one file in several repositories are parsed once by a worker; an entry is about 300 bytes.
_REMEMBERED = 65_536


class ScoredRow(NamedTuple):
    """Quality of one document of a shard."""

    row: int
    quality: float | None
    error: str | None


def rows_in_a_variant(root: str, number: int, duplicates: Sequence[bytes]) -> Any:
    """Rows that passed the rules and are still in at least one variant: int64, ascending."""
    measures = read_table(shard_path(root, "measures", number), ["stage"])
    passed = np.flatnonzero(measures["stage"].is_null().to_numpy())
    table = unpack_tables(duplicates, DUPLICATES)
    gone = np.intersect1d(dropped_rows(table, "file"), dropped_rows(table, "repository"), assume_unique=True)
    return np.setdiff1d(passed, gone, assume_unique=True)


def wanted_scores(root: str, number: int, duplicates: Sequence[bytes], form: InputFormat) -> pa.Table:
    """WANTED (see :mod:`beam_seed.quality.cache`) of the documents of a shard that may have to be scored."""
    rows = pa.array(rows_in_a_variant(root, number, duplicates))
    measures = read_table(shard_path(root, "measures", number), ["digest", "language"]).take(rows)
    paths = read_table(shard_path(root, "documents", number), ["path"]).take(rows)["path"].to_pylist()
    return cache.wanted(number, rows.to_pylist(), measures["digest"].to_pylist(), measures["language"].to_pylist(), paths, form)


class SyntaxChecker:
    """Checks shards, one parser process and one memory of known contents for all of them."""

    def __init__(self) -> None:
        self._process = ParserProcess()
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def close(self) -> None:
        self._process.close()

    def check_shard(self, root: str, number: int, duplicates: Sequence[bytes]) -> Iterator[tuple[int, Document]]:
        """Write the shard's ``syntax/``; yields (row, document) of what passed, languages filled in."""
        rows = rows_in_a_variant(root, number, duplicates)
        languages = read_table(shard_path(root, "measures", number), ["language"])["language"].to_pylist()
        results: list[dict[str, Any]] = []
        for start, documents in read_documents(shard_path(root, "documents", number), rows.tolist()):
            here = rows[(rows >= start) & (rows < start + len(documents))].tolist()
            batch = [documents[row - start]._replace(language=languages[row]) for row in here]
            with metrics.busy("syntax"):
                checked = self._check(batch)
            _count_checked(batch, checked)
            for row, document, told in zip(here, batch, checked, strict=True):
                results.append({"row": row, **told})
                if told["passed"]:
                    yield row, document
        write_table(shard_path(root, "syntax", number), pa.Table.from_pylist(results, schema=SYNTAX))

    def _check(self, documents: list[Document]) -> list[dict[str, Any]]:
        keys = [(document.sha256, document.language) for document in documents]
        fresh = {key: document for key, document in zip(keys, documents, strict=True) if key not in self._known}
        measured = check_batch(list(fresh.values()), self._process)
        told = {key: _told(document, each) for (key, document), each in zip(fresh.items(), measured, strict=True)}
        results = [told[key] if key in told else self._known[key] for key in keys]
        if len(self._known) + len(told) > _REMEMBERED:
            self._known.clear()
        self._known.update(told)
        return results


def _count_checked(documents: Sequence[Document], checked: Sequence[dict[str, Any]]) -> None:
    passed = [document.size for document, told in zip(documents, checked, strict=True) if told["passed"]]
    failed = sum(told["error"] is not None for told in checked)
    rejected = {RULE: sum(told["error"] is None and not told["passed"] for told in checked)}
    metrics.count("syntax", len(documents), len(passed), rejected, failed, (sum(each.size for each in documents), sum(passed)))


def _told(document: Document, measured: SyntaxMeasure | Failed) -> dict[str, Any]:
    if isinstance(measured, Failed):
        return {"passed": False, "error_share": None, "limit": None, "evidence": "{}", "error": measured.error}
    limit = limit_of(document.language)
    passed = measured.error_share is None or limit is None or measured.error_share <= limit
    return {"passed": passed, "error_share": measured.error_share, "limit": limit, "evidence": evidence(measured), "error": None}
