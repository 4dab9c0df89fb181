"""Stage 5: the verdict on every document, from what was measured. No text is read, so another threshold costs seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed.curation.datasets import DUPLICATES, FAILED, REJECTED, VERDICTS, read_table, shard_path, write_table
from beam_seed.curation.dropped import write_dropped
from beam_seed.packing import unpack_tables
from beam_seed.quality.threshold import ScoreHistogram

VARIANTS = ("file_level", "repo_level")
_KINDS = {"file_level": "file", "repo_level": "repository"}


class Rule(NamedTuple):
    """The limits the verdicts are decided by."""

    near_threshold: float  # Jaccard
    drop_lowest: float  # share
    by: str  # 'files' or 'bytes'
    per: str  # 'all' or 'language'


class Kept(NamedTuple):
    """What a shard has in one variant."""

    variant: str
    shard: int
    rows: int
    size: int  # bytes


class _Evidence:
    """Everything measured of one shard's documents, row by row."""

    def __init__(self, root: str, number: int, duplicates: Sequence[bytes]):
        documents = read_table(shard_path(root, "documents", number), ["id", "source", "repo", "path", "size"])
        self.documents = documents.to_pylist()
        self.measures = read_table(shard_path(root, "measures", number), MEASURED).to_pylist()
        self.duplicates: dict[str, dict[int, dict[str, Any]]] = {"file": {}, "repository": {}}
        for row in unpack_tables(duplicates, DUPLICATES).to_pylist():
            for index in range(row["start"], row["end"]):
                self.duplicates[row["kind"]][index] = row
        self.syntax = {row["row"]: row for row in read_table(shard_path(root, "syntax", number)).to_pylist()}
        self.quality = {row["row"]: row for row in read_table(shard_path(root, "quality", number)).to_pylist()}

    def duplicate(self, variant: str, row: int) -> dict[str, Any] | None:
        """The duplicate verdict that drops a row from a variant."""
        found = self.duplicates[_KINDS[variant]].get(row)
        return found if found is not None and found["rule"] != "kept" else None

    def cluster_size(self, variant: str, row: int) -> int:
        found = self.duplicates[_KINDS[variant]].get(row)
        return found["size"] if found is not None and found["rule"] == "kept" else 1

    def reaches_threshold_rule(self, variant: str, row: int) -> bool:
        return self.measures[row]["stage"] is None and self.duplicate(variant, row) is None and self.syntax[row]["passed"]


MEASURED = ["language", "stage", "rule", "measured", "limit", "evidence", "error"]


def score_histogram(root: str, number: int, duplicates: Sequence[bytes], rule: Rule) -> bytes:
    """Packed :class:`ScoreHistogram` of a shard's file-level survivors: the population the lowest of which are dropped."""
    evidence = _Evidence(root, number, duplicates)
    histogram = ScoreHistogram()
    groups: dict[str, list[tuple[float | None, int]]] = {}
    for row, document in enumerate(evidence.documents):
        if evidence.reaches_threshold_rule("file_level", row) and row in evidence.quality:
            weight = document["size"] if rule.by == "bytes" else 1
            groups.setdefault(_group(evidence, row, rule), []).append((evidence.quality[row]["quality"], weight))
    for group, scores in sorted(groups.items()):
        histogram.add([score for score, _ in scores], [weight for _, weight in scores], group)
    return histogram.to_bytes()


def _group(evidence: _Evidence, row: int, rule: Rule) -> str:
    return evidence.measures[row]["language"] if rule.per == "language" else ""


def decide_shard(root: str, number: int, duplicates: Sequence[bytes], thresholds: Mapping[str, float], rule: Rule) -> list[Kept]:
    """Write a shard's ``verdicts/``, ``rejected/`` and ``failed/``; returns what it has in each variant."""
    evidence = _Evidence(root, number, duplicates)
    rejected: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    verdicts = []
    for row, document in enumerate(evidence.documents):
        fates = {variant: _fate(evidence, variant, row, thresholds, rule) for variant in VARIANTS}
        told = document | {"language": evidence.measures[row]["language"]}
        for variant, fate in _joined(fates):
            if fate is not None:
                (failed if "error" in fate else rejected).append(told | fate | {"variant": variant})
        verdicts.append(_verdict(evidence, row, fates))
    write_table(shard_path(root, "verdicts", number), pa.Table.from_pylist(verdicts, schema=VERDICTS))
    name = f"verdict-{shard_path('', '', number).rpartition('/')[2].removesuffix('.parquet')}"
    write_dropped(root, name, pa.Table.from_pylist(rejected, schema=REJECTED), pa.Table.from_pylist(failed, schema=FAILED))
    return [_kept(variant, number, evidence, verdicts) for variant in VARIANTS]


