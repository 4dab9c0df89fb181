"""The records of web archives, from the response to the page."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from beam_seed.records import Document, Failed, Rejected, document_id, reject

STAGE = "read"
"""Stage under which what never became a page is rejected or failed."""


class Response(NamedTuple):
    """One HTML response (or, in a WET file, one page's plain text) of an archive, its transfer and content encodings undone."""

    source: str  # the archive, as listed from --input
    offset: int  # of the record in the archive, in bytes of the file as it lies (compressed)
    url: str  # WARC-Target-URI as given
    date: str  # WARC-Date, ISO 8601
    media_type: str  # lower case, without parameters: 'text/html', 'application/xhtml+xml', 'text/plain' (WET)
    charset: str  # of the HTTP Content-Type header, as given; '' = not told
    body: bytes


class Extracted(NamedTuple):
    """The main content of a page."""

    title: str  # one line; '' = none
    markdown: str  # headings, lists, tables, inline code, fenced code blocks verbatim
    charset: str  # the WHATWG name of the encoding that the body was decoded with
    language: str  # of <html lang>, lower case; '' = not told
    code_tags: int  # elements of the main content that say they are code (<pre>, <code>, <samp>, <kbd>, ...) and are not empty
    code_blocks: int  # fenced blocks in the Markdown
    words: int  # of the Markdown: runs of letters and digits; in scripts without spaces every character is a word
    link_share: float  # share (0 to 1) of the characters of the main content's text that are inside links


class Page(NamedTuple):
    """One page: the fields of a Document, which every step of code curation can read, then what only pages have."""

    id: str  # records.document_id(source, repo, path)
    source: str  # the archive
    repo: str  # canonical host
    path: str  # canonical path and query
    revision: str  # WARC-Date
    content: str  # Markdown
    size: int  # bytes of the content as UTF-8
    sha256: str  # of the content
    license: str  # ''
    stars: int | None  # None
    forks: int | None  # None
    created: str  # WARC-Date: of pages with one content, the first captured is kept
    language: str  # LANGUAGE
    url: str  # as the archive gives it
    title: str
    charset: str
    page_language: str  # natural language as the page tells it
    code_tags: int
    code_blocks: int
    words: int
    link_share: float
    generator: str  # of <meta name=generator>, lower case; '' = none
    markup: str  # class, id and schema.org names, separated by spaces, see signatures.Markup


LANGUAGE = "Markdown"
"""What the content of every page is written in."""


def make_page(response: Response, host: str, path: str, extracted: Extracted, generator: str = "", markup: str = "") -> Page:
    """The page of a response."""
    data = extracted.markdown.encode("utf-8", "surrogatepass")
    return Page(
        document_id(response.source, host, path),
        response.source,
        host,
        path,
        response.date,
        extracted.markdown,
        len(data),
        hashlib.sha256(data).hexdigest(),
        "",
        None,
        None,
        response.date,
        LANGUAGE,
        response.url,
        extracted.title,
        extracted.charset,
        extracted.language,
        extracted.code_tags,
        extracted.code_blocks,
        extracted.words,
        extracted.link_share,
        generator,
        markup,
    )


def document_of(page: Page) -> Document:
    """The page as a Document, without what only pages have."""
    return Document._make(page[: len(Document._fields)])


def reject_page(
    page: Page, stage: str, rule: str, measured: float | None = None, limit: float | None = None, evidence: str = "{}"
) -> Rejected:
    """The Rejected record of a page whose category is not known yet."""
    return reject(document_of(page)._replace(language=""), stage, rule, measured, limit, evidence)


def record_id(source: str, offset: int, url: str) -> str:
    """Stable identity of a WARC record that became no page: one archive may hold an address many times."""
    return document_id(source, str(offset), url)


def reject_record(
    source: str,
    offset: int,
    url: str,
    rule: str,
    size: int = 0,
    measured: float | None = None,
    limit: float | None = None,
    evidence: str = "{}",
) -> Rejected:
    """The Rejected record of a WARC record that gives no page. ``size``: of its block in bytes, 0 where unknown."""
    return Rejected(record_id(source, offset, url), source, "", url, size, "", STAGE, rule, measured, limit, evidence)


def fail_record(source: str, offset: int, url: str, error: BaseException | str, size: int = 0) -> Failed:
    """The Failed record of a WARC record that could not be read."""
    told = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Failed(record_id(source, offset, url), source, "", url, size, "", STAGE, " ".join(told.split())[:1000])
