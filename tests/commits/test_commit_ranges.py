"""From histories to samples without Beam: each commit one record, whatever is wrong with its history."""

from __future__ import annotations

import errno
import tarfile
from pathlib import Path

import pytest

from beam_seed.commits import ranges, sample
from beam_seed.commits.datasets import CommitSample
from beam_seed.commits.filters import RepositoryRules, Rules
from beam_seed.commits.ranges import Reading, full_name, plan_ranges, read_range
from beam_seed.commits.repository import list_histories
from beam_seed.commits.tokens import EstimatedTokens
from beam_seed.records import Failed, Rejected
from beam_seed.sources.metadata import NO_METADATA, MetadataIndex, RepoMetadata

ALL = Reading(repositories=RepositoryRules(0, 0, 0, 0), rules=Rules(merges=True, min_message=1))


def read(path: Path, reading: Reading = ALL, metadata: MetadataIndex = NO_METADATA) -> list[CommitSample | Rejected | Failed]:
    (unit,) = list_histories(str(path))
    planned = list(plan_ranges(unit, reading, metadata))
    return [item for some in planned for item in read_range(some, reading, metadata, EstimatedTokens())]


def test_every_commit_is_one_record_in_order_of_history(odd_history, git) -> None:
    records = read(odd_history.folder)
    order = git(odd_history.folder, "rev-list", "--topo-order", "--reverse", "HEAD").decode().split()
    assert [record.path for record in records] == order
    assert {type(record) for record in records} == {CommitSample, Rejected}
    assert sum(isinstance(record, CommitSample) for record in records) > 20


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_ranges_make_no_difference(odd_history, size: int) -> None:
    (unit,) = list_histories(str(odd_history.folder))
    planned = list(plan_ranges(unit, ALL._replace(range_commits=size), NO_METADATA))
    assert [some.number for some in planned] == list(range(-(-len(odd_history.ids) // size)))
    assert read(odd_history.folder, ALL._replace(range_commits=size)) == read(odd_history.folder)


def test_merges_become_samples_where_asked_for(odd_history) -> None:
    merges = [record for record in read(odd_history.folder) if isinstance(record, CommitSample) and record.merge]
    assert [record.message for record in merges] == ["An octopus", "Two histories"]
    assert merges[0].paths == "three\ntwo"
    dropped = [record for record in read(odd_history.folder, ALL._replace(rules=Rules())) if isinstance(record, Rejected)]
    assert [record.rule for record in dropped].count("merge") == 2


def test_shallow_boundaries_are_rejected(odd_history, git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=4", f"file://{odd_history.folder}", "shallow")
    rules = [(record.stage, record.rule) for record in read(tmp_path / "shallow") if isinstance(record, Rejected)]
    assert ("read", "shallow-boundary") in rules


def test_damage_costs_the_commits_it_touches(odd_history, git) -> None:
    before = read(odd_history.folder)
    for pack in (odd_history.folder / "objects" / "pack").glob("*.pack"):
        data = pack.read_bytes()
        for file in pack.parent.glob(pack.stem + ".*"):
            file.unlink()
        git(odd_history.folder, "unpack-objects", "-q", stdin=data)
    victim = git(odd_history.folder, "rev-parse", f"{odd_history.ids[1]}:a.py").decode().strip()
    (odd_history.folder / "objects" / victim[:2] / victim[2:]).unlink()
    after = read(odd_history.folder)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert {record.path for record in changed if isinstance(record, Failed)} == {record.path for record in changed}
    assert odd_history.ids[1] in {record.path for record in changed}
    assert 2 <= len(changed) <= 5, "the file's first change, what was made on top of it, and the change that moved it"


def test_a_target_that_does_not_apply_is_a_failure(odd_history, monkeypatch) -> None:
    apply_hunks = sample.apply_hunks
    monkeypatch.setattr(sample, "apply_hunks", lambda before, hunks: apply_hunks(before, hunks) + b"more")
    records = read(odd_history.folder)
    assert not any(isinstance(record, CommitSample) for record in records)
    errors = [record.error for record in records if isinstance(record, Failed)]
    assert errors
    assert all(error.startswith("RoundTripError") and "the commit has" in error for error in errors)


def test_a_target_that_cannot_be_read_back_is_a_failure(odd_history, monkeypatch) -> None:
    monkeypatch.setattr(sample, "parse_target", lambda text: ())
    assert {record.error for record in read(odd_history.folder) if isinstance(record, Failed)} == {
        "RoundTripError: the target does not tell the changes it was made of"
    }


def test_a_full_disk_stops_the_job_and_a_fault_of_the_input_does_not(odd_history, monkeypatch) -> None:
    (unit,) = list_histories(str(odd_history.folder))
    planned = list(plan_ranges(unit, ALL, NO_METADATA))

    def fail(error: Exception) -> None:
        def open_history(*_: object) -> None:
            raise error

        monkeypatch.setattr(ranges.HISTORIES, "open", open_history)

    fail(ValueError("gone since"))
    records = [record for some in planned for record in read_range(some, ALL, NO_METADATA, EstimatedTokens())]
    assert [record.path for record in records if isinstance(record, Failed) and "gone since" in record.error] == [
        planned[0].ids[start : start + 20].hex() for start in range(0, len(planned[0].ids), 20)
    ]
    fail(OSError(errno.ENOSPC, "No space left"))
    with pytest.raises(OSError, match="No space left"):
        list(read_range(planned[0], ALL, NO_METADATA, EstimatedTokens()))
    with pytest.raises(OSError, match="No space left"):
        list(plan_ranges(unit, ALL, NO_METADATA))


def test_ids_of_sha_256_are_a_clear_failure(git, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "long")
    git(tmp_path / "long", "commit", "-q", "--allow-empty", "-m", "One")
    git(tmp_path / "long", "bundle", "create", "-q", str(tmp_path / "long.bundle"), "HEAD")
    git(tmp_path, "clone", "-q", "--bare", "long", "bare.git")
    with tarfile.open(tmp_path / "long.tar", "w") as archive:
        archive.add(tmp_path / "bare.git", "bare.git")
    for name in ("long", "long.bundle", "bare.git", "long.tar"):
        (record,) = read(tmp_path / name)
        assert isinstance(record, Failed)
        assert "SHA-256, which are not read; expected SHA-1" in record.error, name


def test_a_huge_commit_is_one_rejection(new_history) -> None:
    history = new_history("huge")
    history.commit({b"README.md": b"# Numbers\n", b"a.py": b"x = 1\n"}, b"Begin the project")
    history.commit({b"%d/%d.txt" % (number % 100, number): b"%d\n" % number for number in range(10_000)}, b"Import ten thousand files")
    history.commit({b"a.py": b"".join(b"x = %d\n" % number for number in range(300_000))}, b"Import a table of numbers")
    history.commit({b"a.py": b"x = 2\n"}, b"Take the table out again")
    history.commit({b"a.py": b"x = 3\n"}, b"Correct the number of things")
    history.write()
    records = read(history.folder, ALL._replace(rules=Rules()))
    assert [getattr(record, "rule", "kept") for record in records] == ["root-commit", "too-many-files", "too-large", "too-large", "kept"]


def test_samples_inherit_what_is_known_of_the_repository(odd_history) -> None:
    known = MetadataIndex({"owner/odd": RepoMetadata("owner/odd", 7, 3, "MIT", "2020-01-01")})
    made = [record for record in read(odd_history.folder, metadata=known) if isinstance(record, CommitSample)]
    assert {(record.stars, record.forks, record.license, record.created) for record in made} == {(7, 3, "MIT", "2020-01-01")}


def test_what_metadata_drop_is_not_copied(odd_history, git, tmp_path: Path, monkeypatch) -> None:
    git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / "odd.bundle"), "main")

    def refuse(*_: object) -> None:
        raise AssertionError("a history was copied for nothing")

    monkeypatch.setattr(ranges.HISTORIES, "open", refuse)
    (unit,) = list_histories(str(tmp_path / "odd.bundle"))
    (planned,) = plan_ranges(unit, ALL._replace(repositories=RepositoryRules(100, 0, 1000, 0)), NO_METADATA)
    assert planned.violation is not None
    assert (planned.violation.rule, planned.figures) == ("few-stars", (None, None, None, None))


def test_namesakes_are_told_apart_by_their_owners_folders(odd_history, git, tmp_path: Path) -> None:
    known = MetadataIndex({f"{owner}/tool": RepoMetadata(f"{owner}/tool", stars, 1, "MIT", "") for owner, stars in (("a", 7), ("b", 8))})
    for owner in ("a", "b", "c"):
        (tmp_path / owner).mkdir()
        git(odd_history.folder, "bundle", "create", "-q", str(tmp_path / owner / "tool.bundle"), "main")
    named = [full_name(unit, known) for unit in list_histories(str(tmp_path / "*" / "tool.bundle"))]
    assert [unit.repo for unit in named] == ["a/tool", "b/tool", "tool"]
    assert [next(plan_ranges(unit, ALL, known)).figures.stars for unit in named] == [7, 8, None]


def test_samples_hold_valid_unicode_only(odd_history) -> None:
    for record in read(odd_history.folder):
        for value in record:
            if isinstance(value, str):
                value.encode()
