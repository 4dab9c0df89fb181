"""Label sets: documents with what an oracle said of each, and those it said nothing usable of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from beam_seed import storage
from beam_seed.curation.datasets import DOCUMENTS, GROUP_BYTES, GROUP_ROWS, write_batches
from beam_seed.labels.opinion import Opinion
from beam_seed.labels.tables import read_documents
from beam_seed.records import Document

_SPENT = [
    pa.field("oracle", pa.string(), nullable=False),
    pa.field("prompt_version", pa.string(), nullable=False),  # of the rubric: the package's version
    pa.field("model", pa.string(), nullable=False),  # as it names itself; '' where nothing answered
    pa.field("tokens_in", pa.int64(), nullable=False),
    pa.field("tokens_out", pa.int64(), nullable=False),
    pa.field("cost", pa.float64(), nullable=False),
]

LABELS = pa.schema(
    [
        *DOCUMENTS,
        pa.field("rating", pa.float32(), nullable=False),  # 0 to 10
        pa.field("explanation", pa.large_string(), nullable=False),
        pa.field("aspects", pa.string(), nullable=False),  # JSON object, aspect -> 0 to 10; '{}' where the oracle does not rate them
        *_SPENT,
    ]
)

FAILED = pa.schema(
    [
        *DOCUMENTS,
        pa.field("error", pa.string(), nullable=False),
        pa.field("answer", pa.large_string(), nullable=False),  # raw; '' where nothing answered
        *_SPENT,
    ]
)


def write_labels(path: str, root: str, name: str, opinions: Mapping[int, Opinion], oracle: str, version: str) -> Counter[str]:
    """Write ``labels/NAME`` and ``failed/NAME`` below ``root``, each where it has rows, and count what happened.

    ``opinions``: by row of the table at ``path``, whose text is read again here.
    """
    told = {"oracle": oracle, "prompt_version": version}
    for dataset, schema, has_rating in (("labels", LABELS, True), ("failed", FAILED, False)):
        if rows := sorted(row for row, opinion in opinions.items() if (opinion.rating is not None) == has_rating):
            tables = _tables(read_documents(path, rows), opinions, schema, told)
            write_batches(storage.join(root, dataset, name), schema, tables)
    return totals(opinions.values())


def _tables(
    documents: Iterable[tuple[int, Document]], opinions: Mapping[int, Opinion], schema: pa.Schema, told: Mapping[str, str]
) -> Iterator[pa.Table]:
    records: list[dict[str, Any]] = []
    size = 0
    for row, document in documents:
        records.append({**document._asdict(), **opinions[row]._asdict(), **told})
        size += document.size
        if len(records) == GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_pylist(records, schema)
            records, size = [], 0
    if records:
        yield pa.Table.from_pylist(records, schema)


def totals(opinions: Iterable[Opinion]) -> Counter[str]:
    """What opinions add up to. ``rating N``: labels that round to N. ``failed KIND``: by the first word of the error.

    ``paid``: of answers that this run asked for, lost ones included.
    """
    found: Counter[str] = Counter()
    for opinion in opinions:
        kind = f"failed {opinion.error.split(':')[0]}" if opinion.rating is None else f"rating {round(opinion.rating)}"
        found.update(["files", kind, "failed" if opinion.rating is None else "labelled"])
        found["requests"] += opinion.requests
        found["retries"] += max(0, opinion.requests - 1)
        found["answers_reused"] += opinion.reused
        found["tokens_in"] += opinion.tokens_in
        found["tokens_out"] += opinion.tokens_out
        found["cost"] += opinion.cost  # type: ignore[assignment]  # a counter adds numbers of any kind
        found["lost"] += opinion.lost  # type: ignore[assignment]
        found["paid"] += opinion.lost + (0 if opinion.reused else opinion.cost)  # type: ignore[assignment]
    return found
