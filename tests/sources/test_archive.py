"""Archives against the standard library's readers, and everything hostile an archive can hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import struct
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_seed.sources import archive as archives
from beam_seed.sources.repository import Limits

COMPRESS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": lambda data: bz2.compress(data, 1),  # 1: blocks of 100 KB
    ".tar.xz": lambda data: lzma.compress(data, preset=0),
    ".tar.zst": zstandard.ZstdCompressor().compress,
}
FILES = {
    "pkg-1/a.py": b"a = 1\n",
    "pkg-1/sub/b.py": b"b\r\n",
    "pkg-1/z" + "/long" * 60 + ".py": b"c",
    "pkg-1/é.py": "é\n".encode(),
    "pkg-1/e": b"",
}
STRIPPED = {path.removeprefix("pkg-1/"): data.decode() for path, data in FILES.items()}


def info_of(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, target
    return info


def tar_of(files: dict[str, bytes] | list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.addfile(info_of(name, len(data)), io.BytesIO(data))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return buffer.getvalue()


def put(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar_of_every_compression(tmp_path: Path, read_path, suffix: str, form: int) -> None:
    records = read_path(put(tmp_path, "pkg-1" + suffix, COMPRESS[suffix](tar_of(FILES, form))))
    assert records.contents == STRIPPED
    assert len(records) == len(FILES)
    assert {record.repo for record in records} == {"pkg-1"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_of_every_method(tmp_path: Path, read_path, method: int) -> None:
    assert read_path(put(tmp_path, "p.whl", zip_of(FILES, method))).contents == STRIPPED


def test_several_frames_and_padding(tmp_path: Path, read_path) -> None:
    data = tar_of(FILES)
    half = len(data) // 2
    for name, pack in [
        ("a.tar.gz", gzip.compress),
        ("a.tar.xz", lzma.compress),
        ("a.tar.zst", COMPRESS[".tar.zst"]),
        ("a.tar.bz2", bz2.compress),
    ]:
        packed = pack(data[:half]) + (b"\0" * 2048 if "xz" in name else b"") + pack(data[half:])
        assert read_path(put(tmp_path, name, packed)).contents == STRIPPED, name


def test_contents_decide_not_the_name(tmp_path: Path, read_path) -> None:
    assert read_path(put(tmp_path, "a.zip", gzip.compress(tar_of(FILES)))).contents == STRIPPED
    assert read_path(put(tmp_path, "a.tgz", tar_of(FILES))).contents == STRIPPED
    stored = zip_of({"x.py": b"inner"}, zipfile.ZIP_STORED)
    assert read_path(put(tmp_path, "b.tar", tar_of({"a/y.py": b"outer", "a/x.zip": stored}))).contents == {"y.py": "outer"}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_common_folder_is_stripped_only_where_common(tmp_path: Path, read_path, name: str) -> None:
    pack = zip_of if name == "a.zip" else lambda files: gzip.compress(tar_of(files))
    assert set(read_path(put(tmp_path, name, pack({"./p/a": b"", "./p/b": b""}))).contents) == {"a", "b"}
    assert set(read_path(put(tmp_path, name, pack({"p/a": b"", "q": b""}))).contents) == {"p/a", "q"}
    assert set(read_path(put(tmp_path, name, pack({"p": b""}))).contents) == {"p"}
    assert set(read_path(put(tmp_path, name, pack({"p/a": b"", "../q": b"", "/r": b""}))).contents) == {"a"}


def test_commit_of_git_archive_is_the_revision(tmp_path: Path, git, read_path) -> None:
    git(tmp_path, "init", "-q", "r")
    (tmp_path / "r" / "a.py").write_text("x\n")
    git(tmp_path / "r", "add", "a.py")
    git(tmp_path / "r", "commit", "-qm", "x")
    commit = git(tmp_path / "r", "rev-parse", "HEAD").decode().strip()
    for form in ("tar", "tar.gz", "zip"):
        path = put(tmp_path, f"out.{form}", git(tmp_path / "r", "archive", f"--format={form}", "--prefix=r/", "HEAD"))
        assert read_path(path).documents["a.py"].revision == commit


HOSTILE_NAMES = ["../up", "/abs", "a/../../b", "c:\\x", "c:/x", "a\\..\\b", "x" * 5000]


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_hostile_names(tmp_path: Path, read_path, name: str) -> None:
    pack = zip_of if name == "a.zip" else tar_of
    records = read_path(put(tmp_path, name, pack({**dict.fromkeys(HOSTILE_NAMES, b"x"), "ok": b"fine", "d/ok": b"fine"})))
    assert records.contents == {"ok": "fine", "d/ok": "fine"}
    assert [rule for _, rule in records.rules] == ["unsafe-path"] * len(HOSTILE_NAMES)
    assert max(len(path) for path, _ in records.rules) < 300
    assert not list(tmp_path.parent.glob("up")), "nothing is extracted"


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_members_keep_the_last(tmp_path: Path, read_path, name: str) -> None:
    files = [("p/a", b"first"), ("p/b", b""), ("p/a", b"second"), ("p/./a", b"third")]
    records = read_path(put(tmp_path, name, zip_of(files) if name == "a.zip" else gzip.compress(tar_of(files))))
    assert records.contents == {"a": "third", "b": ""}
    assert records.rules == [("a", "duplicate-member")] * 2


def test_links_devices_and_sparse_files(tmp_path: Path, read_path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(info_of("p/a", 1), io.BytesIO(b"x"))
        for name, kind in [("sym", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)]:
            archive.addfile(info_of(f"p/{name}", 0, kind, "/etc/passwd"))
        for name, kind in [("chr", tarfile.CHRTYPE), ("blk", tarfile.BLKTYPE), ("fifo", tarfile.FIFOTYPE)]:
            archive.addfile(info_of(f"p/{name}", 0, kind))
        archive.addfile(info_of("p/dir", 0, tarfile.DIRTYPE))
    records = read_path(put(tmp_path, "a.tar", buffer.getvalue()))
    assert records.contents == {"a": "x"}
    assert dict(records.rules) == {
        **dict.fromkeys(("sym", "hard"), "link"),
        **dict.fromkeys(("chr", "blk", "fifo"), "special-file"),
    }


def test_sparse_file_of_gnu_tar(tmp_path: Path, read_path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 30)
    (folder / "a").write_text("x")
    for form in ("gnu", "pax"):
        subprocess.run(["tar", "-C", tmp_path, "-S", f"--format={form}", "-cf", tmp_path / "a.tar", "p"], check=True)
        records = read_path(tmp_path / "a.tar")
        assert records.contents == {"a": "x"}
        assert records.rules == [("sparse", "special-file")]


def test_zip_links_and_encryption(tmp_path: Path, read_path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("p/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("p/a", "x")
        archive.writestr("p/locked", "y")
    data = bytearray(buffer.getvalue())
    entry = data.rfind(b"PK\1\2")
    data[entry + 8] |= 1
    records = read_path(put(tmp_path, "a.zip", bytes(data)))
    assert records.contents == {"a": "x"}
    assert records.rules == [("link", "link")]
    assert records.failures == [("locked", "encrypted: no password is ever tried")]


# Damage


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_truncated_stream_keeps_what_was_readable(tmp_path: Path, read_path, suffix: str) -> None:
    files = {f"p/{index:04}": os.urandom(3000).hex().encode() for index in range(200)}
    data = COMPRESS[suffix](tar_of(files))
    records = read_path(put(tmp_path, "a" + suffix, data[: len(data) // 2]))
    assert 20 < len(records.documents) < 200
    assert records.contents.items() <= {name.removeprefix("p/"): text.decode() for name, text in files.items()}.items()
    assert records.failures[0][0] == ""
    assert "end" in records.failures[0][1]


def test_truncated_plain_tar(tmp_path: Path, read_path) -> None:
    data = tar_of({"p/a": b"x" * 600, "p/b": b"y" * 600})
    whole = read_path(put(tmp_path, "a.tar", data[: 3 * 512 + 3 * 512]))
    assert set(whole.contents) == {"a", "b"}
    assert whole.failures == [("", "ReadError: no end-of-archive marker: it may be cut short (after 2 members)")]
    cut = read_path(put(tmp_path, "b.tar", data[: 3 * 512 + 600]))
    assert set(cut.contents) == {"a"}
    assert [path for path, _ in cut.failures] == ["", "b"]


def test_damaged_header_in_the_middle_is_told(tmp_path: Path, read_path) -> None:
    data = bytearray(tar_of({"p/a": b"x", "p/b": b"y", "p/c": b"z"}))
    data[1024 + 3] ^= 0xFF
    records = read_path(put(tmp_path, "a.tar", bytes(data)))
    assert len(records.documents) == 1
    assert "no header at offset 1024" in records.failures[0][1]


def test_bad_checksum_in_zip_costs_only_its_member(tmp_path: Path, read_path) -> None:
    data = zip_of({"p/a": b"aaaa", "p/b": b"bbbb"}, zipfile.ZIP_STORED).replace(b"bbbb", b"bxbb")
    records = read_path(put(tmp_path, "a.zip", data))
    assert records.contents == {"a": "aaaa"}
    assert [path for path, _ in records.failures] == ["b"]
    assert "CRC" in records.failures[0][1]


def test_bad_checksum_in_gzip_is_told(tmp_path: Path, read_path) -> None:
    data = bytearray(gzip.compress(tar_of(FILES)))
    data[-6] ^= 1
    records = read_path(put(tmp_path, "a.tar.gz", bytes(data)))
    assert records.contents == STRIPPED
    assert "CRC" in records.failures[0][1]


@pytest.mark.parametrize("data", [b"", b"noise", b"PK\3\4", b"PK\5\6" + b"\0" * 18, b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\0" * 10240])
def test_no_archive_at_all(tmp_path: Path, read_path, data: bytes) -> None:
    records = read_path(put(tmp_path, "a.zip", data))
    assert len(records) == 1
    assert records[0].path == ""


# Bombs

LIMITS = Limits(unpacked_bytes=100 << 20, members=1000)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_tar_bomb_by_ratio(tmp_path: Path, read_path, suffix: str) -> None:
    zeros = tar_of({"p/a": b"first"})[:1024] + tar_of({"p/b": b"\0" * (70 << 20)})
    records = read_path(put(tmp_path, "a" + suffix, COMPRESS[suffix](zeros)))
    assert records.contents == {"a": "first"}
    assert [path for path, _ in records.failures] == ["", "b"]
    assert "unpacks to more than 67108864 bytes" in records.failures[0][1]


def test_tar_bomb_by_size(tmp_path: Path, read_path) -> None:
    records = read_path(put(tmp_path, "a.tar.gz", gzip.compress(os.urandom(3 << 20))), Limits(unpacked_bytes=1 << 20))
    assert "unpacks to more than 1048576 bytes" in records.failures[0][1]


def test_zip_bomb_of_one_large_member(tmp_path: Path, read_path) -> None:
    data = zip_of({"p/a": b"x", "p/bomb": b"\0" * (64 << 20)})
    assert dict(read_path(put(tmp_path, "a.zip", data)).rules) == {"bomb": "too-large"}
    size = struct.pack("<I", 64 << 20)
    lying = data.replace(size, struct.pack("<I", 10))
    records = read_path(put(tmp_path, "b.zip", lying))
    assert records.contents == {"a": "x"}
    assert [path for path, _ in records.failures] == ["bomb"]


def test_zip_bomb_of_many_members(tmp_path: Path, read_path) -> None:
    records = read_path(put(tmp_path, "a.zip", zip_of({f"p/{i}": b" " * (1 << 20) for i in range(8)})), Limits(unpacked_bytes=3 << 20))
    assert len(records.documents) == 3
    assert all("archive-limits" in error for _, error in records.failures)
    assert len(records) == 8


def test_zip_bomb_of_overlapping_members(tmp_path: Path, read_path) -> None:
    data = zip_of({"p/a": b"x" * 100, "p/b": b"y" * 100, "p/c": b"z" * 100}, zipfile.ZIP_STORED)
    end = data.rfind(b"PK\5\6")
    first = data.find(b"PK\1\2")
    second = data.find(b"PK\1\2", first + 4)
    same = bytearray(data)
    same[second + 42 : second + 46] = same[first + 42 : first + 46]
    records = read_path(put(tmp_path, "a.zip", bytes(same)))
    assert end > 0
    assert {path for path, error in records.failures if "overlap" in error} == {"a", "b"}
    assert set(records.contents) == {"c"}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_too_many_members(tmp_path: Path, read_path, name: str) -> None:
    files = {f"p/{index}": b"" for index in range(1500)}
    records = read_path(put(tmp_path, name, zip_of(files) if name == "a.zip" else gzip.compress(tar_of(files))), LIMITS)
    assert "1000" in records.failures[0][1]
    assert len(records.documents) <= 1001


def header(kind: bytes, size: int) -> bytes:
    return info_of("x", size, kind).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK])
def test_oversized_and_flooding_headers(tmp_path: Path, read_path, kind: bytes) -> None:
    ordinary = tar_of({"p/a": b"x"})[:1024]
    oversized = header(kind, 32 << 20) + b"a" * (32 << 20)
    flood = (header(kind, 512) + b"a" * 512) * 5000
    for number, data in enumerate([oversized, flood]):
        records = read_path(put(tmp_path, f"{number}.tar", ordinary + data + tar_of({"p/b": b"y"})))
        assert records.contents.get("a") == "x"
        assert [path for path, _ in records.failures] == [""]


def test_header_of_negative_or_huge_size(tmp_path: Path, read_path) -> None:
    for size in (-5, 1 << 60):
        info = info_of("p/b", 0)
        info.size = size
        data = tar_of({"p/a": b"x"})[:1024] + info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024
        records = read_path(put(tmp_path, "a.tar", data))
        assert records.contents == {"a": "x"}
        assert records.failures


def test_zip_directory_of_absurd_size(tmp_path: Path, read_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from beam_seed.sources import archive

    monkeypatch.setattr(archive, "_ZIP_INDEX_BYTES", 100)
    records = read_path(put(tmp_path, "a.zip", zip_of({f"p/{index}": b"" for index in range(100)})))
    assert "archive-limits" in records.failures[0][1]


def test_xz_that_wants_much_memory(tmp_path: Path, read_path) -> None:
    huge = lzma.compress(tar_of(FILES), filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}])
    assert "Memory" in read_path(put(tmp_path, "a.tar.xz", huge)).failures[0][1]


def test_full_disk_stops_the_job(tmp_path: Path, read_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from beam_seed.sources import archive

    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "temporary_file", Full)
    with pytest.raises(OSError, match="No space left"):
        read_path(put(tmp_path, "a.tar.gz", gzip.compress(tar_of(FILES))))


# Fuzz: damage anywhere gives records, never an exception, and what is undamaged in a stored archive stays as it was.

SAMPLES = {
    **{f"a{suffix}": compress(tar_of(FILES)) for suffix, compress in COMPRESS.items()},
    "gnu.tar": tar_of(FILES, tarfile.GNU_FORMAT),
    "a.zip": zip_of(FILES),
    "stored.zip": zip_of(FILES, zipfile.ZIP_STORED),
    "lzma.zip": zip_of(FILES, zipfile.ZIP_LZMA),
}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_any_damage_gives_records(read_path, name: str, draw: st.DataObject) -> None:
    data = bytearray(SAMPLES[name])
    cut = draw.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))), label="cut")
    for position, value in draw.draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4), label="bytes"):
        data[position] = value
    with tempfile.TemporaryDirectory() as folder:
        records = read_path(put(Path(folder), name, bytes(data[:cut])), LIMITS)
    assert records


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_truncation_everywhere(tmp_path: Path, read_path, name: str) -> None:
    for cut in range(0, len(SAMPLES[name]), 13):
        assert read_path(put(tmp_path, name, SAMPLES[name][:cut]), LIMITS)


def test_a_full_temporary_folder_is_named(tmp_path: Path, read_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "temporary_file", lambda: io.BufferedRandom(io.FileIO("/dev/full", "r+")))
    put(tmp_path, "a.tar.gz", gzip.compress(tar_of(FILES)))
    told = f"No space left on device; free some space there and run it again: '{tempfile.gettempdir()}'"
    with pytest.raises(OSError, match=re.escape(told)):
        read_path(tmp_path)
