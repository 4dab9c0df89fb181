"""Gets the real pages named in web_pages.txt: ``python benchmarks/web_pages.py DIR [--all]``.

Debian packages come through apt-get, repositories through git; what is there already is not fetched again. The pages are written to
``DIR/pages/KIND/``; with --all every HTML page of the Debian packages is written to ``DIR/everything/`` too, and to
``DIR/everything.warc.gz``.
Nothing that is fetched belongs into the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SOURCES = Path(__file__).with_name("web_pages.txt")
MIN_CODE = 3  # code elements: fewer say little about an extractor
MAX_BYTES = 1_500_000
_CODE = re.compile(rb"<pre\b|<code\b|class=\"fragment\"", re.IGNORECASE)


class Source(NamedTuple):
    kind: str
    registry: str
    name: str
    pattern: str
    most: int


def read_sources() -> list[Source]:
    lines = [line.split() for line in SOURCES.read_text().splitlines() if line and not line.startswith("#")]
    return [Source(kind, registry, name, pattern, int(most)) for kind, registry, name, pattern, most in lines]


def fetch(source: Source, root: Path) -> Path:
    """The folder of a source's files.

    Raises:
        subprocess.CalledProcessError: apt-get, dpkg-deb or git failed.
    """
    folder = root / source.registry / source.name.replace("/", "+")
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    if source.registry == "github":
        address = f"https://github.com/{source.name}"
        subprocess.run(["git", "clone", "--quiet", "--depth=1", address, str(folder)], check=True)
        return folder
    subprocess.run(["apt-get", "--quiet", "download", source.name], cwd=folder.parent, check=True, stdout=subprocess.DEVNULL)
    package = next(folder.parent.glob(f"{source.name}_*.deb"))
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    package.unlink()
    return folder


def pages(folder: Path, source: Source) -> list[Path]:
    """The source's pages with code, chosen by the digest of their path."""
    found = [path for path in folder.glob(source.pattern) if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES]
    found.sort(key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest())
    chosen: list[Path] = []
    for path in found:
        if len(chosen) < source.most and len(_CODE.findall(path.read_bytes())) >= MIN_CODE:
            chosen.append(path)
    return chosen


def write_warc(paths: Iterator[Path], root: Path, out: Path) -> int:
    """One response record per page, each its own gzip member; the number of records."""
    from fastwarc.stream_io import GzipWriter
    from fastwarc.warc import WarcRecord, WarcRecordType

    count = 0
    with open(out, "wb") as stream:
        writer = GzipWriter(stream)
        for path in paths:
            record = WarcRecord()
            record.init_headers(WarcRecordType.response)
            record.headers["WARC-Target-URI"] = f"https://docs.example.org/{path.relative_to(root)}"
            record.headers["WARC-Date"] = "2024-01-01T00:00:00Z"
            record.headers["Content-Type"] = "application/http; msgtype=response"
            record.set_bytes_content(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + path.read_bytes())
            record.write(writer, checksum_data=True)
            count += 1
        writer.finish()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="write an archive of every HTML page of the Debian packages too")
    arguments = parser.parse_args()
    root = arguments.folder
    for source in read_sources():
        try:
            chosen = pages(fetch(source, root), source)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"{source.kind}: {source.name} could not be fetched: {error}")
            continue
        print(f"{source.kind}: {len(chosen)} pages of {source.name}")
        target = root / "pages" / source.kind
        target.mkdir(parents=True, exist_ok=True)
        for path in chosen:
            shutil.copyfile(path, target / f"{source.name.replace('/', '+')}--{path.parent.name}--{path.name}")
    if arguments.all:
        debian = root / "debian"
        every = (path for path in sorted(debian.glob("**/*.html")) if path.is_file() and path.stat().st_size <= MAX_BYTES)
        print(write_warc(every, debian, root / "everything.warc.gz"), "records in", root / "everything.warc.gz")


if __name__ == "__main__":
    main()
