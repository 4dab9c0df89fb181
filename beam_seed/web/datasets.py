"""The dataset of pages: the columns of ``documents/`` and, beside them, what only pages have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from beam_seed.curation.datasets import DOCUMENTS, read_groups, table_of
from beam_seed.web.records import Page

PAGES = pa.schema(  # the fields of records.Page
    [
        *DOCUMENTS,
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


def pages_table(pages: Sequence[Page]) -> pa.Table:
    """Pages as a table of PAGES."""
    return table_of(pages, PAGES)


def read_pages(path: str, rows: Sequence[int] | None = None) -> Iterator[tuple[int, list[Page]]]:
    """Row groups of a shard as pages, with the number of their first row; with ``rows``, only the groups that hold one of them."""
    for start, table in read_groups(path, Page._fields, rows):
        yield start, list(map(Page._make, zip(*(table[name].to_pylist() for name in Page._fields), strict=True)))
