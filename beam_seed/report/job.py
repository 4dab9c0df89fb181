"""What a job's books, report and ``why`` must know of it: what it makes, by which steps, and what a document of it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from beam_seed.report.tally import BOTH

# Tallies are named after a variant, or after the step that left them; a variant of such a name would be taken for the step.
_TAKEN = (BOTH, "read", "verdict")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TOLD = ("name", "variants", "funnel", "document", "group", "repositories", "abbreviated")


@dataclass(frozen=True)
class Job:
    """One job. Its datasets are those of ``docs/pipeline.md``; it may lack some of them, and have columns of its own.

    ``rejected/`` and ``failed/`` have the columns of :mod:`beam_seed.curation.datasets`; a corpus needs id, source, repo, path and size.
    Of its columns, ``group``'s, ``quality`` and ``cluster_id`` (with ``cluster_size``) bring the sections of the report that show them.
    """

    name: str  # as in `beam-seed NAME`
    variants: tuple[str, ...]  # its corpora, at corpora/VARIANT; what is shown of one variant only is shown of the first
    funnel: tuple[str, ...]  # the stages that may drop documents, in order; the first is 'read' where reading may
    corpus: pa.Schema  # columns of each corpus
    categorical: tuple[str, ...] = ()  # its string columns whose values the statistics list
    document: str = "file"  # what one is called; its plural ends in s
    repositories: tuple[str, ...] = ()  # the variants in which repositories are deduplicated, each of them whole
    abbreviated: bool = False  # whether the beginning of a path, which is hex digits such as a commit's id, may stand for it
    group: str = "language"  # column of the corpora that documents are counted by, and what ``language`` holds in rejected/ and failed/
    excerpt: str = "content"  # column of documents/ whose beginning the report shows of samples

    def __post_init__(self) -> None:
        for name in self.variants:
            if not _NAME.fullmatch(name) or name in _TAKEN:
                raise ValueError(f"job {self.name}: a variant is called {name!r}; expected a-z, 0-9, _ and none of {', '.join(_TAKEN)}")
        if not self.variants or not self.funnel:
            raise ValueError(f"job {self.name} has variants {self.variants} and funnel {self.funnel}; expected at least one of each")
        if unknown := set(self.repositories) - set(self.variants):
            raise ValueError(f"job {self.name}: repositories names {sorted(unknown)}; expected some of {', '.join(self.variants)}")

    @property
    def prog(self) -> str:
        """Its command."""
        return f"beam-seed {self.name}"

    def to_json(self) -> dict[str, Any]:
        """What a reader of its datasets needs."""
        return {name: getattr(self, name) for name in _TOLD}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Job:
        """The job that ``to_json`` told, without the columns of its corpora."""
        values: dict[str, Any] = {name: tuple(told[name]) if isinstance(told[name], list) else told[name] for name in _TOLD if name in told}
        return cls(corpus=pa.schema([]), **values)