def _fate(evidence: _Evidence, variant: str, row: int, thresholds: Mapping[str, float], rule: Rule) -> dict[str, Any] | None:
    """None where the document is kept in the variant, else the fields of its Rejected or Failed record."""
    measures = evidence.measures[row]
    if measures["error"] is not None:
        return {"stage": measures["stage"], "error": measures["error"]}
    if measures["stage"] is not None:
        return {name: measures[name] for name in ("stage", "rule", "measured", "limit", "evidence")}
    duplicate = evidence.duplicate(variant, row)
    if duplicate is not None:
        return _duplicate_fate(duplicate, rule.near_threshold)
    syntax = evidence.syntax[row]
    if syntax["error"] is not None:
        return {"stage": "syntax", "error": syntax["error"]}
    if not syntax["passed"]:
        return _rejection("syntax", "syntax-error", syntax["error_share"], syntax["limit"], syntax["evidence"])
    scored = evidence.quality.get(row)
    if scored is None:
        return None  # the run does not score
    if scored["error"] is not None:
        return {"stage": "quality", "error": scored["error"]}
    threshold = thresholds.get(_group(evidence, row, rule))
    if threshold is None or scored["quality"] >= threshold:
        return None
    told = json.dumps({"drop_lowest": rule.drop_lowest, "by": rule.by, "per": rule.per}, sort_keys=True)
    return _rejection("quality", "low-quality", scored["quality"], threshold, told)


def _duplicate_fate(duplicate: Mapping[str, Any], near_threshold: float) -> dict[str, Any]:
    exact = duplicate["rule"] == "exact-duplicate"
    stage, limit = ("exact_dedup", 1.0) if exact else ("near_dedup", near_threshold)
    suffix = "-repository" if duplicate["kind"] == "repository" else ""
    return _rejection(stage, duplicate["rule"] + suffix, duplicate["similarity"], limit, duplicate["evidence"])


def _rejection(stage: str, rule: str, measured: float | None, limit: float | None, evidence: str) -> dict[str, Any]:
    return {"stage": stage, "rule": rule, "measured": measured, "limit": limit, "evidence": evidence}


def _joined(fates: Mapping[str, dict[str, Any] | None]) -> list[tuple[str, dict[str, Any] | None]]:
    """One record where both variants say the same."""
    if fates["file_level"] == fates["repo_level"]:
        return [("both", fates["file_level"])]
    return list(fates.items())


def _verdict(evidence: _Evidence, row: int, fates: Mapping[str, Any]) -> dict[str, Any]:
    syntax, scored = evidence.syntax.get(row), evidence.quality.get(row)
    return {
        "id": evidence.documents[row]["id"],
        "language": evidence.measures[row]["language"],
        "file_level": fates["file_level"] is None,
        "repo_level": fates["repo_level"] is None,
        "file_cluster_size": evidence.cluster_size("file_level", row),
        "repo_cluster_size": evidence.cluster_size("repo_level", row),
        "syntax_error_share": syntax["error_share"] if syntax else None,
        "quality": scored["quality"] if scored else None,
    }


def _kept(variant: str, number: int, evidence: _Evidence, verdicts: Sequence[Mapping[str, Any]]) -> Kept:
    sizes = [document["size"] for document, verdict in zip(evidence.documents, verdicts, strict=True) if verdict[variant]]
    return Kept(variant, number, len(sizes), sum(sizes))


def kept_rows(verdicts: pa.Table, variant: str) -> Any:
    """Row numbers of a VERDICTS table that are in a variant, ascending."""
    return np.flatnonzero(verdicts[variant].to_numpy())
