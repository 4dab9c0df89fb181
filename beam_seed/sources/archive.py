"""Repository archives: zip, and tar under any compression. Nothing is ever extracted by name.

A compressed tar is unpacked as a stream into an anonymous temporary file; members are then read where they lie. Everything an archive
says of itself (names, sizes, links, kinds) is checked, and what was readable before a fault is kept.
"""

from __future__ import annotations

import itertools
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from beam_seed import storage
from beam_seed.sources import decompress
from beam_seed.sources.repository import ArchiveLimitError, Limits, Member, display, is_machine_error, normalise, path_fault

_TAR_HEADER_BYTES = 1 << 20
"""Largest extended header (PAX, GNU long name) that is parsed: attributes of a file are at most 64 KiB each on Linux."""

_ZIP_INDEX_BYTES = 128 << 20
"""Largest directory of a zip that is parsed: about a million entries of ordinary length, each 0.6 KB once parsed."""


_PIECE_BYTES = 1 << 20


def open_archive(file: BinaryIO, size: int, limits: Limits) -> TarArchive | ZipArchive:
    """The members of the archive in ``file`` (seekable, ``size`` bytes; closed with the repository).

    Raises ``zipfile.BadZipFile``, ``tarfile.TarError``, ``ArchiveLimitError`` where nothing can be read.
    """
    magic = file.read(4)
    file.seek(0)
    # Zip first by its own mark: a stored member may hold a tar's.
    return ZipArchive(file, size, limits) if magic in (b"PK\3\4", b"PK\5\6") else TarArchive(file, size, limits)


class _CappedFile:
    """A file that refuses reads of more than ``cap`` bytes: both libraries read headers whole, whatever size they claim."""

    def __init__(self, file: BinaryIO, cap: int):
        self._file = file
        self._cap = cap
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._cap + 1 if size < 0 else min(size, self._cap + 1))
        if len(data) > self._cap:
            raise ArchiveLimitError(f"archive-limits: a header of more than {self._cap} bytes")
        return data


def temporary_file() -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile())


def _strip_common_folder(members: list[Member]) -> list[Member]:
    """Members without the single folder that holds them all, as archives of a release have."""
    inside = [member.path for member in members if not path_fault(member.path)]
    top = inside[0].partition("/")[0] + "/" if inside else ""
    if not top or not all(path.startswith(top) and path != top for path in inside):
        return members
    return [member._replace(path=member.path[len(top) :]) if not path_fault(member.path) else member for member in members]


class TarArchive:
    """A tar of any compression. ``revision`` is the commit that ``git archive`` notes in its header."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits):
        self.revision = ""
        self.faults: list[str] = []
        self._unpack_faults: list[str] = []
        self._limits = limits
        self._source = file
        compressed = decompress.is_compressed(file)
        self._file = temporary_file() if compressed else file
        self._size = self._unpack(file, size) if compressed else size

    def _unpack(self, file: BinaryIO, packed_bytes: int) -> int:
        chunks = decompress.unpack(file, self._limits, packed_bytes)
        while True:
            try:
                chunk = next(chunks, None)
            except Exception as error:
                if is_machine_error(error):
                    raise
                self._unpack_faults.append(f"{type(error).__name__}: {error}")
                return self._file.tell()
            if chunk is None:
                return self._file.tell()
            with storage.naming_full_disk(tempfile.gettempdir()):  # outside of the try: a full disk is not the archive's fault
                self._file.write(chunk)
                self._file.flush()

    def members(self) -> list[Member]:
        self.faults = list(self._unpack_faults)
        members: list[Member] = []
        self._file.seek(0)
        try:
            self._index(members)
        except Exception as error:
            if is_machine_error(error):
                raise
            self.faults.append(f"{type(error).__name__}: {error} (after {len(members)} members)")
        return _strip_common_folder(members)

    def _index(self, members: list[Member]) -> None:
        with tarfile.open(fileobj=cast(BinaryIO, _CappedFile(self._file, _TAR_HEADER_BYTES)), mode="r:") as archive:
            while info := archive.next():
                if not info.isdir():
                    members.append(self._member(info))
                if len(members) > self._limits.members:
                    raise ArchiveLimitError(f"more than {self._limits.members} members")
                cast(Any, archive).members.clear()  # else the library keeps every header
            self.revision = archive.pax_headers.get("comment", "") if len(archive.pax_headers.get("comment", "")) in (40, 64) else ""
            self._check_end(archive.offset)

    def _check_end(self, offset: int) -> None:
        # The library takes a damaged header for the end of the archive.
        self._file.seek(offset)
        block = self._file.read(tarfile.BLOCKSIZE)
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"no header at offset {offset}")
        if not block and not self._unpack_faults:
            raise tarfile.ReadError("no end-of-archive marker: it may be cut short")

    def _member(self, info: tarfile.TarInfo) -> Member:
        path = normalise(display(info.name))
        if info.islnk() or info.issym():
            return Member(path, 0, None, rule="link", evidence=display(info.linkname)[:1000])
        if not info.isreg() or info.issparse():
            kind = "sparse file" if info.issparse() else f"tar type {info.type!r}"
            return Member(path, info.size, None, rule="special-file", evidence=kind)
        error = "" if info.offset_data + info.size <= self._size else "EOFError: the archive ends within this member"
        return Member(path, info.size, info.offset_data, error=error)

    def read(self, member: Member, max_bytes: int) -> bytes:
        self._file.seek(member.key)
        data = self._file.read(min(member.size, max_bytes))
        if len(data) < min(member.size, max_bytes):
            raise EOFError("the archive ends within this member")
        return data

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The whole of a member, piece by piece. Raises EOFError where the archive ends within it."""
        self._file.seek(member.key)
        left = member.size
        while left:
            data = self._file.read(min(left, _PIECE_BYTES))
            if not data:
                raise EOFError("the archive ends within this member")
            left -= len(data)
            yield data

    def close(self) -> None:
        self._file.close()
        self._source.close()


