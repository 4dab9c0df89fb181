"""Which repositories are worth a long sequence: by the mean quality of their files (Seed-Coder, section on long-context data)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from beam_seed.commits.tokens import TokenCounter
from beam_seed.long_context.assemble import CodeFile
from beam_seed.long_context.job import ASSEMBLY, CHOICE, LENGTH
from beam_seed.long_context.tables import Repository
from beam_seed.records import Failed, Rejected, document_id

UNSCORED = ("fail", "keep", "drop")


class UnscoredError(ValueError):
    """A repository without a single score, where scores decide."""


@dataclass(frozen=True)
class Choice:
    """Limits of a repository's mean quality: the plain mean over its files, large and small alike. Raises ValueError."""

    drop_lowest: float = 0.10
    """Share of the scored repositories, as of the files in the recipe's quality filter."""
    min_quality: float = 0.0
    unscored: str = "fail"
    """What becomes of repositories without scores, where scores decide."""

    def __post_init__(self) -> None:
        if not 0 <= self.drop_lowest < 1:
            raise ValueError(f"drop_lowest is {self.drop_lowest}; expected a share from 0 up to, not including, 1")
        if self.unscored not in UNSCORED:
            raise ValueError(f"unscored is {self.unscored!r}; expected one of {', '.join(UNSCORED)}")

    @property
    def by_quality(self) -> bool:
        return self.drop_lowest > 0 or self.min_quality > 0


def judge(repository: Repository, choice: Choice, threshold: float | None) -> Rejected | None:
    """Why a repository is not taken, path ''; None where it is. ``threshold``: the quality below which the lowest share lies.

    Raises UnscoredError.
    """
    if not repository.repo:
        return _rejected(repository, "no-repository")
    if not choice.by_quality:
        return None
    if repository.quality is None:
        if choice.unscored == "fail":
            raise UnscoredError(
                f"repository {repository.repo!r} has no file with a quality; expected scores from 0 to 1 in column 'quality'; "
                "run beam-seed score over the corpus first, or set --unscored to keep or drop, or --drop-lowest=0"
            )
        return _rejected(repository, "no-quality") if choice.unscored == "drop" else None
    limit = max(choice.min_quality, threshold or 0.0)
    return _rejected(repository, "low-quality", repository.quality, limit) if repository.quality < limit else None


def failure(repo: str, source: str, size: int, error: Exception) -> Failed:
    """The record of a repository, or a piece of one, that could not be assembled. size: bytes."""
    return Failed(document_id(source, repo, ""), source, repo, "", size, "", ASSEMBLY, told_error(error))


def told_error(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:1000]


def of_file(rejected: Rejected, file: CodeFile) -> Rejected:
    """The record of a file of a repository that is not taken."""
    size = len(file.content.encode())
    return rejected._replace(id=file.id, source=file.source, path=file.path, size=size, language=file.language)


def too_short(file: CodeFile, least: int, counter: TokenCounter) -> Rejected | None:
    """Why a single file is not long; None where it has ``least`` tokens.

    A token is a byte at least: of a file that has fewer bytes no tokens are counted, and the bytes are what is measured.
    """
    size = len(file.content.encode())
    unit, measured = ("tokens", counter.count(file.content)) if size >= least else ("bytes, of which a token has one or more", size)
    if measured >= least:
        return None
    evidence = json.dumps({"measured in": unit})
    return Rejected(*file[:4], size, file.language, LENGTH, "too-short", float(measured), float(least), evidence)


def _rejected(repository: Repository, rule: str, measured: float | None = None, limit: float | None = None) -> Rejected:
    identity = document_id(repository.source, repository.repo, "")
    evidence = json.dumps({"files of the repository": repository.files})
    return Rejected(identity, repository.source, repository.repo, "", repository.size, "", CHOICE, rule, measured, limit, evidence)
