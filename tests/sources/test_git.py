"""git repositories against git itself: ls-tree and cat-file are the oracle."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from beam_seed.sources.repository import Limits

ODD_FILES = {
    b"plain.py": b"a = 1\n",
    b"no_newline.py": b"a = 1",
    b"crlf.bat": b"echo\r\nrem\r\n",
    b"empty.txt": b"",
    b"a-b/c.py": b"1\n",
    b"a/b.py": b"2\n",
    b"a.py": b"3\n",
    b"lib/caf\xe9.py": b"4\n",
    "lib/naïve.py".encode(): "é = 1\n".encode(),
    b"blob.bin": b"\0\1\2",
}


def write_files(folder: Path, files: dict[bytes, bytes]) -> None:
    for name, data in files.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def ls_tree(git, folder: Path) -> list[tuple[str, str, str, bytes]]:
    """Mode, type, object and path of every entry at HEAD."""
    lines = git(folder, "ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]
    return [(*line.partition(b"\t")[0].decode().split(), line.partition(b"\t")[2]) for line in lines]


def assert_as_git(git, folder: Path, records) -> None:
    entries = ls_tree(git, folder)
    shown = {path.decode("utf-8", "backslashreplace"): (mode, oid) for mode, _, oid, path in entries}
    assert sorted(shown) == sorted(record.path for record in records)
    for path, document in records.documents.items():
        assert document.content.encode() == git(folder, "cat-file", "blob", shown[path][1])
        assert document.revision == git(folder, "rev-parse", "HEAD").decode().strip()
    links = {path for path, (mode, _) in shown.items() if mode == "120000"}
    modules = {path for path, (mode, _) in shown.items() if mode == "160000"}
    assert {path for path, rule in records.rules if rule == "link"} == links
    assert {path for path, rule in records.rules if rule == "submodule"} == modules


@pytest.fixture
def odd_repository(tmp_path: Path, git) -> Path:
    folder = tmp_path / "odd"
    folder.mkdir()
    git(folder, "init", "-q")
    write_files(folder, ODD_FILES)
    (folder / "link.py").symlink_to("/etc/passwd")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    git(folder, "add", "-A")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},modules/other")
    git(folder, "commit", "-qm", "first")
    return folder


def test_odd_repository_reads_as_git_lists_it(odd_repository: Path, git, read_path) -> None:
    records = read_path(odd_repository)
    assert_as_git(git, odd_repository, records)
    assert dict(records.rules)["blob.bin"] == "binary"
    assert r"lib/caf\xe9.py" in records.documents


def test_head_counts_not_the_working_tree(odd_repository: Path, git, read_path) -> None:
    (odd_repository / "plain.py").write_text("changed")
    (odd_repository / "untracked.py").write_text("new")
    assert_as_git(git, odd_repository, read_path(odd_repository))


def test_bare_detached_and_shallow(odd_repository: Path, tmp_path: Path, git, read_path) -> None:
    (odd_repository / "plain.py").write_text("second\n")
    git(odd_repository, "commit", "-qam", "second")
    git(tmp_path, "clone", "-q", "--bare", "--no-local", str(odd_repository), "bare.git")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{odd_repository}", "shallow")
    bare, shallow = read_path(tmp_path / "bare.git"), read_path(tmp_path / "shallow")
    assert_as_git(git, tmp_path / "bare.git", bare)
    assert_as_git(git, tmp_path / "shallow", shallow)
    assert bare.contents["plain.py"] == shallow.contents["plain.py"] == "second\n"
    assert {document.repo for document in bare.documents.values()} == {"bare"}
    git(odd_repository, "checkout", "-q", "--detach", "HEAD~1")
    assert read_path(odd_repository).contents["plain.py"] == "a = 1\n"


def test_packed_repository(odd_repository: Path, git, read_path) -> None:
    git(odd_repository, "gc", "-q")
    assert_as_git(git, odd_repository, read_path(odd_repository))


def test_repository_without_commit(tmp_path: Path, git, read_path) -> None:
    git(tmp_path, "init", "-q", "new")
    assert read_path(tmp_path / "new").rules == [("", "empty-repository")]


def test_worktree_and_forged_gitdir_file(odd_repository: Path, tmp_path: Path, git, read_path) -> None:
    git(odd_repository, "worktree", "add", "-q", str(tmp_path / "second"))
    assert_as_git(git, odd_repository, read_path(tmp_path / "second"))
    forged = tmp_path / "forged"
    forged.mkdir()
    (forged / ".git").write_text(f"gitdir: {odd_repository / '.git'}\n")
    records = read_path(forged)
    assert not records.documents
    assert "does not know of it" in records.failures[0][1]


def test_commondir_of_another_repository(odd_repository: Path, tmp_path: Path, git, read_path) -> None:
    git(tmp_path, "init", "-q", "thief")
    (tmp_path / "thief" / ".git" / "commondir").write_text(str(odd_repository / ".git"))
    (tmp_path / "thief" / ".git" / "HEAD").write_bytes(git(odd_repository, "rev-parse", "HEAD"))
    records = read_path(tmp_path / "thief")
    assert not records.documents
    assert "commondir" in records.failures[0][1]


@pytest.mark.parametrize("way", ["alternates", "linked objects", "linked pack"])
def test_borrowed_objects_are_refused(odd_repository: Path, tmp_path: Path, git, way: str, read_path) -> None:
    git(odd_repository, "gc", "-q")
    git(tmp_path, "init", "-q", "thief")
    objects = tmp_path / "thief" / ".git" / "objects"
    if way == "alternates":
        (objects / "info" / "alternates").write_text(f"{odd_repository}/.git/objects\n")
    elif way == "linked objects":
        os.rename(objects, tmp_path / "away")
        objects.symlink_to(odd_repository / ".git" / "objects")
    else:
        os.rmdir(objects / "pack")
        (objects / "pack").symlink_to(odd_repository / ".git" / "objects" / "pack")
    (tmp_path / "thief" / ".git" / "refs" / "heads" / "main").write_bytes(git(odd_repository, "rev-parse", "HEAD"))
    assert git(tmp_path / "thief", "ls-tree", "-r", "HEAD"), "git itself reads the borrowed objects"
    records = read_path(tmp_path / "thief")
    assert not records.documents
    assert [path for path, _ in records.failures] == [""]


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "refs/heads/main", "objects/pack/pack-0.pack", "include"])
def test_what_would_keep_a_reader_waiting_is_refused(odd_repository: Path, git, name: str, read_path) -> None:
    folder = odd_repository / ".git"
    if name == "include":
        git(odd_repository, "config", "includeIf.gitdir:/.path", "pipe")
        os.mkfifo(folder / "pipe")
    else:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    records = read_path(odd_repository)
    assert not records.documents
    (failure,) = records.failures
    assert "not a file" in failure[1] or "neither a file nor a folder" in failure[1] or "includes other files" in failure[1]


def test_nothing_configured_is_run(odd_repository: Path, tmp_path: Path, git, read_path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    git(odd_repository, "config", "filter.evil.smudge", str(script))
    git(odd_repository, "config", "core.fsmonitor", str(script))
    (odd_repository / ".git" / "info" / "attributes").write_text("* filter=evil\n")
    for hook in ("post-checkout", "pre-commit"):
        (odd_repository / ".git" / "hooks" / hook).symlink_to(script)
    assert read_path(odd_repository).contents["plain.py"] == "a = 1\n"
    assert not ran.exists()


def object_file(folder: Path, oid: str) -> Path:
    return folder / ".git" / "objects" / oid[:2] / oid[2:]


@pytest.mark.parametrize("damage", ["missing", "truncated", "other content", "noise"])
def test_damaged_blob_costs_only_itself(odd_repository: Path, git, damage: str, read_path) -> None:
    whole = read_path(odd_repository)
    oid = git(odd_repository, "rev-parse", "HEAD:plain.py").decode().strip()
    path = object_file(odd_repository, oid)
    data = path.read_bytes()
    path.unlink()
    replacement = {"truncated": data[: len(data) // 2], "other content": zlib.compress(b"blob 6\0b = 2\n"), "noise": b"noise"}
    if damage != "missing":
        path.write_bytes(replacement[damage])
    records = read_path(odd_repository)
    assert [path for path, _ in records.failures] == ["plain.py"]
    assert records.contents == {path: text for path, text in whole.contents.items() if path != "plain.py"}


def test_damaged_tree_is_a_fault_of_the_repository(odd_repository: Path, git, read_path) -> None:
    oid = git(odd_repository, "rev-parse", "HEAD:lib").decode().strip()
    object_file(odd_repository, oid).unlink()
    records = read_path(odd_repository)
    assert [path for path, _ in records.failures] == [""]
    assert "lib" in records.failures[0][1]
    assert records.contents["plain.py"] == "a = 1\n"


@pytest.mark.parametrize("head", [b"", b"noise", b"ref: refs/heads/../../../etc/passwd\n", b"1" * 40 + b"\n", b"ref: refs/heads/main"])
def test_damaged_head(odd_repository: Path, head: bytes, read_path) -> None:
    (odd_repository / ".git" / "HEAD").write_bytes(head)
    records = read_path(odd_repository)
    assert len(records.failures) == (0 if head.startswith(b"ref: refs/heads/main") else 1) or records.rules == [("", "empty-repository")]


def test_hostile_tree_entries(tmp_path: Path, git, read_path) -> None:
    git(tmp_path, "init", "-q", "hostile")
    folder = tmp_path / "hostile"
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=b"x\n").strip()
    raw = bytes.fromhex(blob.decode())
    entries = b"".join(b"100644 " + name + b"\0" + raw for name in (b"..", b".git", b"ok.py", b"ok.py", b"c:\\evil"))
    tree = git(folder, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=entries).decode().strip()
    commit = git(folder, "commit-tree", tree, "-m", "x").decode().strip()
    git(folder, "update-ref", "refs/heads/main", commit)
    records = read_path(folder)
    assert len(records) == 5
    assert ("..", "unsafe-path") in records.rules
    assert ("c:\\evil", "unsafe-path") in records.rules
    assert ("ok.py", "duplicate-member") in records.rules
    assert records.contents["ok.py"] == "x\n"


def test_tree_bomb_stops_at_the_limit(tmp_path: Path, git, read_path) -> None:
    git(tmp_path, "init", "-q", "bomb")
    folder = tmp_path / "bomb"
    oid, kind = git(folder, "hash-object", "-w", "--stdin", stdin=b"x\n").decode().strip(), "100644 blob"
    for _ in range(8):
        lines = "".join(f"{kind} {oid}\t{name}\n" for name in "abcdefghij")
        oid, kind = git(folder, "mktree", stdin=lines.encode()).decode().strip(), "040000 tree"
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", oid, "-m", "x").decode().strip())
    records = read_path(folder, Limits(members=1000))
    assert len(records) == 1
    assert "1000" in records.failures[0][1]


def test_large_blob_is_rejected_by_its_header(odd_repository: Path, read_path) -> None:
    records = read_path(odd_repository, Limits(file_bytes=5))
    assert ("plain.py", "too-large") in records.rules
    assert records.contents["no_newline.py"] == "a = 1"


def test_this_project_history(git, read_path) -> None:
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        pytest.skip("not in a git checkout")
    assert_as_git(git, folder, read_path(folder))
