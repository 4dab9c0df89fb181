"""Turns a folder of package archives into the benchmark's Parquet tables.

``python benchmarks/corpus.py ARCHIVES OUTPUT`` reads every archive in ARCHIVES/pypi, /npm and /debian and writes
OUTPUT/1, /25, /50, /100, /200 and /400-text: at least four zstd Parquet files each, columns ``id, repo, path, content``. Text files only
(UTF-8, no NUL byte, not empty, less than 1 MiB). The same archives give byte-identical tables.

1, 25 and 50 are that share of the paths, drawn by the path's digest, so that all versions of a file come together and the mean
size stays. 200 is 100 and a copy of it with
letters shifted by 13 and digits by 5: same sizes and the same duplicates among themselves, but no likeness to the originals.
400-text (for memory) has the documents of 100, each about four times as long.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import string
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

MAX_BYTES = 1 << 20  # what the measurements of other systems that we compare with left out, too
PARTS = 8  # enough for every runner to have two per core, few enough that no part is small
ROW_GROUP = 1_000
ARCHIVE = re.compile(r"(?:\.orig)?\.(?:tar\.(?:gz|xz|bz2)|tgz|whl|zip)$")
SCHEMA = pa.schema([("id", pa.string()), ("repo", pa.string()), ("path", pa.string()), ("content", pa.string())])


class File(NamedTuple):
    repo: str
    path: str
    content: str
    size: int  # bytes


def read_archive(archive: Path, skipped: Counter[str]) -> Iterator[File]:
    """Text files of one archive, in its order; a member that repeats an earlier one's path is left out."""
    repo = ARCHIVE.sub("", archive.name)
    seen: set[str] = set()
    for name, data in _members(archive):
        path = name.removeprefix("./") if archive.suffix == ".whl" else "/".join(name.removeprefix("./").split("/")[1:]) or name
        reason = _why_not(data, path, seen)
        if reason:
            skipped[reason] += 1
            continue
        seen.add(path)
        yield File(repo, path, data.decode("utf-8"), len(data))


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                if not entry.is_dir():
                    yield entry.filename, opened.read(entry)
        return
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as opened:
        for member in opened:
            if member.isreg():
                stream = opened.extractfile(member)
                assert stream is not None  # a regular file
                yield member.name, stream.read()


def _why_not(data: bytes, path: str, seen: set[str]) -> str:
    if path in seen:
        return "path twice"
    if not data:
        return "empty"
    if b"\0" in data:
        return "binary"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    return "1 MiB or more" if len(data) >= MAX_BYTES else ""


def shifted(text: str, letters: int, digits: int) -> str:
    """``text`` with every ASCII letter and digit moved on in its own alphabet: as long, and with the same equalities."""
    table = {}
    for alphabet, step in ((string.ascii_lowercase, letters), (string.ascii_uppercase, letters), (string.digits, digits)):
        table.update(zip(alphabet, alphabet[step:] + alphabet[:step], strict=True))
    return text.translate(str.maketrans(table))


def draw(files: list[File], share: float) -> list[File]:
    """The files whose path's digest falls into the first ``share`` of all digests: the versions of a file come together."""
    return [file for file in files if hashlib.sha256(file.path.encode()).digest() < int(share * (1 << 256)).to_bytes(32, "big")]


def write(files: Iterable[File], folder: Path) -> str:
    """Writes ``files``, ordered by repository and path, as PARTS tables of about equal bytes; returns their digest."""
    ordered = sorted(files, key=lambda file: (file.repo, file.path))
    folder.mkdir(parents=True, exist_ok=True)
    total, done, start = sum(file.size for file in ordered), 0, 0
    digest = hashlib.sha256()
    for part in range(PARTS):
        end = start
        while end < len(ordered) and (part == PARTS - 1 or done < total * (part + 1) / PARTS):
            done += ordered[end].size
            end += 1
        rows = ordered[start:end]
        for file in rows:
            digest.update(f"{file.repo}\0{file.path}\0{file.size}\0".encode() + file.content.encode())
        columns = [
            [hashlib.blake2b(f"{file.repo}\0{file.path}".encode(), digest_size=16).hexdigest() for file in rows],
            [file.repo for file in rows],
            [file.path for file in rows],
            [file.content for file in rows],
        ]
        table = pa.table([pa.array(column, pa.string()) for column in columns], schema=SCHEMA)
        pq.write_table(table, folder / f"part-{part:05d}-of-{PARTS:05d}.parquet", compression="zstd", row_group_size=ROW_GROUP)
        start = end
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("archives", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--sizes", default="1,25,50,100,200,400-text", help="which tables to write (default: %(default)s)")
    options = parser.parse_args()
    archives = sorted(path for path in options.archives.glob("*/*") if ARCHIVE.search(path.name))
    skipped: Counter[str] = Counter()
    files = [file for archive in archives for file in read_archive(archive, skipped)]
    print(f"{len(archives)} archives, {len(files)} text files, {sum(file.size for file in files) / 1e6:.2f} MB; left out: {dict(skipped)}")
    for size in options.sizes.split(","):
        if size == "200":
            chosen = files + [File(f"{file.repo}~shifted", file.path, shifted(file.content, 13, 5), file.size) for file in files]
        elif size == "400-text":
            turns = ((0, 0), (5, 2), (13, 5), (19, 7))
            chosen = [file._replace(content="".join(shifted(file.content, *turn) for turn in turns), size=4 * file.size) for file in files]
        else:
            chosen = files if size == "100" else draw(files, int(size) / 100)
        digest = write(chosen, options.output / size)
        repos = len({file.repo for file in chosen})
        print(
            f"{size}: {repos} repositories, {len(chosen)} files, {sum(file.size for file in chosen) / 1e6:.2f} MB, sha256 {digest[:16]}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