class ZipArchive:
    """A zip. ``revision`` is the commit that ``git archive`` notes as the archive's comment."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits):
        self.faults: list[str] = []
        self._limits = limits
        self._source = file
        self._archive = zipfile.ZipFile(cast(BinaryIO, _CappedFile(file, _ZIP_INDEX_BYTES)))
        if len(self._archive.filelist) > limits.members:
            raise ArchiveLimitError(f"{len(self._archive.filelist)} members; at most {limits.members} are read")
        comment = self._archive.comment.decode("ascii", "replace")
        self.revision = comment if len(comment) in (40, 64) and comment.isalnum() else ""
        self._left = min(limits.unpacked_bytes, max(decompress.RATIO_FREE_BYTES, int(limits.ratio * size)))

    def members(self) -> list[Member]:
        overlapping = _overlapping(self._archive.filelist)
        return _strip_common_folder(
            [self._member(info, info.header_offset in overlapping) for info in self._archive.filelist if not info.is_dir()]
        )

    def _member(self, info: zipfile.ZipInfo, overlaps: bool) -> Member:
        path = normalise(display(info.orig_filename))
        mode = info.external_attr >> 16
        if stat.S_ISLNK(mode):
            return Member(path, info.file_size, None, rule="link")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return Member(path, info.file_size, None, rule="special-file", evidence=stat.filemode(mode)[0])
        error = ""
        if info.flag_bits & 0x1:
            error = "encrypted: no password is ever tried"
        elif overlaps:
            error = "archive-limits: its data overlap another member's, as in a zip bomb"
        return Member(path, info.file_size, info, error=error)

    def read(self, member: Member, max_bytes: int) -> bytes:
        if self._left <= 0:
            raise ArchiveLimitError(f"archive-limits: the members before this one unpacked to all that {self._limits} allow")
        with self._archive.open(member.key) as file:
            data = file.read(max_bytes)
            self._left -= len(data)
            if len(data) < max_bytes:
                file.read(1)  # at its end the library compares the checksum
        if len(data) < min(member.size, max_bytes):
            raise EOFError(f"{len(data)} bytes of the {member.size} it declares")
        return data

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The whole of a member, piece by piece. Raises what the library raises, ``ArchiveLimitError`` beyond the limits."""
        with self._archive.open(member.key) as file:
            while data := file.read(_PIECE_BYTES):
                self._left -= len(data)
                if self._left < 0:
                    raise ArchiveLimitError(f"archive-limits: its members unpack to more than {self._limits} allow")
                yield data

    def close(self) -> None:
        self._archive.close()
        self._source.close()


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Offsets of members whose data reach into the next member: there one run of packed bytes is unpacked many times."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    overlapping: set[int] = set()
    for info, following in itertools.pairwise(ordered):
        if info.header_offset + len("PK\3\4") + 26 + info.compress_size > following.header_offset:
            overlapping.update(
                (info.header_offset, following.header_offset) if info.header_offset == following.header_offset else (info.header_offset,)
            )
    return overlapping
