"""A made-up job of one variant: the lines of text files as documents, 'notes', without languages, syntax or scores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsMultiMap

from beam_seed import options as opt
from beam_seed.curation.assemble import Part
from beam_seed.curation.datasets import DUPLICATES, PIECES, Shard, read_table, shard_path, write_table
from beam_seed.curation.decide import Kept, duplicate_fate, rejection, write_verdicts
from beam_seed.curation.read import Bucket, write_bucket
from beam_seed.curation.summary import Run
from beam_seed.curation.transforms import AssembleCorpora
from beam_seed.near_dedup.lsh import Bands
from beam_seed.packing import unpack_tables
from beam_seed.records import Failed, Rejected, document_id
from beam_seed.report.job import Job
from beam_seed.report.schema import Plot, Section
from beam_seed.report.tally import Tally
from pipelines import stages

WHO = [(name, pa.string()) for name in ("id", "source", "repo", "path")]
DOCUMENTS = pa.schema([*WHO, ("content", pa.string()), ("size", pa.int64())])
NOTES = Job(
    name="notes",
    variants=("notes",),
    funnel=("read", "length", "exact_dedup"),
    corpus=pa.schema([*DOCUMENTS, ("words", pa.int64()), ("cluster_id", pa.string()), ("cluster_size", pa.int64())]),
    document="note",
)
BANDS = Bands(21, 6)


class Note(NamedTuple):
    id: str
    source: str
    repo: str
    path: str
    content: str
    size: int


@dataclass(frozen=True)
class Options:
    """Collect notes."""

    input: str = opt.option("", "Folder of text files; each line is 'PATH CONTENT'.", kind="read")
    output: str = opt.option("", "Folder to write to.", kind="write")
    against: list[str] = opt.option([], "Earlier runs.", kind="read")
    least: int = opt.option(3, "Words of a note at least.", check=opt.positive)
    until: str = opt.option(
        "report", "Stop after this stage.", choices=("documents", "measures", "duplicates", "verdicts", "corpora", "report")
    )
    workers: int = opt.option(0, "Processes.", check=opt.not_negative)


def check(options: Options) -> None:
    stages.check_earlier_runs(NOTES, options.against, options.output, BANDS)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    files = sorted(map(str, Path(options.input).glob("*.txt")))
    run = Run(NOTES, options.output, [options.input], stages.told_options(options), None, {}, sections, max_failed_share=0.05)
    listing = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in files]
    stages.add_stages(pipeline, job_stages(pipeline, options, files), run, listing, options.until, "documents", "measures")


def job_stages(pipeline: beam.Pipeline, options: Options, files: Sequence[str]) -> dict[str, stages.Stage]:
    root = options.output
    return {
        "documents": stages.Stage(
            ("documents/*", "rejected/read-*", "failed/read-*", "_work/tally/read-*"),
            {},
            lambda _: pipeline | "Files" >> beam.Create(list(enumerate(files)), reshuffle=False) | "Read" >> beam.Map(read, root),
            stages.encode_bucket,
            stages.decode_bucket,
        ),
        "measures": stages.Stage(
            ("measures/*", "repositories/*"),
            {"bands": BANDS},
            lambda built: (
                built["documents"]
                | "Shards" >> beam.FlatMap(lambda bucket: bucket.shards).with_output_types(Shard)
                | "Measure" >> beam.Map(measure, root).with_output_types(Shard)
            ),
            decode=lambda item: Shard(**item),
        ),
        "duplicates": stages.duplicates_stage(root, BANDS, 0.7, options.against, 2, 4),
        "verdicts": stages.Stage(
            ("verdicts/*", "rejected/verdict-*", "failed/verdict-*", "_work/tally/verdict-*"),
            {"least": options.least},
            lambda built: built["measures"] | "Decide" >> beam.FlatMap(decide, root, options.least, AsMultiMap(built["duplicates"])),
            decode=lambda item: Kept(**item),
        ),
        "corpora": stages.Stage(
            ("corpora/**", "_work/tally/notes-*", "manifest.json", "report.*"),
            {},
            lambda built: built["verdicts"] | "Assemble" >> AssembleCorpora(root, 1 << 20, NOTES, corpus_rows),
            decode=lambda item: Part(**item),
        ),
    }


def read(numbered: tuple[int, str], root: str) -> Bucket:
    number, path = numbered
    return write_bucket(number, notes_of(path), root, 1 << 20, DOCUMENTS, "notes")


def notes_of(path: str) -> Iterator[Note | Rejected | Failed]:
    source, repo = Path(path).name, Path(path).stem
    for line in Path(path).read_text().splitlines():
        name, _, text = line.partition(" ")
        who = (document_id(source, repo, name), source, repo, name)
        if name == "broken":
            yield Failed(*who, 0, "", "read", "ValueError: not a note")
        elif not text:
            yield Rejected(*who, 0, "", "read", "empty", None, None, "{}")
        else:
            yield Note(*who, text, len(text.encode()))


def measure(shard: Shard, root: str) -> Shard:
    documents = read_table(shard_path(root, "documents", shard.number), ["id", "content"]).to_pylist()
    digests = [hashlib.sha256(row["content"].encode()).digest() for row in documents]
    columns = {"id": [row["id"] for row in documents], "words": [len(row["content"].split()) for row in documents], "digest": digests}
    nothing: Any = pa.nulls(len(documents), pa.string())
    table = pa.table(columns).append_column("stage", nothing).append_column("bands", nothing.cast(pa.binary()))
    write_table(shard_path(root, "measures", shard.number), table)
    write_table(shard_path(root, "repositories", shard.number), PIECES.empty_table())
    return shard


def decide(shard: Shard, root: str, least: int, packed: Mapping[int, Any]) -> list[Kept]:
    documents = read_table(shard_path(root, "documents", shard.number)).to_pylist()
    words = read_table(shard_path(root, "measures", shard.number), ["words"])["words"].to_pylist()
    duplicates = {row["start"]: row for row in unpack_tables(packed[shard.number], DUPLICATES).to_pylist()}
    fates: list[dict[str, Any]] = []
    for row, count in enumerate(words):
        if count < least:
            fates.append({"notes": rejection("length", "too-short", float(count), float(least), "{}")})
        elif row in duplicates and duplicates[row]["rule"] != "kept":
            fates.append({"notes": duplicate_fate(duplicates[row], 0.7)})
        else:
            fates.append({"notes": None})
    sizes = [duplicates[row]["size"] if row in duplicates and duplicates[row]["rule"] == "kept" else 1 for row in range(len(words))]
    ids = [row["id"] for row in documents]
    verdicts = pa.table({"id": ids, "notes": [fate["notes"] is None for fate in fates], "words": words, "cluster_size": sizes})
    return write_verdicts(root, shard.number, [row | {"language": ""} for row in documents], fates, verdicts, NOTES.variants)


def corpus_rows(documents: pa.Table, verdicts: pa.Table, variant: str) -> pa.Table:
    told = documents.append_column("words", verdicts["words"]).append_column("cluster_id", documents["id"])
    return told.append_column("cluster_size", verdicts["cluster_size"]).cast(NOTES.corpus)


def sections(root: str, tally: Tally) -> list[Section]:
    repositories = sorted(path.stem for path in Path(root, "documents").iterdir())
    plot = Plot("All notes", {"kind": "unit", "first": 0, "kept": [1, 2], "dropped": [0, 3]}, 0.5)
    rows = [[name, number, float("nan"), None] for number, name in enumerate(repositories)]
    rows.append(["<script>", tally.total("notes", "kept").files, 0.5, None])
    return [Section("Where notes come from", "A paragraph & more.", ("Name", "Number", "Share", "None"), rows, [plot])]


PROGRAM = stages.Program(NOTES, Options, check, build, {"documents": "documents", "measures": "measures", "verdicts": "verdicts"})


def main(argv: Sequence[str]) -> int:
    return stages.main(PROGRAM, argv)
