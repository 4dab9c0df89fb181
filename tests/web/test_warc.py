from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from beam_seed.records import Failed, Rejected
from beam_seed.web.records import Response
from beam_seed.web.warc import read_warc

PAGE = b"<html><body><pre>code %d</pre></body></html>" + b"filler " * 200


def record(
    number: int, body: bytes | None = None, kind: str = "response", http: bytes = b"", status: bytes = b"200 OK", **headers: str
) -> bytes:
    http = b"HTTP/1.1 %s\r\n%s\r\n" % (status, http or b"Content-Type: text/html; charset=utf-8\r\n")
    block = http + (PAGE % number if body is None else body)
    given = {
        "WARC-Type": kind,
        "WARC-Target-URI": f"http://example.org/{number}",
        "WARC-Date": "2024-01-01T00:00:00Z",
        "WARC-Record-ID": f"<urn:uuid:{number}>",
        "WARC-Block-Digest": "sha1:" + base64.b32encode(hashlib.sha1(block).digest()).decode(),
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    } | {key.replace("_", "-"): value for key, value in headers.items()}
    return ("WARC/1.0\r\n" + "".join(f"{key}: {value}\r\n" for key, value in given.items()) + "\r\n").encode() + block + b"\r\n\r\n"


PACKERS: dict[str, Any] = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor(write_checksum=True).compress, "plain": bytes}


def read(archive: bytes, **limits: int) -> list[Any]:
    return list(read_warc(io.BytesIO(archive), "a.warc", **limits))


def pages(found: list[Any]) -> list[int]:
    return [int(each.url.rpartition("/")[2]) for each in found if isinstance(each, Response)]


def only(archive: bytes, **limits: int) -> Any:
    (found,) = read(archive, **limits)
    return found


@pytest.mark.parametrize("packer", PACKERS)
def test_records_in_order_with_their_offsets(packer: str) -> None:
    parts = [PACKERS[packer](record(number)) for number in range(5)]
    found = read(b"".join(parts))
    assert pages(found) == [0, 1, 2, 3, 4]
    assert [each.offset for each in found] == [sum(map(len, parts[:number])) for number in range(5)]
    assert found[3].body == PAGE % 3
    assert (found[0].media_type, found[0].charset, found[0].date) == ("text/html", "utf-8", "2024-01-01T00:00:00Z")


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("where", ["begin", "middle"])
@pytest.mark.parametrize("which", [0, 2, 4])
def test_a_damaged_record_loses_only_itself(packer: str, where: str, which: int) -> None:
    parts = [bytearray(PACKERS[packer](record(number))) for number in range(5)]
    at = 0 if where == "begin" else len(parts[which]) // 2
    if (packer, where, which) == ("plain", "begin", 0) or (where == "begin" and which == 0):
        pytest.skip("a file whose first bytes are damaged is no archive")
    parts[which][at : at + 6] = b"\0\xff\0\xff\0\xff"
    found = read(b"".join(parts))
    assert pages(found) == [number for number in range(5) if number != which]
    (lost,) = [each for each in found if not isinstance(each, Response)]
    assert isinstance(lost, (Failed, Rejected))


@pytest.mark.parametrize("packer", PACKERS)
def test_bytes_that_do_not_belong_and_a_cut_end(packer: str) -> None:
    parts = [PACKERS[packer](record(number)) for number in range(4)]
    found = read(b"".join([*parts[:2], b"junk" * 50, *parts[2:]])[:-30])
    assert pages(found) == [0, 1, 2]
    assert [type(each) for each in found if not isinstance(each, Response)] == [Failed, Failed]


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("length", ["9000", "90000000000"])
def test_a_wrong_length_does_not_swallow_what_follows(packer: str, length: str) -> None:
    parts = [PACKERS[packer](record(number, **({"Content-Length": length} if number == 1 else {}))) for number in range(9)]
    assert pages(read(b"".join(parts))) == [0, 2, 3, 4, 5, 6, 7, 8]


def test_all_records_in_one_member() -> None:
    assert pages(read(gzip.compress(b"".join(map(record, range(4)))))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (record(1, WARC_Block_Digest="sha1:" + "A" * 32), "wrong-digest"),
        (record(1, WARC_Payload_Digest="sha1:" + "A" * 32), "wrong-digest"),
        (record(1, kind="revisit"), "revisit"),
        (record(1, kind="continuation"), "not-a-response"),
        (record(1, WARC_Truncated="length"), "truncated"),
        (record(1, status=b"404 Not Found"), "http-status"),
        (record(1, http=b"Content-Type: image/png\r\n"), "non-html"),
        (record(1, body=b" "), "empty"),
        (record(1, body=b"x" * 5000), "too-large"),
    ],
)
def test_named_reasons(made: bytes, rule: str) -> None:
    found = only(made, max_bytes=4000)
    assert isinstance(found, Rejected)
    assert (found.rule, found.stage, found.source) == (rule, "read", "a.warc")


def test_what_describes_a_capture_is_passed_over() -> None:
    assert read(b"".join(record(1, kind=kind) for kind in ("warcinfo", "request", "metadata"))) == []


def chunked(data: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(data[at : at + 100]), data[at : at + 100]) for at in range(0, len(data), 100)) + b"0\r\n\r\n"


RAW_DEFLATE = zlib.compress(PAGE % 1)[2:-4]


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        (b"Content-Encoding: gzip", gzip.compress(PAGE % 1, mtime=0)),
        (b"Content-Encoding: br", brotli.compress(PAGE % 1)),
        (b"Content-Encoding: deflate", zlib.compress(PAGE % 1)),
        (b"Content-Encoding: deflate", RAW_DEFLATE),
        (b"Content-Encoding: zstd", zstandard.compress(PAGE % 1)),
        (b"Content-Encoding: gzip, gzip", gzip.compress(gzip.compress(PAGE % 1, mtime=0), mtime=0)),
        (b"Transfer-Encoding: chunked", chunked(PAGE % 1)),
        (b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(gzip.compress(PAGE % 1, mtime=0))),
        (b"Content-Encoding: gzip", PAGE % 1),  # stored decoded, the header left as it was
        (b"Transfer-Encoding: chunked", PAGE % 1),
    ],
)
def test_encodings_are_undone(header: bytes, sent: bytes) -> None:
    assert only(record(1, body=sent, http=b"Content-Type: text/html\r\n" + header + b"\r\n")).body == PAGE % 1


def test_bombs_are_refused_by_their_size() -> None:
    bomb = gzip.compress(b"<html>" + b"a" * 30_000_000)
    found = only(record(1, body=bomb, http=b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n"), max_bytes=1 << 20)
    assert (found.rule, found.limit) == ("too-large", 1 << 20)
    archive = gzip.compress(record(0)) + gzip.compress(record(1, body=b"a" * 30_000_000)) + gzip.compress(record(2))
    assert pages(read(archive, max_bytes=1 << 20)) == [0, 2]


def test_wet_is_text() -> None:
    text = b"Zeile\n"
    made = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.org/1\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n"
    found = only(made + b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text) + text + b"\r\n\r\n")
    assert (found.media_type, found.body) == ("text/plain", text)


@pytest.mark.parametrize("data", [b"hello world" * 100, b"\0" * 100, b"PK\x03\x04"])
def test_what_is_no_archive_fails_by_name(data: bytes) -> None:
    assert "neither a WARC file" in only(data).error
    assert read(b"") == []
