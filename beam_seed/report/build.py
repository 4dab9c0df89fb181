"""A tally and the facts of a run as the dictionary that report.json holds and report.html shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from beam_seed.report.accounting import check
from beam_seed.report.job import Job
from beam_seed.report.samples import finite
from beam_seed.report.schema import (
    FORMAT,
    Cluster,
    Count,
    Facts,
    Histogram,
    LanguageRow,
    Lsh,
    Report,
    RuleCount,
    RuleSamples,
    ScoreRow,
    Section,
    Step,
)
from beam_seed.report.tally import BOTH, SAMPLES, UNIT_BINS, Key, Slice, Tally, Total

SCORE_RULE = "low-quality"  # its measurements are scores, like those of the kept documents
LANGUAGES = 12  # largest languages that get histograms of their own: three rows of four
_REASONS = 3  # reasons shown per language: the rest is in the table of rules


def build_report(tally: Tally, facts: Facts) -> Report:
    """The report of a run. Deterministic in its arguments."""
    job = facts.job
    invariants = [*check(tally, facts.read, job.variants), *facts.invariants]
    report: Report = {
        "format": FORMAT,
        "job": job.name,
        "inputs": list(facts.inputs),
        "options": {name: str(value) for name, value in sorted(facts.options.items())},
        "versions": dict(sorted(facts.versions.items())),
        "duration": facts.duration,
        "read": _count(facts.read),
        "kept": {variant: _count(tally.total(variant, "kept")) for variant in job.variants},
        "funnel": {variant: _funnel(tally, variant, facts) for variant in job.variants},
        "sizes": {variant: _sizes(tally, variant) for variant in job.variants},
        "rules": _rules(tally, job),
        "invariants": [invariant._asdict() for invariant in invariants],
        "throughput": [stage._asdict() for stage in facts.throughput],
    }
    if job.document != "file":
        report["document"] = job.document
    if job.group != "language":
        report["group"] = job.group
    if facts.sections:
        report["sections"] = [_section(section) for section in facts.sections]
    return report | _by_column(tally, facts)


def _by_column(tally: Tally, facts: Facts) -> Report:
    """What is told of columns that not every job's corpora have."""
    variants, largest = facts.job.variants, _largest_languages(tally)
    told: Report = {}  # type: ignore[typeddict-item]
    if facts.job.group in facts.job.corpus.names:
        told["languages"] = _languages(tally, variants)
        told["sizes_by_language"] = {variant: {name: _sizes(tally, variant, name) for name in largest} for variant in variants}
    if "quality" in facts.job.corpus.names:
        scored = variants if _is_scored(tally) else ()
        told["scores"] = {variant: _scores(tally, variant) for variant in scored}
        told["scores_by_language"] = {variant: {name: _scores(tally, variant, name) for name in largest} for variant in scored}
        told["score_table"] = _score_table(tally, variants[0])
    if "cluster_id" in facts.job.corpus.names:
        told["lsh"] = _near_duplicates(tally, facts.lsh) if facts.lsh else None
        told["clusters"] = {variant: _clusters(tally, variant) for variant in variants}
    return told


def _section(section: Section) -> dict[str, Any]:
    rows = [[finite(value) for value in row] for row in section.rows]
    told = {"header": list(section.header), "rows": rows, "meters": list(section.meters)}
    return section._asdict() | told | {"plots": [plot._asdict() for plot in section.plots]}


def _chosen(tally: Tally, variant: str | None = None, **wanted: str) -> list[tuple[Key, Slice]]:
    """The slices of a variant (default: all) whose key has the wanted fields."""
    return [
        (key, part)
        for key, part in tally.slices.items()
        if (variant is None or key.variant in (variant, BOTH)) and all(getattr(key, name) == value for name, value in wanted.items())
    ]


def _joined(slices: Iterable[Slice]) -> Slice:
    whole = Slice()
    for part in slices:
        whole.add(part)
    return whole


