"""HTML responses of a WARC file, or the pages of a WET file: streamed, and one damaged record loses only itself.

Records are framed and parsed by FastWARC. What is ours: finding the next record after a damaged one, limits on what is unpacked, and a
name for everything that gives no page. What is read is a pure function of the file, so a file that was cut short is simply read again.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, ZstdReader
from fastwarc.warc import ArchiveIterator, WarcRecordType

from beam_seed.records import Failed, Rejected
from beam_seed.web.records import Response, fail_record, reject_record

MAX_BYTES = 10 << 20
"""Largest body in bytes, before and after its encodings are undone. Common Crawl cuts bodies at 5 MiB; of larger ones text
is a small part."""

HTML = frozenset({"text/html", "application/xhtml+xml"})
_GZIP, _ZSTD, _PLAIN = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"WARC/1."
_READERS: dict[bytes, Any] = {_GZIP: GzipReader, _ZSTD: ZstdReader, _PLAIN: None}
_ABOUT_CAPTURES = WarcRecordType.warcinfo | WarcRecordType.request | WarcRecordType.metadata  # describe captures, are none
_CHUNK = 1 << 20  # bytes read at a time in the search for the next record
_HEAD = 4096  # bytes of a gzip member that are enough to see whether a WARC record begins in it


def read_warc(stream: BinaryIO, source: str, max_bytes: int = MAX_BYTES) -> Iterator[Response | Rejected | Failed]:
    """The pages of one archive, and what its other records are rejected for or fail with.

    Reads WARC and WET, gzip or zstd per record or plain. Records that describe captures (warcinfo, request, metadata) are passed over.
    Rules: ``revisit``, ``not-a-response``, ``unknown-type``, ``truncated`` (by the crawler), ``too-large``, ``wrong-digest``,
    ``http-status``, ``non-html``, ``empty``. Failures: damaged records, a file that ends early, encodings that cannot be undone.

    Args:
        stream: seekable, at its start.
        source: the archive's name in the records.
        max_bytes: of a record's block, and of its body when decoded.
    """
    magic = next((each for each in _READERS if stream.read(len(each)).startswith(each) | bool(stream.seek(0))), None)
    if magic is None:
        if stream.read(1):
            yield fail_record(source, 0, "", "neither a WARC file nor one packed with gzip or zstd: it begins with other bytes")
        return
    position: int | None = 0
    while position is not None:
        walk = _Walk(stream, source, magic, position, max_bytes)
        yield from walk
        position = walk.resume


class _Walk:
    """The records from ``position`` up to the first that breaks the framing; ``resume`` then says where to go on."""

    def __init__(self, stream: BinaryIO, source: str, magic: bytes, position: int, max_bytes: int):
        self.resume: int | None = None
        self._stream, self._source, self._magic, self._position, self._max_bytes = stream, source, magic, position, max_bytes

    def __iter__(self) -> Iterator[Response | Rejected | Failed]:
        self._stream.seek(self._position)
        unpacker = _READERS[self._magic]
        reader: Any = unpacker(self._stream) if unpacker else self._stream
        last = None
        try:
            for record in ArchiveIterator(reader, parse_http=False):
                offset = reader.frame_start_position() if unpacker else record.stream_pos
                last = offset
                page = _read_record(record, self._source, offset, self._max_bytes)
                if page is not None:
                    yield page
                if _breaks_framing(page, within_frame=unpacker is not None and reader.frame_start_position() == offset):
                    self.resume = _next_record(self._stream, self._magic, offset + 1)
                    if self.resume is not None:
                        return
        except OSError as error:
            yield from self._damaged(error, reader.frame_start_position() if unpacker else None, last)

    def _damaged(self, error: OSError, frame: int | None, last: int | None) -> Iterator[Failed]:
        told = " ".join(str(error).split())[:200]
        if frame is not None:
            yield fail_record(self._source, frame, "", f"damaged record at byte {frame}: {told}")
            self.resume = _next_record(self._stream, self._magic, frame + 1)
        elif last is not None or self._position == 0:
            # Where the damage begins in a plain file is not known: the record may still be there after bytes that do not belong.
            yield fail_record(self._source, (last or 0) + 1, "", f"damaged record after the one at byte {last or 0}: {told}")
            self.resume = _next_record(self._stream, self._magic, (last or 0) + 1)
        else:
            self.resume = _next_record(self._stream, self._magic, self._position + 1)


def _breaks_framing(page: Response | Rejected | Failed | None, within_frame: bool) -> bool:
    """Whether what was read may have run, or would run, into the records behind it, because its header is damaged or too large."""
    if isinstance(page, Rejected):
        return page.rule in ("too-large", "unknown-type") or (page.rule == "wrong-digest" and not within_frame)
    return isinstance(page, Failed)


def _next_record(stream: BinaryIO, magic: bytes, start: int) -> int | None:
    """Position of the first record at or after ``start``; None where there is none."""
    stream.seek(start)
    base, window = start, b""
    while chunk := stream.read(_CHUNK):
        window += chunk
        at = window.find(magic)
        while at >= 0:
            if _begins_record(stream, magic, base + at):
                return base + at
            at = window.find(magic, at + 1)
        base, window = base + len(window) - len(magic) + 1, window[-len(magic) + 1 :]
        stream.seek(base + len(window))
    return None


def _begins_record(stream: BinaryIO, magic: bytes, position: int) -> bool:
    if magic == _ZSTD:
        return True  # four bytes that chance hardly gives; a false find only means one more search
    stream.seek(position)
    if magic == _PLAIN:
        return stream.read(len(_PLAIN) + 3)[len(_PLAIN) :] in (b"0\r\n", b"1\r\n")
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(stream.read(_HEAD), 16).startswith(b"WARC/")
    except zlib.error:
        return False


class _Refusal(NamedTuple):
    rule: str
    measured: float | None = None
    limit: float | None = None


def _read_record(record: Any, source: str, offset: int, max_bytes: int) -> Response | Rejected | Failed | None:
    """The page of one record, or why it gives none; None for a record that describes a capture."""
    if record.record_type & _ABOUT_CAPTURES:
        return None
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    size = record.content_length
    try:
        found = _page_of(record, max_bytes)
    except (OSError, ValueError, zlib.error) as error:
        return fail_record(source, offset, url, error, size)
    if isinstance(found, _Refusal):
        return reject_record(source, offset, url, found.rule, size, found.measured, found.limit)
    media_type, charset, body = found
    return Response(source, offset, url, record.headers.get("WARC-Date") or "", media_type, charset, body)


def _page_of(record: Any, max_bytes: int) -> tuple[str, str, bytes] | _Refusal:
    """Media type, charset and decoded body. Raises OSError, ValueError or zlib.error where the record cannot be read."""
    kind, size = record.record_type, record.content_length
    if kind == WarcRecordType.revisit:
        return _Refusal("revisit")  # its page is the record that it refers to
    if kind == WarcRecordType.unknown:
        return _Refusal("unknown-type")
    if kind not in (WarcRecordType.response, WarcRecordType.conversion):
        return _Refusal("not-a-response")
    if record.headers.get("WARC-Truncated"):
        return _Refusal("truncated", size)
    if size > max_bytes:
        return _Refusal("too-large", size, max_bytes)
    record.freeze()
    _check_length(record.content_length, size)  # frozen, a record has the length that was found
    if record.headers.get("WARC-Block-Digest") and not record.verify_block_digest():
        return _Refusal("wrong-digest")
    if kind == WarcRecordType.conversion:
        body = record.reader.read()
        return ("text/plain", "utf-8", body) if body.strip() else _Refusal("empty")
    return _http_page(record, max_bytes)


def _http_page(record: Any, max_bytes: int) -> tuple[str, str, bytes] | _Refusal:
    record.parse_http(auto_decode="none")
    headers = record.http_headers
    wrong = record.headers.get("WARC-Payload-Digest") and not record.verify_payload_digest()
    payload = record.reader.read()
    _check_length(len(payload), record.content_length)
    if wrong:
        return _Refusal("wrong-digest")
    if headers is None or headers.status_code is None:
        return _Refusal("not-a-response")
    if headers.status_code != 200:
        return _Refusal("http-status", headers.status_code, 200)
    media_type = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if media_type not in HTML and (media_type or not _looks_like_html(payload)):
        return _Refusal("non-html")
    body = _decoded(payload, headers.get("Transfer-Encoding") or "", headers.get("Content-Encoding") or "", max_bytes)
    if len(body) > max_bytes:
        return _Refusal("too-large", len(body), max_bytes)
    return (media_type or "text/html", record.http_charset or "", body) if body.strip() else _Refusal("empty")


def _check_length(found: int, expected: int) -> None:
    if found < expected:
        raise ValueError(f"the record ends after {found} of the {expected} bytes that its header gives: the archive is cut or damaged")


def _looks_like_html(payload: bytes) -> bool:
    head = payload[:1024].lower()
    return b"<html" in head or b"<!doctype html" in head


def _decoded(payload: bytes, transfer: str, content: str, max_bytes: int) -> bytes:
    """At most ``max_bytes`` + 1 bytes of the body. Many crawlers store the body decoded and leave the header as it was."""
    reader: Any = io.BytesIO(payload)
    if "chunked" in transfer.lower() and payload[:1] in b"0123456789abcdefABCDEF":
        reader = ChunkedReader(reader)
    for name in reversed([each.strip().lower() for each in content.split(",")]):
        unpack = _UNPACKERS.get(name)
        reader = unpack(reader) if unpack else reader
    try:
        return reader.read(max_bytes + 1)
    except OSError:
        if "deflate" in content.lower():  # servers send it with and without zlib's frame
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload, max_bytes + 1)
        if b"<" in payload[:1024]:
            return payload
        raise


_UNPACKERS: dict[str, Any] = {
    "gzip": GzipReader,
    "x-gzip": GzipReader,
    "deflate": lambda reader: GzipReader(reader, zlib=True),
    "br": BrotliReader,
    "zstd": ZstdReader,
}
