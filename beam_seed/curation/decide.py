"""Stage 5: the verdict on every document, from what was measured. No text is read, so another threshold costs seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed import metrics
from beam_seed.curation.datasets import DUPLICATES, FAILED, REJECTED, VERDICTS, read_table, shard_path, write_table
from beam_seed.curation.dropped import write_dropped
from beam_seed.curation.job import GITHUB
from beam_seed.decontamination.judge import CONTAMINATED, contamination_fate
from beam_seed.packing import unpack_tables
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.report.tally import BOTH

_KINDS = {"file_level": "file", "repo_level": "repository"}


Fates = Mapping[str, dict[str, Any] | None]
"""By variant: None where the document is kept, else the fields of its Rejected or Failed record that :func:`rejection` names, or stage
and error."""


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

    def __init__(self, root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes]):
        documents = read_table(shard_path(root, "documents", number), ["id", "source", "repo", "path", "size"])
        self.documents = documents.to_pylist()
        self.measures = read_table(shard_path(root, "measures", number), MEASURED).to_pylist()
        self.duplicates: dict[str, dict[int, dict[str, Any]]] = {"file": {}, "repository": {}}
        for row in unpack_tables(duplicates, DUPLICATES).to_pylist():
            for index in range(row["start"], row["end"]):
                self.duplicates[row["kind"]][index] = row
        self.syntax = {row["row"]: row for row in read_table(shard_path(root, "syntax", number)).to_pylist()}
        self.quality = {row["row"]: row for row in read_table(shard_path(root, "quality", number)).to_pylist()}
        self.contaminated = {row["row"]: row for row in unpack_tables(contaminated, CONTAMINATED).to_pylist()}

    def duplicate(self, variant: str, row: int) -> dict[str, Any] | None:
        """The duplicate verdict that drops a row from a variant."""
        found = self.duplicates[_KINDS[variant]].get(row)
        return found if found is not None and found["rule"] != "kept" else None

    def cluster_size(self, variant: str, row: int) -> int:
        found = self.duplicates[_KINDS[variant]].get(row)
        return found["size"] if found is not None and found["rule"] == "kept" else 1

    def reaches_threshold_rule(self, variant: str, row: int) -> bool:
        if self.measures[row]["stage"] is not None or self.duplicate(variant, row) is not None:
            return False
        return self.syntax[row]["passed"] and row not in self.contaminated


MEASURED = ["language", "stage", "rule", "measured", "limit", "evidence", "error"]


def score_histogram(root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes], rule: Rule) -> bytes:
    """Packed :class:`ScoreHistogram` of a shard's file-level survivors: the population the lowest of which are dropped."""
    evidence = _Evidence(root, number, duplicates, contaminated)
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


def decide_shard(
    root: str, number: int, duplicates: Sequence[bytes], contaminated: Sequence[bytes], thresholds: Mapping[str, float], rule: Rule
) -> list[Kept]:
    """Write a shard's ``verdicts/``, ``rejected/`` and ``failed/``; returns what it has in each variant.

    duplicates, contaminated: packed DUPLICATES and CONTAMINATED of the shard.
    """
    evidence = _Evidence(root, number, duplicates, contaminated)
    documents = [
        document | {"language": measures["language"]} for document, measures in zip(evidence.documents, evidence.measures, strict=True)
    ]
    fates = [{variant: _fate(evidence, variant, row, thresholds, rule) for variant in GITHUB.variants} for row in range(len(documents))]
    verdicts = [_verdict(evidence, row, each) for row, each in enumerate(fates)]
    return write_verdicts(root, number, documents, fates, pa.Table.from_pylist(verdicts, schema=VERDICTS), GITHUB.variants)