def _count(total: Total | Slice) -> Count:
    return {"files": total.files, "bytes": total.bytes}


def _rule_counts(slices: Iterable[tuple[Key, Slice]]) -> list[RuleCount]:
    sums: dict[tuple[str, str], Total] = {}
    for key, part in slices:
        sums[key.rule, key.outcome] = sums.get((key.rule, key.outcome), Total()) + part.total
    ordered = sorted(sums.items(), key=lambda item: (-item[1].files, item[0]))
    return [{"rule": rule, "outcome": outcome, "files": total.files, "bytes": total.bytes} for (rule, outcome), total in ordered]


def _stages(tally: Tally, declared: Iterable[str]) -> list[str]:
    """The declared stages, and after them those that dropped something without being declared."""
    known = list(dict.fromkeys(declared))
    return known + sorted({key.stage for key in tally.slices if key.outcome != "kept"} - set(known))


def _funnel(tally: Tally, variant: str, facts: Facts) -> list[Step]:
    steps: list[Step] = []
    left = Total(facts.read.files, facts.read.bytes)
    for stage in _stages(tally, facts.job.funnel):
        here = _chosen(tally, variant, stage=stage)
        dropped = sum((part.total for key, part in here if key.outcome == "rejected"), Total())
        failed = sum((part.total for key, part in here if key.outcome == "failed"), Total())
        left = Total(left.files - dropped.files - failed.files, left.bytes - dropped.bytes - failed.bytes)
        steps.append(
            {"stage": stage, "dropped": _count(dropped), "failed": _count(failed), "left": _count(left), "rules": _rule_counts(here)}
        )
    return steps


def _languages(tally: Tally, variants: Sequence[str]) -> list[LanguageRow]:
    rows: list[LanguageRow] = []
    for language in sorted({key.language for key in tally.slices}):
        own = _chosen(tally, language=language)
        first = [(key, part) for key, part in own if key.variant in (variants[0], BOTH)]
        kept = {v: _joined(part for key, part in own if key.variant == v and key.outcome == "kept") for v in variants}
        rows.append(
            {
                "language": language,
                "read": _count(_joined(part for _, part in first)),
                "kept": {variant: _count(part) for variant, part in kept.items()},
                "reasons": _rule_counts((key, part) for key, part in first if key.outcome != "kept")[:_REASONS],
            }
        )
    return sorted(rows, key=lambda row: (-row["read"]["bytes"], row["language"]))


def _largest_languages(tally: Tally) -> list[str]:
    """Languages with the most kept bytes."""
    sums: dict[str, int] = {}
    for key, part in tally.slices.items():
        if key.outcome == "kept" and key.language:
            sums[key.language] = sums.get(key.language, 0) + part.bytes
    return sorted(sums, key=lambda language: (-sums[language], language))[:LANGUAGES]


def _sizes(tally: Tally, variant: str, language: str | None = None) -> Histogram:
    own = _chosen(tally, variant, **({} if language is None else {"language": language}))
    kept = _joined(part for key, part in own if key.outcome == "kept").sizes
    dropped = _joined(part for key, part in own if key.outcome != "kept").sizes
    bins = sorted({*kept, *dropped})
    numbers = range(bins[0], bins[-1] + 1) if bins else range(0)
    return {
        "kind": "log2",
        "first": numbers.start,
        "kept": [kept.get(b, 0) for b in numbers],
        "dropped": [dropped.get(b, 0) for b in numbers],
    }


def _is_scored(tally: Tally) -> bool:
    return any(part.units for key, part in tally.slices.items() if key.outcome == "kept")


def _scored(tally: Tally, variant: str, language: str | None) -> tuple[Slice, Slice]:
    """Kept documents, and those dropped for their score."""
    own = _chosen(tally, variant, **({} if language is None else {"language": language}))
    return _joined(part for key, part in own if key.outcome == "kept"), _joined(part for key, part in own if key.rule == SCORE_RULE)


