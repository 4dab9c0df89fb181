"""What report.json holds, and the facts of a run that no dataset tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from beam_seed.report.tally import Total

FORMAT = "beam_seed.report/1"


class Invariant(NamedTuple):
    """A sentence that must be true of every run."""

    name: str
    holds: bool
    detail: str  # the numbers it was decided on


class Lsh(NamedTuple):
    """Parameters of the near-duplicate search: documents are candidates that agree on all rows of at least one band."""

    bands: int
    rows: int
    threshold: float  # Jaccard from which a document counts as a duplicate of a kept one


class Throughput(NamedTuple):
    """What one stage took."""

    stage: str
    seconds: float  # wall
    files: int
    bytes: int
    reused: bool = False  # finished in an earlier run


@dataclass(frozen=True)
class Facts:
    """What the job knows beside its datasets."""

    job: str  # e.g. 'github'
    read: Total  # every document found in the input, whatever became of it
    stages: Sequence[str]  # that may drop documents, in order; the first is 'read'
    inputs: Sequence[str]
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    duration: float  # seconds
    lsh: Lsh | None = None
    throughput: Sequence[Throughput] = ()
    invariants: Sequence[Invariant] = field(default_factory=list)  # checked by the job itself, e.g. against the schemas


class Count(TypedDict):
    files: int
    bytes: int


class RuleCount(TypedDict):
    rule: str
    outcome: str  # 'rejected' or 'failed'
    files: int
    bytes: int


class Step(TypedDict):
    """One stage of a variant: what it dropped and what was left after it."""

    stage: str
    dropped: Count  # rejected
    failed: Count
    left: Count
    rules: list[RuleCount]  # most files first


class LanguageRow(TypedDict):
    language: str  # '' = not detected
    read: Count  # with a known language at the point where it was dropped or kept
    kept: dict[str, Count]  # by variant
    reasons: list[RuleCount]  # why most of its files were dropped (file level), at most 3


class Histogram(TypedDict):
    """Files by bin, kept and dropped; ``lowest`` is the left edge of the first bin."""

    kind: str  # 'log2' (bin b holds [2**(b-1), 2**b) bytes) or 'unit' (50 equal bins of [0, 1])
    first: int  # number of the first bin
    kept: list[int]
    dropped: list[int]


class ScoreRow(TypedDict):
    """Scores of a language's documents at file level; dropped = below the quality threshold."""

    language: str
    files: int
    dropped: int
    mean: float
    lowest: float
    highest: float
    quantiles: list[float]  # 10, 50, 90 %; the middle of a bin, so exact to 0.01
    limit: float | None  # None where nothing was dropped


class Cluster(TypedDict):
    id: str
    size: int  # documents or repositories it stands for, itself included
    source: str
    repo: str
    path: str  # '' for a repository
    files: int
    bytes: int
    members: list[dict[str, Any]]  # source, repo, path, rule, measured, files, size


class RuleSamples(TypedDict):
    stage: str
    rule: str
    outcome: str
    counts: dict[str, Count]  # by variant
    limit: list[float]  # smallest and largest limit; empty where the rule has none
    samples: list[dict[str, Any]]  # source, repo, path, language, size, measured, limit, evidence or error, excerpt


class Report(TypedDict):
    format: str
    job: str
    inputs: list[str]
    options: dict[str, str]
    versions: dict[str, str]
    duration: float
    read: Count
    kept: dict[str, Count]
    funnel: dict[str, list[Step]]
    languages: list[LanguageRow]
    sizes: dict[str, Histogram]  # by variant
    sizes_by_language: dict[str, dict[str, Histogram]]  # variant -> language, the 12 largest
    scores: dict[str, Histogram]
    scores_by_language: dict[str, dict[str, Histogram]]
    score_table: list[ScoreRow]
    lsh: dict[str, Any] | None  # bands, rows, threshold, jaccard: {rule: counts of 50 bins}
    clusters: dict[str, list[Cluster]]
    rules: list[RuleSamples]
    invariants: list[dict[str, Any]]  # name, holds, detail
    throughput: list[dict[str, Any]]  # stage, seconds, files, bytes, reused
