"""Histories divided into ranges of commits, which workers read independently: one long history is no straggler.

A context depends on the snapshot before its commit alone, so a range can begin at any commit. A range costs its worker the index of one
snapshot (seconds); a history that is no repository on a local disk is copied there once by each worker that reads ranges of it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from beam_seed.commits.copies import HISTORIES
from beam_seed.commits.datasets import CommitSample
from beam_seed.commits.filters import Figures, RepositoryRules, Rules, Violation, repository_violations
from beam_seed.commits.history import CommitReader, Fault, PatchLimits, walk
from beam_seed.commits.repository import blank_record, is_copied
from beam_seed.commits.sample import SampleMaker, failed, rejected
from beam_seed.commits.sample_format import Budget
from beam_seed.commits.tokens import TokenCounter
from beam_seed.records import Failed, Rejected, document_id
from beam_seed.sources.metadata import MetadataIndex
from beam_seed.sources.repository import Limits, display, is_machine_error
from beam_seed.sources.units import Unit

_ID_BYTES = 20
_SECONDS_A_DAY = 86_400


class Range(NamedTuple):
    """Some commits of one history, or why none of it is read."""

    unit: Unit
    number: int  # in order of history; 0 also holds the repository's own record, if any
    ids: bytes  # 20 bytes each
    violation: Violation | None = None  # of the repository
    error: str = ""  # of the repository: what could not be read of it
    figures: Figures | None = None  # of the repository; None where it has no commits or cannot be read


class Reading(NamedTuple):
    """How histories are read."""

    limits: Limits = Limits()
    repositories: RepositoryRules = RepositoryRules()
    rules: Rules = Rules()
    budget: Budget = Budget()
    range_commits: int = 5_000


def full_name(unit: Unit, metadata: MetadataIndex) -> Unit:
    """The unit called OWNER/NAME, where the folder it lies in is called OWNER and the metadata know a repository of that name."""
    owner = posixpath.basename(posixpath.dirname(display(unit.path)))
    found = metadata.find(f"{owner}/{unit.repo}")
    return unit._replace(repo=found.repo) if found else unit


def plan_ranges(unit: Unit, reading: Reading, metadata: MetadataIndex) -> Iterator[Range]:
    """The ranges of one history: a walk over its commits, which reads no file. Raises only for faults of the machine.

    What would have to be copied, and is dropped for its stars or forks already, is not.
    """
    known = metadata.find(unit.repo)
    figures = Figures(known.stars if known else None, known.forks if known else None, None, None)
    found = repository_violations(figures, reading.repositories)
    if found and is_copied(unit):
        yield Range(unit, 0, b"", found[0], "", figures)
        return
    try:
        with HISTORIES.open(unit, reading.limits) as history:
            if not history.head:
                yield Range(unit, 0, b"", Violation("empty-repository"))
                return
            listed = walk(history.store, history.head)
    except Exception as error:
        if is_machine_error(error):
            raise
        yield Range(unit, 0, b"", error=f"{type(error).__name__}: {error}")
        return
    figures = figures._replace(commits=len(listed.ids) // _ID_BYTES, days=(listed.last - listed.first) / _SECONDS_A_DAY)
    found = repository_violations(figures, reading.repositories)
    if found:
        yield Range(unit, 0, b"", found[0], listed.fault, figures)
        return
    step = reading.range_commits * _ID_BYTES
    for number, start in enumerate(range(0, len(listed.ids), step)):
        yield Range(unit, number, listed.ids[start : start + step], None, "" if number else listed.fault, figures)


def read_range(some: Range, reading: Reading, metadata: MetadataIndex, counter: TokenCounter) -> Iterator[CommitSample | Rejected | Failed]:
    """The records of a range, one for each commit, and one for its repository where that was dropped or is damaged.

    Raises only for faults of the machine.
    """
    if some.violation is not None:
        yield _whole_repository(some, some.violation)
    elif some.error:
        yield _damaged_repository(some, some.error)
    if not some.ids:
        return
    done = 0
    try:
        with HISTORIES.open(some.unit, reading.limits) as history:
            known = metadata.find(some.unit.repo)
            # Lock files and the like are no part of a sample, so a patch may be longer than what is left of it.
            patches = PatchLimits(reading.rules.max_files, reading.rules.max_bytes * 4)
            reader = CommitReader(history.store, blank_record(some.unit, known), patches, history.shallow)
            maker = SampleMaker(reader.objects, reading.rules, reading.budget, counter, known.created if known else "")
            try:
                for record in reader.read(some.ids):
                    yield _faulty(some, record) if isinstance(record, Fault) else maker.make(record)
                    done += 1
            finally:
                reader.close()
    except Exception as error:
        if is_machine_error(error):
            raise
        for start in range(done * _ID_BYTES, len(some.ids), _ID_BYTES):
            yield _faulty(some, Fault(some.ids[start : start + _ID_BYTES].hex(), "", f"{type(error).__name__}: {error}"))


def _faulty(some: Range, fault: Fault) -> Rejected | Failed:
    record = blank_record(some.unit, None)._replace(id=fault.id)
    if fault.rule:
        return rejected(record, Violation(fault.rule))._replace(stage="read")
    return failed(record, fault.error)


def _whole_repository(some: Range, found: Violation) -> Rejected:
    source, repo = display(some.unit.path), some.unit.repo
    stage = "read" if found.rule == "empty-repository" else "repositories"
    return Rejected(document_id(source, repo, ""), source, repo, "", 0, "", stage, found.rule, found.measured, found.limit, found.evidence)


def _damaged_repository(some: Range, error: str) -> Failed:
    source, repo = display(some.unit.path), some.unit.repo
    return Failed(document_id(source, repo, ""), source, repo, "", 0, "", "read", " ".join(error.split())[:1000])
