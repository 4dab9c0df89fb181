"""The limit to failures: a job in which too many documents fail must not succeed silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam

FEW = 20
"""Failed documents that no share of a job's input forbids: of a hundred files, six broken ones are no sign of a broken job."""

MAX_SHARE = 0.05
"""Default of ``max_failed_share``. Of 66,156 files of real packages none failed; a broken model or parser fails on most."""

Notes = tuple[int, int, str]
"""Documents, those of them that failed, and one error ('' where none failed)."""


def check_share(share: float) -> None:
    """Raise ValueError where ``share`` is no limit to failures."""
    if not 0 <= share <= 1:
        raise ValueError(f"max_failed_share is {share}; expected a share in 0 <= max_failed_share <= 1")


def too_many(documents: int, failed: int, limit: float) -> bool:
    """Whether more than FEW documents of a job, and more than the share ``limit`` of them, failed."""
    return failed > max(FEW, limit * documents)


def check_failed(documents: int, failed: int, limit: float, folder: str) -> None:
    """Raise RuntimeError where too many documents of a job failed. folder: where their errors lie."""
    if too_many(documents, failed, limit):
        raise RuntimeError(
            f"{failed:,} of {documents:,} documents failed; expected at most the share {limit} (max_failed_share); "
            f"their errors are in {folder}; remove the cause, or raise the limit, and start the job again"
        )


def limit_failures(succeeded: Any, failed: Any, limit: float, done: str, others: Sequence[Any] = (), where: str = "") -> Any:
    """Fail the job where more than the share ``limit`` of all elements are in ``failed``: pairs of a key and a record with an ``error``.

    done: what could not be done, for the message, such as 'scored'. others: PCollections of how many more did not fail. where: all failed
    records, for the message. Returns a PCollection of one element, for a side input of what must not be done where the limit is broken:
    a runner may do it first.
    """
    notes = (
        succeeded | "Note successes" >> beam.Map(lambda _: (1, 0, "")),
        failed | "Note failures" >> beam.Map(lambda keyed: (1, 1, keyed[1].error)),
        *(counts | f"Note others {number}" >> beam.Map(lambda count: (count, 0, "")) for number, counts in enumerate(others)),
    )
    total = notes | "Flatten notes" >> beam.Flatten() | "Count failures" >> beam.CombineGlobally(sum_notes)
    return total | "Limit failures" >> beam.Map(check_failures, limit, done, where)


def sum_notes(notes: Iterable[Notes]) -> Notes:
    """Documents, failures, and the alphabetically first error, so that the message does not depend on the order."""
    documents, failures, first = 0, 0, ""
    for count, failed, error in notes:
        documents, failures, first = documents + count, failures + failed, min(filter(None, (first, error)), default="")
    return documents, failures, first


def check_failures(counts: Notes, limit: float, done: str, where: str = "") -> None:
    """Raise RuntimeError where more than the share ``limit`` failed. where: all of them, for the message."""
    documents, failures, error = counts
    if failures > limit * documents:
        told = f"{failures} of {documents} documents could not be {done}; expected at most the share {limit}. One error: {error}"
        raise RuntimeError(told + (f"; all are in {where}" if where else ""))
