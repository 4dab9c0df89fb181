"""What report.json holds, and the facts of a run that no dataset tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from beam_seed.report.job import Job
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


class Histogram(TypedDict):
    """Documents by bin, kept and dropped; ``first`` is the number of the first bin."""

    kind: str  # 'log2' (bin b holds [2**(b-1), 2**b) bytes), 'count' ((2**(b-1), 2**b]), 'unit' (equal bins of [0, 1], mostly 50)
    first: int
    kept: list[int]
    dropped: list[int]


class Plot(NamedTuple):
    """A histogram of a section."""

    caption: str
    data: Histogram
    limit: float | None = None  # a line at this place of [0, 1]
    noun: str = ""  # what is counted, where it is not the job's documents


class Section(NamedTuple):
    """What only one job has to show: a paragraph, histograms and a table, each of them where it is not empty."""

    title: str
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str | float | None]] = ()  # as wide as the header; numbers are aligned to the right
    plots: Sequence[Plot] = ()
    meters: Sequence[str] = ()  # columns of the header whose numbers, 0 to 1, are drawn as bars


@dataclass(frozen=True)
class Facts:
    """What the job knows beside its datasets."""

    job: Job
    read: Total  # every document found in the input, whatever became of it
    inputs: Sequence[str]
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    duration: float  # seconds
    lsh: Lsh | None = None
    throughput: Sequence[Throughput] = ()
    invariants: Sequence[Invariant] = field(default_factory=list)  # checked by the job itself, e.g. against the schemas
    sections: Sequence[Section] = ()  # of the job's own


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
    reasons: list[RuleCount]  # why most of its files were dropped (first variant), at most 3


class ScoreRow(TypedDict):
    """Scores of a language's documents in the first variant; dropped = below the quality threshold."""

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


class _Everywhere(TypedDict):
    format: str
    job: str
    inputs: list[str]
    options: dict[str, str]
    versions: dict[str, str]
    duration: float
    read: Count
    kept: dict[str, Count]
    funnel: dict[str, list[Step]]
    sizes: dict[str, Histogram]  # by variant
    rules: list[RuleSamples]
    invariants: list[dict[str, Any]]  # name, holds, detail
    throughput: list[dict[str, Any]]  # stage, seconds, files, bytes, reused


class Report(_Everywhere, total=False):
    """What report.json holds; a job whose corpora lack a column lacks what would be told of it."""

    document: str  # what one is called, where it is not 'file'
    group: str  # what ``language`` stands for here, where it is not the language
    languages: list[LanguageRow]  # this and the next with the group's column
    sizes_by_language: dict[str, dict[str, Histogram]]  # variant -> language, the 12 largest
    scores: dict[str, Histogram]  # by variant; this and the next two with the column quality
    scores_by_language: dict[str, dict[str, Histogram]]
    score_table: list[ScoreRow]
    lsh: dict[str, Any] | None  # bands, rows, threshold, jaccard: {rule: counts of 50 bins}; with cluster_id, as clusters
    clusters: dict[str, list[Cluster]]
    cost: dict[str, Any]  # see estimate.cost; of runs whose cores are known
    sections: list[dict[str, Any]]  # title, text, header, rows, plots: [caption, data, limit]; where the job has any