def write_verdicts(
    root: str, number: int, documents: Sequence[Mapping[str, Any]], fates: Sequence[Fates], verdicts: pa.Table, variants: Sequence[str]
) -> list[Kept]:
    """Write a shard's ``verdicts/``, ``rejected/`` and ``failed/``; returns what it has in each of ``variants``.

    documents: id, source, repo, path, size (bytes) and language of each. fates: of each, row by row the same documents.
    verdicts: a row for each, with id, a boolean column for each variant, and whatever the corpora need; ValueError where one is missing.
    """
    if missing := {"id", *variants} - set(verdicts.column_names):
        raise ValueError(f"the verdicts lack {sorted(missing)}; found columns {verdicts.column_names}; expected id and each variant")
    rejected: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for document, own in zip(documents, fates, strict=True):
        for variant, fate in _joined(own):
            if fate is not None:
                (failed if "error" in fate else rejected).append({**document, **fate, "variant": variant})
    write_table(shard_path(root, "verdicts", number), verdicts)
    name = f"verdict-{shard_path('', '', number).rpartition('/')[2].removesuffix('.parquet')}"
    write_dropped(root, name, pa.Table.from_pylist(rejected, schema=REJECTED), pa.Table.from_pylist(failed, schema=FAILED))
    sizes = np.array([document["size"] for document in documents], np.int64)
    kept = [_kept(variant, number, sizes[kept_rows(verdicts, variant)]) for variant in variants]
    for each in kept:
        dropped = [fate for own in fates if (fate := own[each.variant]) is not None]
        rules = [fate["rule"] for fate in dropped if "error" not in fate]
        size = int(sizes.sum()), each.size
        metrics.count(f"verdicts/{each.variant}", len(documents), each.rows, rules, len(dropped) - len(rules), size)
    return kept


def _fate(evidence: _Evidence, variant: str, row: int, thresholds: Mapping[str, float], rule: Rule) -> dict[str, Any] | None:
    measured = measured_fate(evidence.measures[row])
    if measured is not None:
        return measured
    duplicate = evidence.duplicate(variant, row)
    if duplicate is not None:
        return duplicate_fate(duplicate, rule.near_threshold)
    syntax = evidence.syntax[row]
    if syntax["error"] is not None:
        return {"stage": "syntax", "error": syntax["error"]}
    if not syntax["passed"]:
        return rejection("syntax", "syntax-error", syntax["error_share"], syntax["limit"], syntax["evidence"])
    if row in evidence.contaminated:
        return contamination_fate(evidence.contaminated[row])
    told = {"drop_lowest": rule.drop_lowest, "by": rule.by, "per": rule.per}
    return quality_fate(evidence.quality.get(row), thresholds.get(_group(evidence, row, rule)), told)


def measured_fate(measures: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fate of what a row of ``measures/`` drops or fails; None where the document passed."""
    if measures["error"] is not None:
        return {"stage": measures["stage"], "error": measures["error"]}
    if measures["stage"] is not None:
        return {name: measures[name] for name in ("stage", "rule", "measured", "limit", "evidence")}
    return None


def quality_fate(scored: Mapping[str, Any] | None, threshold: float | None, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fate of what a row of QUALITY drops or fails; None where it is kept or nothing was scored. ``told``: the evidence."""
    if scored is None:
        return None
    if scored["error"] is not None:
        return {"stage": "quality", "error": scored["error"]}
    if threshold is None or scored["quality"] >= threshold:
        return None
    return rejection("quality", "low-quality", scored["quality"], threshold, json.dumps(told, sort_keys=True))


def duplicate_fate(duplicate: Mapping[str, Any], near_threshold: float) -> dict[str, Any]:
    """The fate of what a row of DUPLICATES, not a 'kept' one, drops."""
    exact = duplicate["rule"] == "exact-duplicate"
    stage, limit = ("exact_dedup", 1.0) if exact else ("near_dedup", near_threshold)
    suffix = "-repository" if duplicate["kind"] == "repository" else ""
    return rejection(stage, duplicate["rule"] + suffix, duplicate["similarity"], limit, duplicate["evidence"])


def rejection(stage: str, rule: str, measured: float | None, limit: float | None, evidence: str) -> dict[str, Any]:
    """The fate of a rejected document."""
    return {"stage": stage, "rule": rule, "measured": measured, "limit": limit, "evidence": evidence}


def _joined(fates: Fates) -> list[tuple[str, dict[str, Any] | None]]:
    """One record where several variants all say the same."""
    first, *others = fates.values()
    if others and all(other == first for other in others):
        return [(BOTH, first)]
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


def _kept(variant: str, number: int, sizes: npt.NDArray[np.int64]) -> Kept:
    return Kept(variant, number, len(sizes), int(sizes.sum()))


def kept_rows(verdicts: pa.Table, variant: str) -> Any:
    """Row numbers of a VERDICTS table that are in a variant, ascending."""
    return np.flatnonzero(verdicts[variant].to_numpy())