def _scores(tally: Tally, variant: str, language: str | None = None) -> Histogram:
    kept, dropped = _scored(tally, variant, language)
    return {"kind": "unit", "first": 0, "kept": _unit_counts(kept), "dropped": _unit_counts(dropped)}


def _unit_counts(part: Slice) -> list[int]:
    return [part.units.get(b, 0) for b in range(UNIT_BINS)]


def _score_table(tally: Tally, variant: str) -> list[ScoreRow]:
    rows: list[ScoreRow] = []
    for language in sorted({key.language for key, part in tally.slices.items() if key.outcome == "kept" and part.units}):
        kept, dropped = _scored(tally, variant, language)
        whole = _joined([kept, dropped])
        if whole.unit_mean is None or whole.lowest is None or whole.highest is None:
            continue
        rows.append(
            {
                "language": language,
                "files": whole.unit_files,
                "dropped": dropped.files,
                "mean": round(whole.unit_mean, 6),
                "lowest": whole.lowest,
                "highest": whole.highest,
                "quantiles": [_quantile(whole, share) for share in (10, 50, 90)],
                "limit": dropped.limit_high,
            }
        )
    return sorted(rows, key=lambda row: (-row["files"], row["language"]))


def _quantile(part: Slice, percent: int) -> float:
    """Middle of the bin in which the given share of the documents is reached."""
    seen = 0
    for b in sorted(part.units):
        seen += part.units[b]
        if seen * 100 >= percent * part.unit_files:
            return round((b + 0.5) / UNIT_BINS, 6)
    raise ValueError("a slice without measurements has no quantiles; expected at least one")


def _near_duplicates(tally: Tally, lsh: Lsh) -> dict[str, Any]:
    near = [(key, part) for key, part in _chosen(tally, outcome="rejected") if key.rule.startswith("near-duplicate")]
    jaccard = {
        rule: _unit_counts(_joined(part for key, part in near if key.rule == rule)) for rule in sorted({key.rule for key, _ in near})
    }
    return {**lsh._asdict(), "jaccard": jaccard}


def _clusters(tally: Tally, variant: str) -> list[Cluster]:
    clusters: list[Cluster] = []
    for held in tally.clusters.get(variant, []):
        members = [m for v in (variant, BOTH) for m in tally.members.get((v, held["cluster_id"]), [])]
        own = {name: held[name] for name in ("source", "repo", "path", "files")}
        clusters.append({"id": held["cluster_id"], "size": held["cluster_size"], **own, "bytes": held["size"], "members": members})  # type: ignore[typeddict-item]
    return clusters


def _rules(tally: Tally, job: Job) -> list[RuleSamples]:
    order = {stage: number for number, stage in enumerate(_stages(tally, job.funnel))}
    kinds = {(key.stage, key.rule, key.outcome) for key in tally.slices if key.outcome != "kept"}
    return [_rule(tally, job.variants, *kind) for kind in sorted(kinds, key=lambda kind: (order[kind[0]], kind))]


def _rule(tally: Tally, variants: Sequence[str], stage: str, rule: str, outcome: str) -> RuleSamples:
    own = _chosen(tally, stage=stage, rule=rule, outcome=outcome)
    whole = _joined(part for _, part in own)
    samples = {
        sample["id"]: sample for variant in (*variants, BOTH) for sample in tally.samples.get(Key(variant, outcome, stage, rule, ""), [])
    }
    return {
        "stage": stage,
        "rule": rule,
        "outcome": outcome,
        "counts": {variant: _count(_joined(part for key, part in own if key.variant in (variant, BOTH))) for variant in variants},
        "limit": [] if whole.limit_low is None or whole.limit_high is None else [whole.limit_low, whole.limit_high],
        "samples": [samples[key] for key in sorted(samples)[:SAMPLES]],
    }
