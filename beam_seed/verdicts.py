"""Beam wiring shared by the deduplications: documents to packed members, and verdicts back to documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.members import HASHED_SHARD_BITS, MEMBERS, VERDICTS, hashed_address, preference
from beam_seed.outcome import Outcome
from beam_seed.packing import pack_table, split_by, unpack_tables
from beam_seed.records import Document, Failed, Rejected, document_id, reject

PackedVerdicts = Mapping[int, Sequence[bytes]]
"""A multimap side input: the packed VERDICTS of each ``address >> shard_bits``."""


def check_partitions(partitions: int) -> None:
    """Raise ValueError where the hash space cannot be divided into ``partitions`` parts."""
    if partitions < 1:
        raise ValueError(f"partitions is {partitions}; expected at least 1, such as 16")


def check_window(documents: Any, stage: str) -> None:
    """Raise ValueError for windowed documents: a duplicate is one within the whole collection."""
    window = documents.windowing.windowfn
    if not isinstance(window, beam.transforms.window.GlobalWindows):
        raise ValueError(
            f"{stage}: the documents are in windows, {type(window).__name__}; expected the global window, because deduplication "
            "compares all documents; apply beam.WindowInto(beam.window.GlobalWindows()) first"
        )


class BatchDocuments(beam.DoFn):
    """Base of the DoFns that turn documents into packed batches: subclasses say what a batch becomes in ``pack``."""

    # Bounds one worker's buffer; a few thousand documents is where packing stops costing more than hashing.
    MAX_DOCUMENTS = 4096
    MAX_BYTES = 32 << 20

    def start_bundle(self) -> None:
        self._waiting: list[Document] = []
        self._bytes = 0

    def process(self, document: Document, side_input: Any = None) -> Iterator[Any]:
        self._side_input = side_input
        self._waiting.append(document)
        self._bytes += document.size
        if len(self._waiting) >= self.MAX_DOCUMENTS or self._bytes >= self.MAX_BYTES:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        windowed = beam.transforms.window.GlobalWindows.windowed_value
        for value in self._flush():
            tagged = isinstance(value, beam.pvalue.TaggedOutput)
            yield beam.pvalue.TaggedOutput(value.tag, windowed(value.value)) if tagged else windowed(value)

    def _flush(self) -> Iterator[Any]:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if waiting:
            yield from self.pack(waiting, self._side_input)

    def pack(self, documents: list[Document], side_input: Any) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__} does not define pack(documents)")


def hashed_members(documents: Sequence[Document]) -> pa.Table:
    """MEMBERS of documents that lie in no dataset."""
    return pa.table(
        [
            pa.array([hashed_address(document.id) for document in documents], pa.uint64()),
            pa.array([bytes.fromhex(document.sha256) for document in documents], pa.binary(32)),
            pa.array([preference(d.stars, d.created, d.repo, d.source) for d in documents]).dictionary_encode(),
            pa.array([document.path for document in documents], pa.string()),
        ],
        schema=MEMBERS,
    )


class PackMembers(BatchDocuments):
    """Documents to packed MEMBERS with hashed addresses."""

    def pack(self, documents: list[Document], side_input: Any) -> Iterator[bytes]:
        yield pack_table(hashed_members(documents))


def split_verdicts(verdicts: pa.Table, shard_bits: int) -> Iterator[tuple[int, bytes]]:
    """Route VERDICTS to the shards of their members."""
    keys = verdicts["member"].to_numpy() >> np.uint64(shard_bits)
    for key, rows in split_by(keys):
        yield key, pack_table(verdicts.take(pa.array(rows)))


def duplicate_evidence(kept: Mapping[str, Any], **more: Any) -> str:
    """The evidence of a dropped duplicate, as JSON: who was kept in its place."""
    where = {"id": document_id(kept["source"], kept["repo"], kept["path"]), **{k: kept[k] for k in ("source", "repo", "path")}}
    return json.dumps({"kept": where, "cluster": where["id"], **more}, sort_keys=True, ensure_ascii=False)


class _ApplyVerdicts(BatchDocuments):
    def __init__(self, stage: str, rule: str, limit: float):
        self._stage, self._rule, self._limit = stage, rule, limit

    def pack(self, documents: list[Document], side_input: PackedVerdicts) -> Iterator[Any]:
        addresses = np.array([hashed_address(document.id) for document in documents], dtype=np.uint64)
        dropped: dict[int, dict[str, Any]] = {}
        for shard, rows in split_by(addresses >> np.uint64(HASHED_SHARD_BITS)):
            verdicts = unpack_tables(side_input[shard], VERDICTS)
            # Only the batch's own rows become Python objects: else every batch would pay for all the verdicts of the run.
            own = pc.is_in(verdicts["member"], pa.array(addresses[rows]))
            verdicts = verdicts.filter(pc.and_(own, pc.not_equal(verdicts["member"], verdicts["kept"])))
            dropped.update(zip(verdicts["member"].to_pylist(), verdicts.to_pylist(), strict=True))
        for document, address in zip(documents, addresses.tolist(), strict=True):
            verdict = dropped.get(address)
            if verdict is None:
                yield document
            else:
                rejected = reject(document, self._stage, self._rule, verdict["similarity"], self._limit, duplicate_evidence(verdict))
                yield beam.pvalue.TaggedOutput("rejected", rejected)


def apply_verdicts(documents: Any, verdicts: Any, stage: str, rule: str, limit: float) -> Outcome:
    """Drop the documents that ``verdicts``, a PCollection of (address >> HASHED_SHARD_BITS, packed VERDICTS), names.

    The documents are in the global window; their timestamps are not kept.
    """
    split = documents | "Apply verdicts" >> beam.ParDo(
        _ApplyVerdicts(stage, rule, limit), beam.pvalue.AsMultiMap(verdicts)
    ).with_output_types(Document, rejected=Rejected).with_outputs("rejected", main="kept")
    nothing = documents.pipeline | "None fail" >> beam.Create([], reshuffle=False).with_output_types(Failed)
    return Outcome(split.kept, split.rejected, nothing)
