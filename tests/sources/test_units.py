"""What an input is taken to be."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

import pytest

from beam_seed import storage
from beam_seed.sources.read import read_unit
from beam_seed.sources.units import Unit, distinct_names, fingerprint, list_units, repository_name


def write(path: Path, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path: Path, git) -> Path:
    root = tmp_path / "input"
    write(root / "plain" / "a.py")
    write(root / "plain" / "deep" / "b.py")
    write(root / "versioned" / "c.py")
    git(root / "versioned", "init", "-q")
    git(root / "versioned", "add", "-A")
    git(root / "versioned", "commit", "-qm", "x")
    git(root, "clone", "-q", "--bare", "--no-local", "versioned", "mirror.git")
    with tarfile.open(root / "pkg-1.0.tar.gz", "w:gz") as archive:
        archive.add(root / "plain", "pkg-1.0")
    (root / "rows.jsonl.gz").write_bytes(gzip.compress(b"{}\n"))
    write(root / "loose.py")
    write(root / "picture.png", "no archive, no table")
    (root / "link").symlink_to("plain")
    return root


def test_folder_of_repositories(folder: Path) -> None:
    units = list_units(str(folder))
    assert {(unit.kind, unit.repo) for unit in units} == {
        ("tree", "plain"),
        ("git", "versioned"),
        ("git", "mirror"),
        ("archive", "pkg-1.0"),
        ("table", "rows"),
        ("files", "input"),
    }
    (loose,) = (unit for unit in units if unit.kind == "files")
    assert loose.members == ("link", "loose.py", "picture.png")
    assert [unit.path for unit in units if unit.kind == "tree"] == [str(folder / "plain")]
    assert [unit.size for unit in units if unit.kind == "tree"] == [4]


def test_one_repository_one_archive_one_file(folder: Path) -> None:
    assert [unit.kind for unit in list_units(str(folder / "versioned"))] == ["git"]
    assert [unit.kind for unit in list_units(str(folder / "mirror.git"))] == ["git"]
    assert [unit.kind for unit in list_units(str(folder / "pkg-1.0.tar.gz"))] == ["archive"]
    (unit,) = list_units(str(folder / "loose.py"))
    assert (unit.kind, unit.path, unit.repo, unit.members) == ("files", str(folder), "input", ("loose.py",))


def test_glob_stands_for_what_it_matches(folder: Path) -> None:
    assert list_units(str(folder / "*.git")) == list_units(str(folder / "mirror.git"))
    (unit,) = list_units(str(folder / "*.p[yn]*"))
    assert unit.members == ("loose.py", "picture.png")
    write(folder / "[odd]" / "sub" / "a.py")
    assert [unit.repo for unit in list_units(str(folder / "[odd]"))] == ["sub"], "a name is a name before it is a glob"


@pytest.mark.parametrize("name", ["absent", "absent/*", "empty", "*.zip"])
def test_no_input_names_pattern_and_remedy(folder: Path, name: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no input found at .*give a folder of repositories") as error:
        list_units(str(folder / name))
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/requests-2.31.0.tar.gz", "requests-2.31.0"),
        ("/x/Foo.TGZ", "Foo"),
        ("/x/a.b.zip", "a.b"),
        ("/x/rows.jsonl.zst", "rows"),
        ("gs://bucket/x/mirror.git/", "mirror"),
        ("/x/.zip", ".zip"),
    ],
)
def test_repository_name(path: str, name: str) -> None:
    assert repository_name(path) == name


def test_distinct_names_is_deterministic_and_changes_only_clashes() -> None:
    units = [Unit("tree", path, repo, 1, 0.0, "s") for path, repo in [("/a/x", "x"), ("/b/x", "x"), ("/a/y", "y")]]
    named = distinct_names(units)
    assert [unit.repo for unit in named][2] == "y"
    assert len({unit.repo for unit in named}) == 3
    assert all(unit.repo.startswith("x@") and len(unit.repo) == 10 for unit in named[:2])
    assert {(unit.path, unit.repo) for unit in distinct_names(units[::-1])} == {(unit.path, unit.repo) for unit in named}


def test_one_path_of_two_kinds_gets_two_names() -> None:
    units = [Unit("files", "/a/x", "x", 1, 0.0, "s", ("f",)), Unit("tree", "/a/x", "x", 1, 0.0, "s")]
    assert len({unit.repo for unit in distinct_names(units)}) == 2


def test_fingerprint_sees_every_change(folder: Path, git) -> None:
    def now() -> str:
        return fingerprint(list_units(str(folder)))

    seen = [now()]
    assert now() == seen[0]
    assert fingerprint(list_units(str(folder))[::-1]) == seen[0]
    write(folder / "plain" / "new.py")
    seen.append(now())
    os.utime(folder / "plain" / "a.py", (2e9, 2e9))
    seen.append(now())
    os.rename(folder / "plain" / "new.py", folder / "plain" / "renamed.py")
    os.utime(folder / "plain", (2.1e9, 2.1e9))
    seen.append(now())
    write(folder / "loose2.py")
    seen.append(now())
    git(folder / "versioned", "commit", "-q", "--allow-empty", "-m", "y")
    seen.append(now())
    (folder / "rows.jsonl.gz").write_bytes(b"other")
    seen.append(now())
    assert len(set(seen)) == len(seen)


def test_fingerprint_of_git_ignores_its_working_tree(folder: Path) -> None:
    before = fingerprint(list_units(str(folder / "versioned")))
    write(folder / "versioned" / "uncommitted.py")
    assert fingerprint(list_units(str(folder / "versioned"))) == before


def test_names_that_are_not_utf8(tmp_path: Path, read_path) -> None:
    os.makedirs(os.fsencode(tmp_path) + b"/in/caf\xe9")
    with open(os.fsencode(tmp_path) + b"/in/caf\xe9/a.py", "wb") as file:
        file.write(b"x = 1\n")
    records = read_path(tmp_path / "in")
    assert records.contents == {"a.py": "x = 1\n"}
    assert records[0].repo == r"caf\xe9"


# Remote file systems: Beam's own functions on the same files must list and read the same.


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = storage.match
    monkeypatch.setattr(storage, "is_local", lambda path: False)
    # An object store has no folders to list.
    monkeypatch.setattr(storage, "match", lambda pattern: [info for info in everything(pattern) if not os.path.isdir(info.path)])


def read_all(pattern: str) -> set[tuple[str, str, str]]:
    units = [unit for unit in list_units(pattern) if unit.kind in ("tree", "files", "archive")]
    return {(record.repo, record.path, type(record).__name__) for unit in units for record in read_unit(unit)}


def test_remote_folder_lists_and_reads_as_the_local_one(folder: Path, request: pytest.FixtureRequest) -> None:
    (folder / "link").unlink()
    local = read_all(str(folder))
    kinds = {(unit.kind, unit.repo, unit.size, unit.members) for unit in list_units(str(folder)) if unit.kind != "git"}
    request.getfixturevalue("remote")
    units = list_units(str(folder))
    assert {(unit.kind, unit.repo, unit.size, unit.members) for unit in units if unit.repo not in ("versioned", "mirror")} == kinds
    assert {(unit.repo, unit.kind) for unit in units} >= {("versioned", "tree"), ("mirror", "git")}
    assert {record for record in read_all(str(folder)) if record[0] != "versioned"} == local
    assert ("versioned", "c.py", "Document") in read_all(str(folder))


def test_remote_bare_repository_is_failed_with_the_remedy(folder: Path, remote: None) -> None:
    (unit,) = list_units(str(folder / "mirror.git"))
    (record,) = read_unit(unit)
    assert "copy it" in record.error


def test_remote_file_glob_and_nothing(folder: Path, remote: None) -> None:
    assert [unit.kind for unit in list_units(str(folder / "pkg-1.0.tar.gz"))] == ["archive"]
    assert [unit.kind for unit in list_units(str(folder / "*.gz"))] == ["archive", "table"]
    (unit,) = list_units(str(folder / "loose.py"))
    assert (unit.kind, unit.members) == ("files", ("loose.py",))
    with pytest.raises(FileNotFoundError, match="no input found"):
        list_units(str(folder / "absent"))
