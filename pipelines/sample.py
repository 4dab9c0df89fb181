"""``beam-seed sample``: so many files of each language, drawn at random from a corpus."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.curation.datasets import DOCUMENTS, table_of, write_table
from beam_seed.labels.allocation import Quotas, load_allocation, presets
from beam_seed.labels.sample import pick
from beam_seed.labels.sample_transforms import ChooseFiles
from beam_seed.labels.tables import NEEDED
from pipelines import launch, tables

PROG = "beam-seed sample"


@dataclass(frozen=True)
class Options:
    """Draw files of each language from a corpus: the sample that an oracle labels."""

    input: list[str] = opt.option(
        [],
        "Parquet files, globs or folders with columns repo, path, content (and language, else it is detected); repeatable.",
        kind="read",
    )
    output: str = opt.option(
        "", "Folder: sample/ (the files drawn) and sample.json (asked, available and taken by language).", kind="write"
    )
    allocation: str = opt.option("", f"Files of each language: {', '.join(presets())}, or a YAML or JSON file.")
    per_language: int = opt.option(0, "Files of every language there is, instead of an allocation.", check=opt.not_negative)
    per_project: int = opt.option(0, "Files of one project in one language at most; 0 means any number.", check=opt.not_negative)
    seed: int = opt.option(0, "Decides which files are drawn.")
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options, quotas: Quotas, files: Sequence[storage.FileInfo]) -> None:
    """Add the job to ``pipeline``."""
    told = {
        "version": __version__,
        "seed": options.seed,
        "allocation": options.allocation,
        "per_language": options.per_language,
        "per_project": options.per_project,
        "input": {"tables": len(files), "fingerprint": tables.fingerprint(files)},
    }
    chosen = (
        pipeline
        | "Tables" >> beam.Create([info.path for info in files])
        | "Choose files" >> ChooseFiles(quotas, options.seed, options.per_project)
    )
    written = chosen.shards | "Write shards" >> beam.Map(_write, options.output) | "List shards" >> beam.combiners.ToList()
    _ = written | "Publish" >> beam.Map(_publish, options.output, told, beam.pvalue.AsSingleton(chosen.summary))


def _write(shard: tuple[int, list[tuple[str, list[int]]]], output: str) -> dict[str, Any]:
    number, places = shard
    documents = list(pick(places))
    name = f"sample/{number:05d}.parquet"
    write_table(storage.join(output, *name.split("/")), table_of(documents, DOCUMENTS))
    return {"file": name, "rows": len(documents), "bytes": sum(document.size for document in documents)}


def _publish(written: list[dict[str, Any]], output: str, told: dict[str, Any], summary: dict[str, Any]) -> None:
    if not written:
        languages = ", ".join(name for name, each in summary["languages"].items() if each["asked"]) or "none"
        raise RuntimeError(
            f"no file was sampled: of {summary['rows']} rows, {summary['not_sampled']}; languages asked for: {languages}; "
            "expected files of one of them with path and content"
        )
    storage.write_json(storage.join(output, "sample.json"), told | summary | {"files": sorted(written, key=lambda each: each["file"])})


def quotas_of(options: Options) -> Quotas:
    """The quotas that the options name. Raises UsageError."""
    if bool(options.allocation) == bool(options.per_language):
        raise opt.UsageError(PROG, "argument --allocation: expected one, or --per-language instead, and not both")
    try:
        return Quotas(load_allocation(options.allocation) if options.allocation else {}, options.per_language)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --allocation: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    quotas = quotas_of(options)
    files = tables.find_tables(PROG, options.input, NEEDED)
    with launch.alone(PROG, options.output):
        launch.clear(options.output, "sample.json", "sample/*.parquet")
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, quotas, files), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        print(f"sample: {storage.join(options.output, 'sample')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
