"""Compressed streams from strangers: told apart by their first bytes, unpacked within limits, cut short where they are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import zstandard

from beam_seed.sources.repository import ArchiveLimitError, Limits

_CHUNK = 256 << 10
_INPUT = 1 << 10  # a zstd block of 4 bytes unpacks to 128 KiB: so much input gives at most 32 MiB at once
_ZSTD_WINDOW = 128 << 20  # zstd's own limit for decoders; --ultra --long=27 stays within it
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MiB; a header may ask for 4 GiB
RATIO_FREE_BYTES = 64 << 20
"""Below this an archive of any ratio is harmless, and small archives of zeros are common in test data."""


def unpack(source: BinaryIO, limits: Limits, packed_bytes: int) -> Iterator[bytes]:
    """Chunks of the unpacked stream.

    Raises what the codec raises on damage, after everything before the damage; ``ArchiveLimitError`` beyond ``limits``, where
    ``packed_bytes`` is the size of the source.
    """
    total = 0
    allowed = min(limits.unpacked_bytes, max(RATIO_FREE_BYTES, int(limits.ratio * packed_bytes)))
    for chunk in _chunks(source):
        total += len(chunk)
        if total > allowed:
            raise ArchiveLimitError(f"unpacks to more than {allowed} bytes from {packed_bytes}; the limits are {limits}")
        yield chunk


def is_compressed(source: BinaryIO) -> bool:
    """Whether ``source`` begins as a stream that ``unpack`` knows: gzip, bzip2, xz or zstd."""
    return bool(_codec(source))


def _codec(source: BinaryIO) -> str:
    magic = source.read(6)
    source.seek(0)
    skippable = magic[1:4] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F  # a zstd frame of metadata
    codecs = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0", "zstd": b"\x28\xb5\x2f\xfd"}
    return "zstd" if skippable else next((codec for codec, start in codecs.items() if magic.startswith(start)), "")


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    codec = _codec(source)
    if codec == "gzip":
        return _read_chunks(gzip.GzipFile(fileobj=source))
    if codec == "bzip2":
        return _read_chunks(bz2.BZ2File(source))
    if codec == "xz":
        return _frames(source, codec, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))
    if codec == "zstd":
        return _frames(source, codec, zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj)
    return _read_chunks(source)


def _read_chunks(file: BinaryIO | gzip.GzipFile | bz2.BZ2File) -> Iterator[bytes]:
    # read1: what was unpacked before damage arrives, where read() would discard it with the exception.
    read = getattr(file, "read1", file.read)
    while chunk := read(_CHUNK):
        yield chunk


def _frames(source: BinaryIO, codec: str, make: Callable[[], Any]) -> Iterator[bytes]:
    data = source.read(_INPUT)
    while data:
        decompressor = make()
        while not decompressor.eof:
            if not data:
                raise EOFError(f"the {codec} stream ends before its end marker")
            yield decompressor.decompress(data)
            data = decompressor.unused_data if decompressor.eof else source.read(_INPUT)
        data = data.lstrip(b"\0")  # xz pads streams with zeros
        while not data and (more := source.read(_INPUT)):
            data = more.lstrip(b"\0")
