"""The one vocabulary of the counters of all jobs. Like ``storage``, it may be used anywhere: outside of a running step it does nothing.

Counters are added once for each piece of work (a batch, a shard, a bucket), never for each row; ``docs/observability.md`` lists them.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricsFilter

from beam_seed.records import Failed, Judgement, Rejected

PREFIX = "beam_seed/"
"""A counter's namespace is this and its stage."""

NAMES = {
    "in": "items that came",
    "kept": "items that go on",
    "rejected": "items that a rule dropped",
    "failed": "items that the stage could not be run on",
    "bytes_in": "bytes of the items that came, where the stage reads text",
    "bytes_kept": "bytes of the items that go on, where the stage reads text",
    "busy_ms": "milliseconds that workers spent in the stage's own work, added up",
}
"""Counters that a stage may have. In each stage that has ``in``: in = kept + rejected + failed."""

MORE = {
    "reused": "of those kept, items whose result was known from an earlier run",
    "requests": "requests to an endpoint",
    "retries": "requests that were made again",
    "tokens_in": "tokens of prompts",
    "tokens_out": "tokens of answers",
    "cost_millionths": "money for answers, in millionths",
}
"""Further counters, of stages that score or ask."""

STAGES = {
    "documents": "reading the input: files, pages or commits",
    "measures": "language, rules, relevance, benchmarks: documents",
    "duplicates": "exact and near-duplicates: documents that passed the measures",
    "syntax": "the syntax check: documents that are still in a variant",
    "scores": "the quality model: documents, or a commit's files",
    "verdicts": "the decision on each document, by variant",
    "corpora": "rows of a corpus, by variant",
    "judge": "documents of a library filter, by its stage",
    "dedup": "rows of tables of `dedup`",
    "score": "rows of tables of `score`",
    "decontaminate": "rows of tables of `decontaminate`",
    "select": "files of `high-quality`",
    "assemble": "files of repositories of `long-context`",
    "long_files": "single files of `long-context`",
    "tokenize": "rows of sources of `shards`",
    "pack": "tokenised documents of `shards`",
    "candidates": "rows that `sample` draws from",
    "label": "files that an oracle rates",
    "remove": "rows of a corpus, or sequences of shards, of `remove`",
}
"""The stages, the first part of what follows ``beam_seed/``; a variant or a filter's name may follow."""

REASONS = {
    "duplicate": (
        "exact-duplicate exact-duplicate-repository near-duplicate near-duplicate-repository same-address repeated-address same-id copies "
        "duplicate-member"
    ),
    "quality": "low-quality no-quality",
    "syntax": "syntax-error",
    "benchmark": "benchmark-overlap",
    "size": "empty too-large long-line minified too-many-files too-many-tokens too-many-cells message-long message-short too-few-words "
    "over-long no-text too-short message-empty no-changes",
    "origin": "few-stars few-forks few-commits short-lived vendored version-control generated no-repository merge revert bot "
    "root-commit vendored-only generated-only submodule-only",
    "relevance": "no-code-tags not-code-related unsupported-language error-page mostly-links no-code message-reference "
    "not-a-notebook of-no-source",
    "format": "binary binary-only special-file invalid-json not-utf8 unsafe-path lfs-pointer damaged-text message-undecodable "
    "unusable unmeasured",
    "sampling": "not-sampled not-drawn not-asked not-selected",
    "removed": "removed",
    "other": "",
}
"""What ``rejected/REASON`` may be called, with the rules it stands for. A service holds a limited number of names, and rules are many: the
datasets have them one by one."""

_REASON_OF = {rule: reason for reason, rules in REASONS.items() for rule in rules.split()}


