"""Rows of a corpus to the copies of its documents that a stage takes, tokenised."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.curation.datasets import read_groups
from beam_seed.draws import draws
from beam_seed.fim.split import FillInMiddle
from beam_seed.mixture.plan import copies
from beam_seed.mixture.stage import Source
from beam_seed.records import document_id
from beam_seed.shards.takedown import Tombstones
from beam_seed.shards.tokenizer import I32
from beam_seed.special_tokens import escape

FORMATTED = "formatted"

TOKENISED = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("id", "source", "repo", "path", "language")),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("form", pa.string(), nullable=False),
        pa.field("sha256", pa.binary(32), nullable=False),
        pa.field("size", pa.int64(), nullable=False),  # bytes of the text
        pa.field("license", pa.string()),
        pa.field("quality", pa.float32()),
        pa.field("order", pa.uint64(), nullable=False),  # random; documents are packed in this order
        pa.field("table", pa.int64(), nullable=False),  # where the row is: of two rows of one id the first is taken
        pa.field("row", pa.int64(), nullable=False),
        pa.field("tokens", pa.list_(pa.int32()), nullable=False),
    ]
)

# What is encoded at once: the library spreads a batch over its threads, and holds some hundred bytes a token of it.
_BATCH_CHARACTERS = 1 << 20


class Row(NamedTuple):
    """One row of a corpus that can be used."""

    number: int
    id: str
    repo: str
    path: str
    language: str
    license: str | None
    quality: float | None
    text: str
    size: int  # bytes
    sha256: bytes


class Copy(NamedTuple):
    """One copy of a document, its text as it is trained on."""

    row: Row
    epoch: int
    form: str
    text: str


class UnusableTableError(ValueError):
    """A table that lacks a column a source names, or cannot be read."""


def text_size(path: str, source: Source) -> list[tuple[int, int]]:
    """``(rows, bytes of text)`` of each row group, from the file's footer. Raises UnusableTableError."""
    try:
        with storage.open_read(path) as file:
            parquet = pq.ParquetFile(file)
            schema, metadata = parquet.schema_arrow, parquet.metadata
    except (pa.ArrowException, OSError) as error:
        raise UnusableTableError(f"{path} cannot be read: {' '.join(str(error).split())}; expected a Parquet file") from None
    for name in source.text:
        if name not in schema.names or not _holds_text(schema.field(name).type):
            found = f"holds {schema.field(name).type}" if name in schema.names else f"is missing; found {', '.join(schema.names)}"
            raise UnusableTableError(f"{path}: column {name!r} {found}; expected text; name the column under the source's key text")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        (
            group.num_rows,
            sum(
                column.total_uncompressed_size
                for column in map(group.column, range(group.num_columns))
                if column.path_in_schema in source.text
            ),
        )
        for group in groups
    ]


def _holds_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_kind(inner) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null))


def read_rows(path: str, source: Source, first: int, last: int, skipped: Counter[str]) -> Iterator[Row]:
    """The usable rows of [first, last), which are whole row groups; the others are counted in ``skipped`` by reason."""
    with storage.open_read(path) as file:
        present = pq.ParquetFile(file).schema_arrow.names
    own = {name: source.column(name) for name in ("id", "repo", "path", "language")} | {
        name: name for name in ("license", "quality", "source")
    }
    wanted = list(dict.fromkeys(column for column in (*own.values(), *source.text) if column in present))
    for start, table in read_groups(path, wanted, range(first, last)):
        texts = zip(*(_bytes(table[name]) for name in source.text), strict=True)
        told = {
            name: _bytes(table[column]) if column in present else [None] * len(table) for name, column in own.items() if name != "quality"
        }
        quality = table["quality"].to_pylist() if "quality" in present else [None] * len(table)
        for offset, parts in enumerate(texts):
            who = {name: _text(values[offset]) for name, values in told.items()}
            found = _row(start + offset, parts, who, quality[offset])
            if isinstance(found, str):
                skipped[found] += 1
            else:
                yield found


def _row(number: int, parts: Sequence[bytes | None], who: Mapping[str, str], quality: Any) -> Row | str:
    """The row, or why it cannot be used."""
    if all(part is None for part in parts):
        return "no-text"
    data = b"".join(part or b"" for part in parts)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "not-utf8"
    digest = hashlib.sha256(data).digest()
    # Without a name a document is what it says.
    named = who["id"] or (document_id(who["source"], who["repo"], who["path"]) if who["path"] else digest[:16].hex())
    score = quality if isinstance(quality, float) else None
    return Row(number, named, who["repo"], who["path"], who["language"], who["license"] or None, score, text, len(data), digest)


def _bytes(column: pa.ChunkedArray) -> list[bytes | None]:
    # Text is decoded by us: Parquet does not promise that it is UTF-8, and one row that is not must not cost the table.
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not _holds_text(column.type):
        column = column.cast(pa.string())
    values: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return values


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


class Chooser:
    """Which copies of a source's documents are taken, and in what form."""

    def __init__(self, name: str, source: Source, factor: float, seed: int, fim: FillInMiddle, tombstones: Tombstones):
        self.name = name
        self._source = source
        self._factor = factor
        self._seed = seed
        self._fim = fim
        self._tombstones = tombstones

    def copies(self, row: Row, skipped: Counter[str]) -> Iterator[Copy]:
        """The copies of a row; none where it was taken down, which is counted, or where chance takes none, which is too."""
        if self._tombstones.holds(row.repo, row.path, row.sha256, row.text if self._source.formatted else None):
            skipped["removed"] += 1
            return
        count = copies(self._seed, self.name, row.id, self._factor)
        if not count:
            skipped["not-drawn"] += 1
            return
        text = row.text if self._source.formatted else escape(row.text)
        for epoch in range(count):
            form, own = (FORMATTED, text) if self._source.formatted else self._fim.apply(text, row.id, epoch)
            yield Copy(row, epoch, form, own)


def batches(found: Iterator[Copy]) -> Iterator[list[Copy]]:
    """Copies in batches of a size that is encoded at once."""
    batch: list[Copy] = []
    characters = 0
    for each in found:
        batch.append(each)
        characters += len(each.text)
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def tokenised(copies_: Sequence[Copy], tokens: Sequence[I32], source: str, table: int, seed: int, groups: int) -> tuple[pa.Table, Any]:
    """A TOKENISED table of encoded copies in the order of their packing groups, and the group of each row."""
    drawn = [draws(seed, "pack", source, copy.row.id, copy.epoch) for copy in copies_]
    group = np.array([each.below(0, groups) for each in drawn], np.int64)
    order = np.argsort(group, kind="stable")
    rows = [(copies_[place], drawn[place].words[1]) for place in order.tolist()]
    ordered = [tokens[place] for place in order.tolist()]
    columns: dict[str, list[Any]] = {
        name: [getattr(copy.row, name) for copy, _ in rows]
        for name in ("id", "repo", "path", "language", "sha256", "size", "license", "quality")
    }
    columns |= {
        "source": [source] * len(rows),
        "epoch": [copy.epoch for copy, _ in rows],
        "form": [copy.form for copy, _ in rows],
        "order": [word for _, word in rows],
        "table": [table] * len(rows),
        "row": [copy.row.number for copy, _ in rows],
    }
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in ordered])]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate([np.empty(0, np.int32), *ordered])))
    arrays = [lists if field.name == "tokens" else pa.array(columns[field.name], field.type) for field in TOKENISED]
    return pa.table(arrays, schema=TOKENISED), group[order]
