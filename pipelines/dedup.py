"""``beam-seed dedup``: a Parquet table of documents to its survivors, and to the evidence for what was dropped."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_seed import __version__, metrics, storage
from beam_seed import options as opt
from beam_seed.curation.datasets import MEASURES, PIECES, read_groups, read_table, shard_path, text_views, write_batches, write_table
from beam_seed.curation.duplicate_transforms import FindDuplicates
from beam_seed.curation.duplicates import Place, dropped_rows
from beam_seed.members import SHARD_BITS
from beam_seed.near_dedup.lsh import Bands, optimal_bands, packed_bands
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle
from beam_seed.near_dedup.transforms import NUM_PERM
from beam_seed.packing import U64, split_by, unpack_table
from pipelines import launch
from pipelines.tables import find_tables, fingerprint, part_name

PROG = "beam-seed dedup"
SUMMARY = "dedup.json"
NEEDED = ("id", "repo", "path", "content")

EVIDENCE = pa.schema(
    [("id", pa.string()), ("rule", pa.string()), ("kept_id", pa.string()), ("similarity", pa.float64()), ("evidence", pa.string())]
)


@dataclass(frozen=True)
class Options:
    """Deduplicate a table of documents, exactly and by verified MinHash."""

    input: list[str] = opt.option(
        [], "Parquet files or globs with columns id, repo, path, content (stars, created, source are used).", kind="read"
    )
    output: str = opt.option(
        "", "Folder: kept/ (the survivors' rows), dropped/ (what was dropped, and for whom), dedup.json.", kind="write"
    )
    level: str = opt.option("near", "How far to go.", choices=("exact", "near"))
    near_threshold: float = opt.option(0.7, "Jaccard similarity from which a document is a near-duplicate.", check=opt.proper_share)
    partitions: int = opt.option(16, "Parts of the hash space; raise it above about 50 million documents.", check=opt.positive)
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options, files: Sequence[str], told: Mapping[str, Any]) -> None:
    """Add the job to ``pipeline``. told: what the record of the run says besides the counts."""
    near = options.level == "near"
    bands = optimal_bands(options.near_threshold, NUM_PERM)
    work = storage.join(options.output, "_work")
    places = [Place(work, 0, number, path) for number, path in enumerate(files)]
    measured = pipeline | "Files" >> beam.Create(places) | "Measure" >> beam.Map(_measure, bands if near else None).with_output_types(Place)
    threshold = options.near_threshold if near else None
    find = FindDuplicates(work, bands, threshold, (), options.partitions, parts=sum(map(_text_bytes, files)) // _PART_BYTES + 1)
    found = measured | "Find duplicates" >> find
    written = found | "Write survivors" >> beam.Map(_write, list(files), options.output) | "All counts" >> beam.combiners.ToList()
    _ = written | "Publish" >> beam.Map(_publish, options.output, dict(told))


# Of the input's text. A verification task holds the shingle sets of its candidates, at most about twice the size of their text.
_PART_BYTES = 32 << 20


def _text_bytes(path: str) -> int:
    with storage.open_read(path) as file:
        metadata = pq.ParquetFile(file).metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _measure(place: Place, bands: Bands | None) -> Place:
    write_batches(shard_path(place.root, "measures", place.number), _MEASURED, _measure_groups(place, bands))
    write_table(shard_path(place.root, "repositories", place.number), PIECES.empty_table())
    return place


_MEASURED = pa.schema([MEASURES.field(name) for name in ("stage", "digest", "bands")])


def _measure_groups(place: Place, bands: Bands | None) -> Iterator[pa.Table]:
    for _, table in read_groups(place.documents, ["content"]):
        texts = text_views(table["content"])
        columns = {"stage": pa.nulls(len(texts), pa.string()), "digest": [hashlib.sha256(text).digest() for text in texts]}
        yield pa.table(columns | {"bands": _bands(texts, bands)}, schema=_MEASURED)


def _bands(texts: Sequence[memoryview], bands: Bands | None) -> Any:
    if bands is None:
        return pa.nulls(len(texts), pa.binary())
    return packed_bands(sign(shingle(texts), bands.num_perm), bands)


def _write(verdicts: tuple[int, bytes], files: Sequence[str], output: str) -> dict[str, Any]:
    number, packed = verdicts
    duplicates = unpack_table(packed)
    name = part_name(number, len(files))
    with storage.open_read(files[number]) as source:
        schema = pq.ParquetFile(source).schema_arrow.remove_metadata()
    kept = storage.join(output, "kept", name)
    write_batches(kept, schema, _survivors(files[number], dropped_rows(duplicates, "file")))
    told = duplicates.filter(pc.not_equal(duplicates["rule"], "kept"))
    ids = _ids(files[number])
    columns = {
        "id": ids.take(told["start"]),
        "rule": told["rule"],
        "kept_id": _kept_ids(files, told["kept"].to_numpy()),
        "similarity": told["similarity"],
        "evidence": told["evidence"],
    }
    write_table(storage.join(output, "dropped", name), pa.table(columns, schema=EVIDENCE))
    rows = _rows(kept)
    metrics.count("dedup", len(ids), rows, told["rule"].to_pylist())
    return {"file": name, "input": files[number], "read": len(ids), "kept": rows, "dropped": len(told)}


def _rows(path: str) -> int:
    with storage.open_read(path) as file:
        return int(pq.ParquetFile(file).metadata.num_rows)


def _publish(written: list[dict[str, Any]], output: str, told: dict[str, Any]) -> None:
    """Close the books and write the record of the run, last."""
    files = sorted(written, key=lambda each: each["file"])
    counts = {name: sum(each[name] for each in files) for name in ("read", "kept", "dropped")}
    if counts["read"] != counts["kept"] + counts["dropped"]:
        raise RuntimeError(f"the books do not close: {counts}; expected kept + dropped to be what was read")
    storage.write_json(storage.join(output, SUMMARY), told | {"counts": counts, "files": files})
    storage.discard(storage.join(output, "_work"))


def _ids(path: str) -> pa.ChunkedArray:
    return read_table(path, ["id"])["id"].cast(pa.string())


def _kept_ids(files: Sequence[str], kept: U64) -> list[str]:
    ids = [""] * len(kept)
    for number, positions in split_by(kept >> np.uint64(SHARD_BITS)):
        rows = kept[positions] & np.uint64((1 << SHARD_BITS) - 1)
        for position, told in zip(positions, _ids(files[number]).take(pa.array(rows)).to_pylist(), strict=True):
            ids[position] = told
    return ids


def _survivors(path: str, dropped: Any) -> Iterator[pa.Table]:
    for start, table in read_groups(path):
        rows = np.setdiff1d(np.arange(len(table)), dropped - start)
        yield table.take(pa.array(rows)).replace_schema_metadata()


def find_files(options: Options) -> list[storage.FileInfo]:
    """The input tables, sorted. Raises UsageError where there is none, or where one lacks a column."""
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    return find_tables(PROG, options.input, NEEDED)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    found = find_files(options)
    files = [info.path for info in found]
    told = {
        "version": __version__,
        "level": options.level,
        "near_threshold": options.near_threshold,
        "input": {"tables": len(files), "fingerprint": fingerprint(found)},
    }
    with launch.alone(PROG, options.output):
        launch.clear(options.output, SUMMARY, "kept/*.parquet", "dropped/*.parquet", "_work/**")
        add = partial(build, options=options, files=files, told=told)
        status = launch.run(PROG, add, options, beam_arguments, mode="multi_threading")
    if not status and not launch.only_stages(beam_arguments):
        counts = storage.read_json(storage.join(options.output, SUMMARY))["counts"]
        print(f"kept {counts['kept']:,} of {counts['read']:,} rows: {storage.join(options.output, 'kept')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