def count(
    stage: str,
    came: int,
    kept: int,
    rejected: Mapping[str, int] | Iterable[str] = (),
    failed: int = 0,
    size: tuple[int, int] | None = None,
    more: Mapping[str, int] | None = None,
) -> None:
    """Add one piece of work to a stage's counters.

    rejected: rules, with how many items each dropped. size: bytes of what came and of what was kept. more: some of MORE.
    Raises KeyError for a stage or a counter that is not in the vocabulary.
    """
    if stage.partition("/")[0] not in STAGES:
        raise KeyError(f"{stage!r} is no stage of the vocabulary; expected one of {', '.join(STAGES)}")
    reasons = Counter[str](rejected)
    told = {"in": came, "kept": kept, "rejected": reasons.total(), "failed": failed}
    if size is not None:
        told |= {"bytes_in": size[0], "bytes_kept": size[1]}
    for rule, items in reasons.items():
        name = f"rejected/{_REASON_OF.get(rule, 'other')}"
        told[name] = told.get(name, 0) + items
    for name, value in (more or {}).items():
        if name not in MORE:
            raise KeyError(f"{name!r} is no counter of the vocabulary; expected one of {', '.join(MORE)}")
        told[name] = value
    for name, value in told.items():
        if value or name in NAMES:
            Metrics.counter(PREFIX + stage, name).inc(int(value))


def count_judgements(stage: str, documents: Sequence[Any], judgements: Sequence[Judgement]) -> None:
    """Add judged documents to a stage's counters."""
    rejected = [judgement.rule for judgement in judgements if isinstance(judgement, Rejected)]
    failed = sum(isinstance(judgement, Failed) for judgement in judgements)
    kept = [judgement.size for judgement in judgements if not isinstance(judgement, Rejected | Failed)]
    count(stage, len(documents), len(kept), rejected, failed, (sum(document.size for document in documents), sum(kept)))


@contextlib.contextmanager
def busy(stage: str) -> Iterator[None]:
    """Count the time that the block takes as the stage's own work."""
    started = time.perf_counter()
    try:
        yield
    finally:
        Metrics.counter(PREFIX + stage, "busy_ms").inc(round((time.perf_counter() - started) * 1000))


def counters(result: Any) -> dict[str, dict[str, int]]:
    """Our own counters of a job: stage -> name -> number, sums over the steps that counted."""
    found: dict[str, dict[str, int]] = {}
    for counter in result.metrics().query(MetricsFilter())["counters"]:
        space, name = counter.key.metric.namespace, counter.key.metric.name
        if space.startswith(PREFIX):
            own = found.setdefault(space.removeprefix(PREFIX), {})
            # A portable job service tells a counter that nobody raised as None.
            own[name] = own.get(name, 0) + (counter.result or 0)
    return {stage: dict(sorted(own.items())) for stage, own in sorted(found.items())}


def unbalanced(found: Mapping[str, Mapping[str, int]]) -> str:
    """One line on the stages whose books do not close; '' where all do."""
    told = []
    for stage, own in found.items():
        came, *parts = (own.get(name, 0) for name in ("in", "kept", "rejected", "failed"))
        reasons = sum(value for name, value in own.items() if name.startswith("rejected/"))
        if came != sum(parts) or reasons != parts[1]:
            told.append(f"{stage}: {came:,} in, {parts[0]:,} kept, {parts[1]:,} rejected ({reasons:,} by reason), {parts[2]:,} failed")
    return "; ".join(told)


def add_lineage(_: Any, sources: Iterable[str], sinks: Iterable[str]) -> None:
    """Tell Beam what the job reads and writes: patterns and folders, as Dataflow's lineage shows them."""
    for path in sources:
        FileSystems.report_source_lineage(fixed(path))
    for path in sinks:
        FileSystems.report_sink_lineage(fixed(path))


def fixed(pattern: str) -> str:
    """The folder below which everything lies that a pattern matches; a path without wildcards as it is.

    >>> fixed("gs://bucket/code/*/x.parquet")
    'gs://bucket/code'
    """
    parts = pattern.split("/")
    wild = next((number for number, part in enumerate(parts) if any(mark in part for mark in "*?[")), len(parts))
    return "/".join(parts[:wild]) or "/"


def tables() -> str:
    """The vocabulary as the tables of ``docs/observability.md``."""
    names = NAMES | {"rejected/REASON": f"those rejected, by kind of rule: {', '.join(REASONS)}"} | MORE
    lines = ["| counter | counts |", "| --- | --- |", *(f"| `{name}` | {what} |" for name, what in names.items())]
    lines += ["", "| stage | what it is; its items |", "| --- | --- |", *(f"| `{name}` | {what} |" for name, what in STAGES.items())]
    return "\n".join(lines)
