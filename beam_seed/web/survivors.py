"""What the scorer and the search for benchmarks read: the pages of a shard that are relevant and no duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from beam_seed.curation.contamination import texts_of
from beam_seed.curation.datasets import DUPLICATES, Shard, read_documents, read_table, shard_path
from beam_seed.curation.duplicates import dropped_rows
from beam_seed.decontamination.judge import Texts
from beam_seed.packing import pack_table, unpack_tables
from beam_seed.records import Document


def surviving_rows(root: str, number: int, duplicates: Sequence[bytes]) -> Any:
    """Rows of a shard that passed its measures and deduplication: int64, ascending."""
    measures = read_table(shard_path(root, "measures", number), ["stage"])
    passed = np.flatnonzero(measures["stage"].is_null().to_numpy())
    return np.setdiff1d(passed, dropped_rows(unpack_tables(duplicates, DUPLICATES), "file"), assume_unique=True)


def page_texts(shard: Shard, root: str) -> tuple[int, Iterator[Texts]]:
    """The texts of a shard's survivors; what many hosts have is boilerplate."""
    duplicates = pack_table(read_table(shard_path(root, "duplicates", shard.number)))
    return shard.number, texts_of(root, shard.number, surviving_rows(root, shard.number, [duplicates]))


class PageReader:
    """Reads survivors; pages have no syntax to check."""

    def check_shard(self, root: str, number: int, duplicates: Sequence[bytes]) -> Iterator[tuple[int, Document]]:
        """(row, document) of each survivor of a shard."""
        rows = surviving_rows(root, number, duplicates)
        for start, documents in read_documents(shard_path(root, "documents", number), rows.tolist()):
            for row in rows[(rows >= start) & (rows < start + len(documents))].tolist():
                yield row, documents[row - start]

    def close(self) -> None:
        """Nothing is held."""
