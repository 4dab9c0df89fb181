from __future__ import annotations

import io

from beam_seed.records import Failed, Rejected, document_id
from beam_seed.web import archive
from beam_seed.web.archive import read_archive, read_response
from beam_seed.web.heuristics import Limits
from beam_seed.web.records import Page, Response

PROSE = b"<html><head><title>T</title></head><body><p>" + b"some words of prose " * 20 + b"</p></body></html>"


def record(url, body=PROSE, status="200 OK"):
    http = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nContent-Type: application/http\r\nContent-Length: {len(http)}"
    return f"{head}\r\n\r\n".encode() + http + b"\r\n\r\n"


def read(*records):
    return list(read_archive(io.BytesIO(b"".join(records)), "a.warc", Limits()))


def response(url="http://h.example/a", body=PROSE, media_type="text/html"):
    return Response("a.warc", 7, url, "2024-01-01T00:00:00Z", media_type, "", body)


def test_of_one_address_the_first_capture_is_the_page():
    first, second = read(record("http://www.h.example/a?utm_source=x"), record("https://h.example/a#top"))
    assert isinstance(first, Page)
    assert (second.rule, second.repo, second.path) == ("repeated-address", "h.example", "a")
    assert first.id == document_id("a.warc", "h.example", "a") != second.id


def test_a_capture_that_the_heuristics_drop_stands_for_no_other():
    short, whole = read(record("http://h.example/a", b"<p>two words"), record("http://h.example/a"))
    assert short.rule == "too-few-words"
    assert isinstance(whole, Page)


def test_what_the_reader_rejects_has_its_canonical_address_where_it_has_one():
    gone, odd = read(record("http://www.h.example/gone#x", status="404 Not Found"), record("mailto:a@h.example", status="404 Not Found"))
    assert (gone.rule, gone.repo, gone.path) == ("http-status", "h.example", "gone")
    assert (odd.repo, odd.path) == ("", "mailto:a@h.example")


def test_a_page_without_a_canonical_address_is_rejected():
    judged = read_response(response("mailto:a@h.example"), Limits())
    assert isinstance(judged, Rejected)
    assert judged.rule == "no-address"


def test_the_text_of_a_wet_file_is_a_page():
    page = read_response(response(body=b"A title\n" + b"words of text " * 10, media_type="text/plain"), Limits())
    assert (page.title, page.code_tags, page.words) == ("A title", 0, 32)


def test_a_page_whose_extraction_raises_is_failed(monkeypatch):
    def broken(*_):
        raise RuntimeError("parser\nfault")

    monkeypatch.setattr(archive, "extract", broken)
    failed = read_response(response(), Limits())
    assert isinstance(failed, Failed)
    assert (failed.repo, failed.path, failed.error) == ("h.example", "a", "RuntimeError: parser fault")
