"""``beam-seed high-quality``: a scored corpus to its high-quality files, mined per source by fastText models, round by round."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.curation.datasets import DOCUMENTS
from beam_seed.curation.summary import Run
from beam_seed.high_quality import report
from beam_seed.high_quality.sources import Source, load_sources
from beam_seed.high_quality.tables import Table, selected_schema
from beam_seed.high_quality.text import TextFormat
from beam_seed.high_quality.transforms import FindLimits, MeasureFiles, MineRound, SelectFiles
from beam_seed.labels.tables import NEEDED
from beam_seed.report.job import Job
from pipelines import stages
from pipelines.stages import Program, Stage
from pipelines.tables import find_tables, fingerprint, part_name

HIGH_QUALITY = Job("high-quality", ("high_quality",), ("read",), DOCUMENTS)


@dataclass(frozen=True)
class Options:
    """Mine a scored corpus for high-quality files, per source and round by round."""

    input: list[str] = opt.option(
        [], "Parquet files, globs or folders with columns repo, path, content, quality (of beam-seed score or github).", kind="read"
    )
    output: str = opt.option("", "Folder: corpora/high_quality/, models, predictions, report.html, manifest.json.", kind="write")
    sources: str = opt.option("", "YAML of the sources; without it, the one that comes with the package.", kind="read")
    rounds: int = opt.option(3, "Rounds of training, each on the seed and on what the round before found.", check=opt.positive)
    characters: int = opt.option(TextFormat().max_characters, "Characters of a file that the models read.", check=opt.positive)
    seed: int = opt.option(0, "Seed of the draws, of the division into parts and of the training.", check=opt.not_negative)
    until: str = opt.option(stages.REPORT, "Stage to stop after: measures, limits, round-1 and so on, corpora, report.")
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``."""
    files = find_tables("beam-seed high-quality", options.input, NEEDED)
    found = [Table(number, info.path, part_name(number, len(files))) for number, info in enumerate(files)]
    run = Run(HIGH_QUALITY, options.output, options.input, stages.told_options(options), None, {})
    parts = job_stages(pipeline, options, found, load_sources(options.sources))
    # The report is a stage like the others, and the last; nothing comes after it.
    stages.add_stages(pipeline, parts, run, fingerprint(files), options.until, "measures", "measures")


def job_stages(pipeline: beam.Pipeline, options: Options, found: Sequence[Table], sources: Sequence[Source]) -> dict[str, Stage]:
    """The stages, in order."""
    root, plain = options.output, [source.plain() for source in sources]
    text = TextFormat(max_characters=options.characters)
    names = [f"round-{number}" for number in range(1, options.rounds + 1)]
    schema = selected_schema([table.path for table in found])
    parts = {
        "measures": Stage(
            ("measures/*",),
            {"seed": options.seed},
            lambda built: (
                pipeline | "Tables" >> beam.Create(found).with_output_types(Table) | "Measures" >> MeasureFiles(root, options.seed)
            ),
            decode=_table,
        ),
        "limits": Stage((), {"sources": plain}, lambda built: built["measures"] | "Find limits" >> FindLimits(root, sources), encode=_same),
    }
    for number, name in enumerate(names, 1):
        parts[name] = _round(root, number, sources, text, options.seed)
    parts["corpora"] = Stage(
        ("_work/chosen/*", "corpora/high_quality/*"),
        {},
        lambda built: (
            built["measures"] | "Select files" >> SelectFiles(root, built["limits"], [built[name] for name in names], schema, sources)
        ),
        encode=_same,
    )
    parts[stages.REPORT] = Stage(
        ("report.html", "manifest.json"),
        {"options": stages.told_options(options)},
        lambda built: _report(built, options, sources, names),
        encode=_same,
    )
    return parts


def _same(item: Any) -> Any:
    return item


def _table(item: Mapping[str, Any]) -> Table:
    return Table(**item)


def _round(root: str, number: int, sources: Sequence[Source], text: TextFormat, seed: int) -> Stage:
    name = f"round-{number}"

    def build_round(built: Mapping[str, Any]) -> Any:
        before = built[f"round-{number - 1}"] if number > 1 else None
        return built["measures"] | f"Mine round {number}" >> MineRound(root, number, built["limits"], before, sources, text, seed)

    writes = (f"_work/lines/{name}/*", f"models/*/{name}/*", f"seeds/*/{name}.parquet", f"predictions/{name}/*")
    return Stage(writes, {"text": text._asdict()}, build_round, encode=_same)


def _report(built: Mapping[str, Any], options: Options, sources: Sequence[Source], names: Sequence[str]) -> Any:
    rounds = [beam.pvalue.AsSingleton(built[name] | f"Figures of {name}" >> beam.combiners.ToList()) for name in names]
    counts = built["corpora"] | "Counts" >> beam.combiners.ToList()
    told = stages.told_options(options)
    return counts | "Write report" >> beam.Map(report.write, options.output, told, list(sources), *rounds)


def check(options: Options) -> None:
    """Raise UsageError where the options cannot be run."""
    prog = HIGH_QUALITY.prog
    files = find_tables(prog, options.input, (*NEEDED, "quality"))
    with stages.told_as(HIGH_QUALITY, "--sources"):
        load_sources(options.sources)
    with stages.told_as(HIGH_QUALITY, "--input"):
        schema = selected_schema([info.path for info in files])
        if not pa.types.is_floating(schema.field("quality").type):
            raise ValueError(f"column 'quality' is of {schema.field('quality').type}; expected numbers from 0 to 1")
    names = ["measures", "limits", *(f"round-{number}" for number in range(1, options.rounds + 1)), "corpora", stages.REPORT]
    if options.until not in names:
        raise opt.UsageError(prog, f"argument --until: {options.until!r} given; expected one of {', '.join(names)}")


PROGRAM = Program(HIGH_QUALITY, Options, check, build, {})


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    status = stages.main(PROGRAM, arguments)
    output = opt.parse(Options, arguments, HIGH_QUALITY.prog)[0].output
    manifest = storage.join(output, "manifest.json")
    if not status and storage.exists(manifest):
        for line in report.warnings(storage.read_json(manifest)):
            print(f"{HIGH_QUALITY.prog}: warning: {line}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
