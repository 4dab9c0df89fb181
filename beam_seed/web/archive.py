"""Archives to pages: read, extracted, addressed, and the first heuristics applied, in one pass over the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from beam_seed.records import Failed, Rejected, document_id
from beam_seed.web.extract import extract, extract_text
from beam_seed.web.heuristics import Limits, judge_page
from beam_seed.web.records import STAGE, Page, Response, fail_record, make_page, reject_page, reject_record
from beam_seed.web.signatures import read_markup
from beam_seed.web.url import canonicalise
from beam_seed.web.warc import read_warc

WET_MEDIA_TYPE = "text/plain"


def read_archive(stream: BinaryIO, source: str, limits: Limits) -> Iterator[Page | Rejected | Failed]:
    """Every capture of one archive, once: a page, or why it is none.

    What the reader rejects or fails with is told under its canonical address, where it has one. Of the captures of one canonical address
    that pass the heuristics the first is the page, and the others are rejected (``repeated-address``): they are of one crawl.
    """
    seen: set[bytes] = set()
    for record in read_warc(stream, source):
        if isinstance(record, Rejected | Failed):
            yield _placed(record)
            continue
        page = read_response(record, limits)
        if isinstance(page, Page):
            key = bytes.fromhex(page.id)
            if key in seen:
                page = _repeated(page, record.offset)
            seen.add(key)
        yield page


def read_response(response: Response, limits: Limits) -> Page | Rejected | Failed:
    """The page of a response. A page whose extraction raises is failed, never lost and never fatal."""
    try:
        host, path = canonicalise(response.url)
    except ValueError as error:
        told = json.dumps({"error": str(error)}, ensure_ascii=False)
        return reject_record(response.source, response.offset, response.url, "no-address", len(response.body), evidence=told)
    try:
        if response.media_type == WET_MEDIA_TYPE:
            page = make_page(response, host, path, extract_text(response.body))
        else:
            page = make_page(response, host, path, extract(response.body, response.charset), *read_markup(response.body))
        return judge_page(page, limits)
    except Exception as error:  # the parser is native code fed with strangers' bytes
        return fail_record(response.source, response.offset, response.url, error, len(response.body))._replace(repo=host, path=path)


def _placed(record: Any) -> Any:
    try:
        address = canonicalise(record.path)
    except ValueError:
        return record
    return record._replace(repo=address.host, path=address.path)


def _repeated(page: Page, offset: int) -> Rejected:
    own = document_id(page.source, page.repo, f"{page.path}\0{offset}")  # an id of its own, since every capture has one
    return reject_page(page._replace(id=own), STAGE, "repeated-address", evidence=json.dumps({"offset": offset}))
