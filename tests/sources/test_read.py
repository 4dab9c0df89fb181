"""Working trees: every file, link and special file is one record."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_seed.sources import tree
from beam_seed.sources.metadata import MetadataIndex, RepoMetadata
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits, normalise, path_fault
from beam_seed.sources.units import list_units
from beam_seed.sources.vendored import VENDORED_FOLDERS, VERSION_CONTROL_FOLDERS, vendored_folder


def make(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / "repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_each_kind_of_member(tmp_path: Path, read_path) -> None:
    root = make(
        tmp_path / "in",
        {
            "a.py": b"a = 1\n",
            "b/latin.c": "/* Größe */\n".encode("latin-1"),
            "b/mark.cs": b"\xef\xbb\xbfclass A {}\r\n",
            "binary.o": b"\x7fELF\0\0",
            "empty": b"",
            "lfs.bin": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "node_modules/x/index.js": b"x\n",
            "sub/.git/HEAD": b"ref: x\n",
        },
    )
    repo = root / "repo"
    (repo / "link").symlink_to("/etc/passwd")
    (repo / "loop").symlink_to(".")
    os.mkfifo(repo / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(repo / "socket"))
    records = read_path(root)
    assert records.contents == {"a.py": "a = 1\n", "b/latin.c": "/* Größe */\n", "b/mark.cs": "class A {}\r\n", "empty": ""}
    assert dict(records.rules) == {
        "binary.o": "binary",
        "lfs.bin": "lfs-pointer",
        "link": "link",
        "loop": "link",
        "node_modules/x/index.js": "vendored",
        "pipe": "special-file",
        "socket": "special-file",
        "sub/.git/HEAD": "version-control",
    }
    assert not records.failures


NAMES = st.text(st.sampled_from("ab.é -"), min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
FOLDERS = st.sampled_from(["src", "vendor", "a", "a-b", "node_modules", ".git", "é"])
PATHS = st.builds(lambda folders, name: "/".join([*folders, "f" + name]), st.lists(FOLDERS, max_size=3), NAMES)
CONTENTS = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(PATHS, CONTENTS, max_size=12))
def test_every_member_once_in_order(read_path, files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder), {"always": b"", **files})
        records = read_path(root, Limits(file_bytes=20))
    expected = {"always": b"", **files}
    assert [record.path.encode() for record in records] == sorted(path.encode() for path in expected)
    for path, content in records.contents.items():
        data = expected[path]
        assert len(data) <= 20
        if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\0\0\xfe\xff")):
            try:
                assert content == data.decode()
            except UnicodeDecodeError:
                assert content.isascii() is False
        assert not {"vendor", "node_modules", ".git"} & set(path.split("/")[:-1])


def test_vendored_table_is_looked_up_by_folder_only() -> None:
    assert vendored_folder("src/Vendor/x") == ("vendored", "src/Vendor")
    assert vendored_folder("a/.git/node_modules") == ("version-control", "a/.git")
    assert vendored_folder("src/vendors") is None
    assert all(name == name.lower() for name in (*VENDORED_FOLDERS, *VERSION_CONTROL_FOLDERS))


def test_installed_packages_are_not_vendored(tmp_path: Path, read_path) -> None:
    root = make(tmp_path / "site-packages", {"vendor.py": b"x\n"})
    assert "vendor.py" in read_path(root).documents


def test_too_large_is_told_without_reading(tmp_path: Path, read_path) -> None:
    root = make(tmp_path / "in", {"small": b"12345678", "over": b"123456789"})
    with open(root / "repo" / "huge", "wb") as file:
        file.truncate(200 << 30)  # sparse: reading it would take minutes and all memory
    records = read_path(root, Limits(file_bytes=8))
    assert set(records.contents) == {"small"}
    rejected = {record.path: record for record in records if record.path != "small"}
    assert {path: (record.rule, record.measured, record.limit) for path, record in rejected.items()} == {
        "over": ("too-large", 9.0, 8.0),
        "huge": ("too-large", float(200 << 30), 8.0),
    }


def test_line_of_200_megabytes_in_bounded_memory(tmp_path: Path, read_path) -> None:
    root = make(tmp_path / "in", {"line.txt": b"x" * (200 << 20)})
    tracemalloc.start()
    assert dict(read_path(root).rules) == {"line.txt": "too-large"}
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_file_that_grew_since_it_was_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_path) -> None:
    root = make(tmp_path / "in", {"a": b"1" * 30, "b": b"2" * 90})
    stat = tree.os.lstat(root / "repo" / "a")
    monkeypatch.setattr(tree, "walk", lambda path: (tree.Member(name, 5, name) for name in ("a", "b")))
    records = read_path(root, Limits(file_bytes=50))
    assert records.contents == {"a": "1" * stat.st_size}
    assert records.rules == [("b", "too-large")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_and_folder(tmp_path: Path, read_path) -> None:
    root = make(tmp_path / "in", {"ok": b"1", "secret": b"2", "closed/a": b"3"})
    (root / "repo" / "secret").chmod(0)
    (root / "repo" / "closed").chmod(0)
    records = read_path(root)
    (root / "repo" / "closed").chmod(0o700)
    assert set(records.contents) == {"ok"}
    assert [path for path, _ in records.failures] == ["closed", "secret"]


def test_unreadable_file_is_failed_and_full_machine_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_path) -> None:
    root = make(tmp_path / "in", {"a": b"1", "b": b"2"})

    def refuse(code: int):
        def read(self, member, max_bytes):
            if member.path == "a":
                raise OSError(code, os.strerror(code))
            return b"2"

        monkeypatch.setattr(tree.LocalTree, "read", read)

    refuse(errno.EACCES)
    records = read_path(root)
    assert records.failures == [("a", "PermissionError: [Errno 13] Permission denied")]
    assert records.contents == {"b": "2"}
    for code in (errno.ENOSPC, errno.EMFILE, errno.ENOMEM):
        refuse(code)
        with pytest.raises(OSError, match=os.strerror(code)):
            read_path(root)


def test_folder_that_vanished(tmp_path: Path) -> None:
    root = make(tmp_path / "in", {"a": b"1"})
    (unit,) = list_units(str(root))
    (root / "repo" / "a").unlink()
    (root / "repo").rmdir()
    (record,) = read_unit(unit)
    assert (record.path, record.stage) == ("", "read")
    assert "FileNotFoundError" in record.error


def test_empty_repository_leaves_a_record(tmp_path: Path, read_path) -> None:
    (tmp_path / "in" / "repo").mkdir(parents=True)
    assert read_path(tmp_path / "in").rules == [("", "empty-repository")]


def test_metadata_and_declared_license(tmp_path: Path) -> None:
    root = make(tmp_path / "in", {"a.py": b"x\n", "package.json": b'{"license": "MIT"}'})
    (unit,) = list_units(str(root))
    known = MetadataIndex({"owner/Repo": RepoMetadata("owner/Repo", 5, 2, "", "2020-01-01")})
    document = next(iter(read_unit(unit, metadata=known)))
    assert (document.stars, document.forks, document.license, document.created) == (5, 2, "MIT", "2020-01-01")
    assert (document.source, document.repo, document.revision) == (str(root / "repo"), "repo", "")


@pytest.mark.parametrize(
    ("name", "data", "license"),
    [
        ("PKG-INFO", b"Name: x\nLicense: UNKNOWN\nLicense-Expression: Apache-2.0\n", "Apache-2.0"),
        ("PKG-INFO", b"Name: x\nClassifier: License :: OSI Approved :: BSD License\n\nText", "BSD License"),
        ("PKG-INFO", b"Name: x\nLicense: " + b"long text " * 50 + b"\n", ""),
        ("x-1.dist-info/METADATA", b"Name: x\nLicense: MIT\n", "MIT"),
        ("sub/PKG-INFO", b"License: MIT\n", ""),
        ("package.json", b'{"license": {"type": "ISC"}}', "ISC"),
        ("package.json", b'{"license": ["MIT"]}', ""),
        ("package.json", b"[" * 100_000, ""),
        ("package.json", b'["license"]', ""),
        ("Cargo.toml", b'[package]\nname = "x"\nlicense = "MIT OR Apache-2.0"\n', "MIT OR Apache-2.0"),
        ("Cargo.toml", b"package = 3\n", ""),
        ("pyproject.toml", b'[project]\nlicense = {text = "BSD-3-Clause"}\n', "BSD-3-Clause"),
        ("pyproject.toml", b"\xff", ""),
    ],
)
def test_license_declared_in_the_repository(tmp_path: Path, read_path, name: str, data: bytes, license: str) -> None:  # noqa: A002
    documents = read_path(make(tmp_path / "in", {"a.py": b"x\n", name: data})).documents
    assert documents["a.py"].license == license


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("a/b", ""),
        ("a..b/c..", ""),
        ("C::Scan.3pm", ""),
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("\\\\server\\x", "absolute"),
        ("\\xe9.py", ""),
        ("C:\\x", "drive letter"),
        ("c:/x", "drive letter"),
        ("a\0b", "NUL"),
        ("..", "parent folder"),
        ("a/../b", "parent folder"),
        ("a\\..\\b", "parent folder"),
        ("é" * 2048, ""),
        ("é" * 2049, "over-long"),
    ],
)
def test_path_fault(path: str, fault: str) -> None:
    assert path_fault(path) == fault


@given(st.text(st.sampled_from("ab./"), max_size=8))
def test_normalise_against_parts(path: str) -> None:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    assert normalise(path) == ("/" if path.startswith("/") else "") + "/".join(parts)


def test_evidence_is_json(tmp_path: Path, read_path) -> None:
    root = make(tmp_path / "in", {"a": b"\0", "vendor/b": b"x", "c": "é\n".encode() * 9 + b"\xff"})
    for record in read_path(root):
        assert isinstance(json.loads(record.evidence), dict)


@pytest.mark.parametrize("field", ["file_bytes", "members", "unpacked_bytes", "ratio"])
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}=0 is not positive"):
        Limits(**{field: 0})
