"""The dataset of pages: the columns of ``documents/`` and, beside them, what only pages have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from beam_seed.curation.datasets import DOCUMENTS, read_groups
from beam_seed.records import Document
from beam_seed.web.records import Facts, Page

FACTS = pa.schema(
    [
        pa.field("url", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("charset", pa.string(), nullable=False),
        pa.field("page_language", pa.string(), nullable=False),
        pa.field("code_tags", pa.int32(), nullable=False),
        pa.field("code_blocks", pa.int32(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("link_share", pa.float32(), nullable=False),
        pa.field("generator", pa.string(), nullable=False),
        pa.field("markup", pa.string(), nullable=False),
    ]
)

PAGES = pa.schema([*DOCUMENTS, *FACTS])


def pages_table(pages: Sequence[Page]) -> pa.Table:
    """Pages as a table of PAGES."""
    columns = [pa.array([getattr(page.document, field.name) for page in pages], field.type) for field in DOCUMENTS]
    columns += [pa.array([getattr(page.facts, field.name) for page in pages], field.type) for field in FACTS]
    return pa.table(columns, schema=PAGES)


def read_pages(path: str, rows: Sequence[int] | None = None) -> Iterator[tuple[int, list[Page]]]:
    """Row groups of a shard as pages, with the number of their first row; with ``rows``, only the groups that hold one of them."""
    for start, table in read_groups(path, PAGES.names, rows):
        documents = zip(*(table[name].to_pylist() for name in Document._fields), strict=True)
        facts = zip(*(table[name].to_pylist() for name in Facts._fields), strict=True)
        yield start, [Page(Document(*document), Facts(*fact)) for document, fact in zip(documents, facts, strict=True)]
