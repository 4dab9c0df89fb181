"""Reading histories that are broken, cut, grafted, huge or empty: records or faults, never an exception."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_seed.commits import git as git_module
from beam_seed.commits.history import CommitReader, Fault, PatchLimits, Walk, walk
from beam_seed.commits.records import CommitRecord, ObjectError
from beam_seed.commits.repository import blank_record, list_histories, open_history
from beam_seed.sources.repository import Limits


def read(path: Path, limits: PatchLimits | None = None) -> tuple[Walk, list[CommitRecord | Fault]]:
    """Every record of one history."""
    (unit,) = list_histories(str(path))
    with open_history(unit, Limits()) as history:
        listed = walk(history.store, history.head)
        reader = CommitReader(history.store, blank_record(unit, None), limits, history.shallow)
        records = list(reader.read(listed.ids))
        reader.close()
    return listed, records


def faults(records: list[CommitRecord | Fault]) -> dict[str, Fault]:
    return {record.id: record for record in records if isinstance(record, Fault)}


def loose(folder: Path, oid: str) -> Path:
    return folder / "objects" / oid[:2] / oid[2:]


def unpack(git: Callable[..., bytes], folder: Path) -> None:
    """Make every object a file of its own."""
    for pack in (folder / "objects" / "pack").glob("*.pack"):
        data = pack.read_bytes()
        for file in (folder / "objects" / "pack").glob(pack.stem + ".*"):
            file.unlink()
        git(folder, "unpack-objects", "-q", stdin=data)


@pytest.fixture
def plain(new_history, git) -> tuple[Path, list[str]]:
    """Five commits in loose objects, and their ids."""
    history = new_history("plain")
    for number in range(5):
        history.commit({b"a.py": b"line\n" * 5 + b"%d\n" % number})
    folder = history.write()
    unpack(git, folder)
    return folder, history.ids


def test_parents_come_first_and_times_are_told(odd_history) -> None:
    listed, records = read(odd_history.folder)
    known: set[str] = set()
    for record in records:
        assert isinstance(record, CommitRecord)
        assert known.issuperset(record.parents)
        known.add(record.id)
    assert (listed.first, listed.last) == (min(record.commit_time for record in records), max(record.commit_time for record in records))
    assert {record.commit_offset for record in records} == {330}
    assert listed.merges == 2
    assert not listed.fault


def test_octopus_is_compared_with_its_first_parent(odd_history) -> None:
    _, records = read(odd_history.folder)
    (octopus,) = [record for record in records if len(record.parents) == 3]
    assert octopus.merge
    assert [(change.status, change.new_path) for change in octopus.changes] == [("A", "three"), ("A", "two")]


def test_no_names_and_no_addresses(odd_history) -> None:
    _, records = read(odd_history.folder)
    assert not any(address in str(record) for record in records for address in ("a@b.c", "c@d.e"))


def test_empty_repository_has_no_head(tmp_path: Path, git) -> None:
    git(tmp_path, "init", "-q", "--bare", "none.git")
    (unit,) = list_histories(str(tmp_path / "none.git"))
    with open_history(unit, Limits()) as history:
        assert history.head == ""


def test_shallow_clone_ends_at_its_boundary(odd_history, git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=3", f"file://{odd_history.folder}", "shallow")
    _, records = read(tmp_path / "shallow")
    boundary = [fault for fault in faults(records).values() if fault.rule == "shallow-boundary"]
    assert boundary
    assert len(boundary) == len(faults(records))
    assert "was not fetched" in boundary[0].error
    assert any(isinstance(record, CommitRecord) for record in records)


def test_shallow_file_that_is_none_says_nothing(plain) -> None:
    folder, ids = plain
    (folder / "shallow").write_bytes(b"\xff not an id\n../../etc\n")
    _, records = read(folder)
    assert [record.id for record in records] == ids
    assert not faults(records)


@pytest.mark.parametrize("what", ["blob", "tree", "commit"])
@pytest.mark.parametrize("how", ["missing", "cut", "noise"])
def test_damaged_objects_fail_what_needs_them(plain, git, what: str, how: str) -> None:
    folder, ids = plain
    name = {"blob": f"{ids[2]}:a.py", "tree": f"{ids[2]}^{{tree}}", "commit": ids[2]}[what]
    victim = loose(folder, git(folder, "rev-parse", name).decode().strip())
    data = victim.read_bytes()
    victim.chmod(0o644)
    if how == "missing":
        victim.unlink()
    else:
        victim.write_bytes(data[: len(data) // 2] if how == "cut" else data[:4] + os.urandom(len(data) - 4))
    listed, records = read(folder)
    if what == "commit":
        # Neither it nor what lies behind it is listed, nor may its child be, which has no snapshot to start from.
        assert listed.fault
        assert {ids[4]} <= {record.id for record in records} <= {ids[3], ids[4]}
        assert set(faults(records)) <= {ids[3]}
    else:
        assert not listed.fault
        assert set(faults(records)) == {ids[2], ids[3]}, "the commit that made it and the one that changed it"


def test_corrupt_pack_is_a_fault(odd_history) -> None:
    (pack,) = (odd_history.folder / "objects" / "pack").glob("*.pack")
    data = bytearray(pack.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = b"\xaa" * 400
    pack.chmod(0o644)
    pack.write_bytes(bytes(data))
    try:
        listed, records = read(odd_history.folder)
    except (ObjectError, ValueError):
        return  # HEAD's own commit was hit
    assert listed.fault or faults(records)


def test_replaced_and_grafted_commits_stay_what_they_are(plain, git) -> None:
    folder, ids = plain
    before = read(folder)
    blobs = [git(folder, "rev-parse", f"{ids[at]}:a.py").decode().strip() for at in (4, 0)]
    git(folder, "replace", ids[4], ids[0])
    git(folder, "replace", *blobs)
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "grafts").write_text(f"{ids[3]} {ids[0]}\n")
    assert git(folder, "log", "--format=%P", "-1", ids[3]).decode().strip() == ids[0], "git itself believes the graft"
    assert git(folder, "cat-file", "blob", blobs[0]) == git(folder, "cat-file", "blob", blobs[1])
    assert read(folder) == before


def test_commit_graphs_and_indexes_that_lie_are_not_read(plain, git) -> None:
    folder, ids = plain
    before = read(folder)
    git(folder, "repack", "-q", "-ad")
    git(folder, "commit-graph", "write", "--reachable")
    git(folder, "multi-pack-index", "write")
    for path in (folder / "objects" / "info" / "commit-graph", folder / "objects" / "pack" / "multi-pack-index"):
        data = bytearray(path.read_bytes())
        path.chmod(0o644)
        path.write_bytes(data.replace(bytes.fromhex(ids[0]), bytes.fromhex(ids[1])))
    assert read(folder) == before


def test_large_commits_are_read_without_their_patches(new_history) -> None:
    history = new_history("large")
    history.commit({b"a": b"1\n"})
    history.commit({b"%d/%d.txt" % (number % 100, number): b"%d\n" % number for number in range(10_000)})
    history.commit({b"a": b"long line\n" * 1000})
    history.commit({b"a": b"2\n"})
    _, records = read(history.write(), PatchLimits(files=100, patch_bytes=4096))
    assert [len(record.changes) for record in records] == [1, 10_000, 1, 1]
    assert [{change.opaque for change in record.changes} for record in records] == [{""}, {"too-large"}, {"too-large"}, {"too-large"}]
    assert [bool(record.patch_id) for record in records] == [True, False, False, False]


def test_files_beyond_8_mib_are_binary(new_history) -> None:
    history = new_history("huge")
    history.commit({b"a": b"1\n"})
    history.commit({b"a": b"word\n" * (9 << 18)})
    _, records = read(history.write())
    assert records[1].changes[0].opaque == "binary"


def test_deep_trees_are_read(new_history) -> None:
    history = new_history("deep")
    history.commit({b"/".join([b"d"] * 900): b"1\n"})
    history.commit({b"/".join([b"d"] * 900): b"2\n"})
    _, records = read(history.write())
    assert [change.status for change in records[1].changes] == ["M"]


def test_hanging_git_is_given_up(plain, monkeypatch) -> None:
    folder, ids = plain
    monkeypatch.setattr(git_module, "ANSWER_SECONDS", 0.0)
    (unit,) = list_histories(str(folder))
    with open_history(unit, Limits()) as history:
        reader = CommitReader(history.store, blank_record(unit, None))
        fault = reader.read_one(ids[0])
        assert isinstance(fault, Fault)
        assert "seconds to answer" in fault.error
        monkeypatch.setattr(git_module, "ANSWER_SECONDS", 60.0)
        assert isinstance(reader.read_one(ids[0]), CommitRecord), "the next question starts git again"
        reader.close()
