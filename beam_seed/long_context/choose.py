"""Which repositories are worth a long sequence: by the mean quality of their files (Seed-Coder, section on long-context data)."""

from __future__ import annotations

from dataclasses import dataclass

from beam_seed.long_context.tables import Repository
from beam_seed.records import Failed, Rejected, document_id

STAGE = "long_context"

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
    """Why a repository is not taken; None where it is. ``threshold``: the quality below which the lowest share lies.

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
    told = " ".join(f"{type(error).__name__}: {error}".split())[:1000]
    return Failed(document_id(source, repo, ""), source, repo, "", size, "", STAGE, told)


def _rejected(repository: Repository, rule: str, measured: float | None = None, limit: float | None = None) -> Rejected:
    identity = document_id(repository.source, repository.repo, "")
    evidence = f'{{"files": {repository.files}}}'
    return Rejected(identity, repository.source, repository.repo, "", repository.size, "", STAGE, rule, measured, limit, evidence)
