"""``beam-seed decontaminate``: Parquet tables of texts to the same rows without those that share an n-gram with a benchmark."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.decontamination.benchmarks import Benchmark, find_benchmarks, fingerprint
from beam_seed.decontamination.index import Limits, item_counts, unpack_index
from beam_seed.decontamination.judge import index_of, overlaps
from beam_seed.decontamination.tables import Table, check_columns, table_texts, write_split
from beam_seed.decontamination.transforms import FindContamination, IndexBenchmarks
from beam_seed.failures import check_failed
from beam_seed.packing import unpack_table
from pipelines import launch, tables

PROG = "beam-seed decontaminate"
_DATASETS = ("kept", "rejected", "failed")


@dataclass(frozen=True)
class Options:
    """Drop the rows of Parquet tables whose text shares an n-gram of words with a benchmark."""

    input: list[str] = opt.option([], "Parquet files, globs or folders of them, such as a corpus.", kind="read")
    output: str = opt.option(
        "", "Folder: kept/, rejected/ (with evidence), failed/, decontamination.json (hits by benchmark).", kind="write"
    )
    benchmarks: list[str] = opt.option(
        [], "Benchmarks: PATH or PATH:field+field (JSON lines, CSV, Parquet, plain files, also compressed); repeatable.", kind="read"
    )
    text: list[str] = opt.option(["content"], "Columns that are searched; repeatable.")
    repository: str = opt.option("repo", "Column that tells what repository or site a row is of; where there is none, each row is its own.")
    words: int = opt.option(Limits.words, "Words of an n-gram.", check=opt.positive)
    shortest: int = opt.option(Limits.shortest, "Words that a benchmark's text must have to be looked for.", check=opt.positive)
    letters: int = opt.option(Limits.letters, "Words with a letter that an n-gram must have.", check=opt.not_negative)
    common: int = opt.option(Limits.common, "Repositories that may have an n-gram that is no boilerplate; 0: any.", check=opt.not_negative)
    max_failed_share: float = launch.max_failed_share()
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def limits_of(options: Options) -> Limits:
    """Raises ValueError where the options do not go together."""
    return Limits(options.words, options.shortest, options.letters, options.common)


def build(pipeline: beam.Pipeline, options: Options, files: Sequence[storage.FileInfo], told: Mapping[str, Any]) -> None:
    """Add the job to ``pipeline``."""
    found = [Table(number, info.path) for number, info in enumerate(files)]
    limits = limits_of(options)
    index = pipeline | "Index benchmarks" >> IndexBenchmarks(options.benchmarks, limits)
    texts = partial(table_texts, columns=list(options.text), repository=options.repository)
    inputs = pipeline | "Tables" >> beam.Create(found).with_output_types(Table)
    contaminated = inputs | "Find contamination" >> FindContamination(texts, limits, index)
    named = contaminated | "Name tables" >> beam.MapTuple(lambda number, packed: (found[number], packed))
    written = named | "Write" >> beam.Map(_write, options.output, len(found)) | "All counts" >> beam.combiners.ToList()
    _ = written | "Publish" >> beam.Map(_publish, options.output, dict(told), options.max_failed_share, AsSingleton(index))


def _write(split: tuple[Table, bytes], output: str, parts: int) -> dict[str, Any]:
    table, packed = split
    name = tables.part_name(table.number, parts)
    paths = [storage.join(output, dataset, name) for dataset in _DATASETS]
    return {"file": name, "input": table.path} | write_split(table, unpack_table(packed), *paths)


def _publish(written: list[dict[str, Any]], output: str, told: dict[str, Any], max_failed_share: float, packed: bytes) -> None:
    """Close the books and write the record of the run, last."""
    files = sorted(written, key=lambda each: each["file"])
    counts = {name: sum(each[name] for each in files) for name in ("read", *_DATASETS)}
    if counts["read"] != sum(counts[name] for name in _DATASETS):
        raise RuntimeError(f"the books do not close: {counts}; expected kept + rejected + failed to be what was read")
    check_failed(counts["read"], counts["failed"], max_failed_share, storage.join(output, "failed"))
    evidence = [row for each in files for row in _evidence(storage.join(output, "rejected", each["file"]))]
    hits = [overlap._asdict() for overlap in overlaps(item_counts(unpack_index(packed)), evidence)]
    storage.write_json(storage.join(output, "decontamination.json"), told | {"counts": counts, "benchmarks": hits, "files": files})


def _evidence(path: str) -> list[str]:
    with storage.open_read(path) as file:
        texts: list[str] = pq.read_table(pa.PythonFile(file, mode="r"), columns=["evidence"])["evidence"].to_pylist()
    return texts


def check(options: Options) -> tuple[list[storage.FileInfo], list[Benchmark]]:
    """The input tables and the benchmarks. Raises UsageError, which names the flag."""
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    files = tables.find_tables(PROG, options.input, ())
    try:
        for info in files:
            check_columns(info.path, options.text)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --text: {error}") from None
    if not options.benchmarks:
        raise opt.UsageError(PROG, "argument --benchmarks: none given; expected PATH or PATH:field+field")
    try:
        index_of(options.benchmarks, limits_of(options))
        return files, find_benchmarks(options.benchmarks)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --benchmarks: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    files, benchmarks = check(options)
    told = {
        "version": __version__,
        "limits": asdict(limits_of(options)),
        "text": list(options.text),
        "fingerprint": fingerprint(benchmarks),
        "input": {"tables": len(files), "fingerprint": tables.fingerprint(files)},
    }
    with launch.alone(PROG, options.output):
        launch.clear(options.output, "decontamination.json", *(f"{name}/*.parquet" for name in _DATASETS))
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, files, told), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        summary = storage.read_json(storage.join(options.output, "decontamination.json"))
        for each in summary["benchmarks"]:
            print(f"{each['benchmark']}: {each['hit']:,} of {each['items']:,} items hit, by {each['documents']:,} documents")
        print(f"kept {summary['counts']['kept']:,} of {summary['counts']['read']:,} rows: {storage.join(options.output, 'kept')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
