"""``beam-seed long-context``: repositories in the order of their dependencies and long files, as training documents."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton

from beam_seed import options as opt
from beam_seed.commits.tokens import token_counter, tokenizer_file
from beam_seed.curation.summary import Run, Totals
from beam_seed.curation.summary_transforms import SumTallies
from beam_seed.long_context import report
from beam_seed.long_context.assemble import Assembly
from beam_seed.long_context.choose import UNSCORED, Choice
from beam_seed.long_context.job import LONG_CONTEXT
from beam_seed.long_context.order import ORDERS
from beam_seed.long_context.publish import Part, write_files, write_repositories
from beam_seed.long_context.report import Told
from beam_seed.long_context.transforms import ChooseRepositories
from beam_seed.storage import FileInfo
from pipelines import launch, stages, tables
from pipelines.stages import Program, Stage

PROG = LONG_CONTEXT.prog
STAGES = ("files", "repositories", stages.REPORT)


@dataclass(frozen=True)
class Options:
    """Make long documents: whole repositories in the order of their dependencies, and long single files."""

    input: list[str] = opt.option(
        [],
        "Repositories: Parquet files, globs or folders with columns repo, path, content (and quality), such as corpora/repo_level.",
        kind="read",
    )
    files: list[str] = opt.option(
        [], "Single files and pages: Parquet files, globs or folders with a column content, such as corpora/file_level.", kind="read"
    )
    output: str = opt.option("", "Folder: corpora/long_context/, documents/, rejected/, failed/, report.html, manifest.json.", kind="write")
    budget: int = opt.option(32_768, "Tokens of a sequence; larger repositories are cut.", check=opt.positive)
    min_tokens: int = opt.option(8_192, "Tokens from which a single file is long.", check=opt.positive)
    order: str = opt.option("topological", "Order of the files of a repository.", choices=ORDERS)
    drop_lowest: float = opt.option(0.10, "Share of the repositories with the lowest mean file quality that is dropped.", check=opt.share)
    min_quality: float = opt.option(0.0, "Mean file quality that a repository must have.", check=opt.not_negative)
    unscored: str = opt.option("fail", "What becomes of repositories without scores, where scores decide.", choices=UNSCORED)
    tokenizer: str = opt.option(
        "", "A tokenizer.json, or its folder, to count tokens with; without it, 3 bytes are taken for one.", kind="read"
    )
    shard_bytes: int = opt.option(64 << 20, "Bytes of text in a file of the corpus, about.", check=opt.positive)
    max_failed_share: float = launch.max_failed_share()
    until: str = opt.option(stages.REPORT, "Stop after this stage; a later run goes on from there.", choices=STAGES)
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``."""
    repositories, singles = _tables(options)
    inputs = {"repositories": repositories, "files": singles}
    told = {name: {"tables": len(found), "fingerprint": tables.fingerprint(found)} for name, found in inputs.items()}
    run = Run(LONG_CONTEXT, options.output, [*options.input, *options.files], _told_options(options), None, {})
    parts = job_stages(pipeline, options, repositories, singles, Told(run.inputs, run.options, told, time.time(), options.max_failed_share))
    # The report is a stage like the others, and the last; nothing comes after it.
    stages.add_stages(pipeline, parts, run, told, options.until, "files", "files")


def job_stages(
    pipeline: beam.Pipeline, options: Options, repositories: Sequence[FileInfo], singles: Sequence[FileInfo], told: Told
) -> dict[str, Stage]:
    """The stages, in order."""
    parameters = {name: getattr(options, name) for name in ("order", "budget", "drop_lowest", "min_quality", "unscored", "shard_bytes")}
    counted = {"tokenizer": stages.file_digest(tokenizer_file(options.tokenizer))}
    return {
        "files": Stage(
            _writes("files"),
            {"min_tokens": options.min_tokens} | counted,
            lambda _: (
                pipeline
                | "File tables" >> beam.Create([(number, info.path) for number, info in enumerate(singles)])
                | "Spread file tables" >> beam.Reshuffle()
                | "Long files" >> beam.Map(_write_files, options.output, len(singles), options.min_tokens, options.tokenizer)
            ),
            decode=_part,
        ),
        "repositories": Stage(
            _writes("repositories"), parameters | counted, lambda _: _assemble(pipeline, options, repositories), decode=_part
        ),
        stages.REPORT: Stage(
            ("manifest.json", "report.*", "long_context.json"),
            {"options": told.options, "tables": told.tables},
            lambda built: _report(built, options.output, told),
            encode=dict,
        ),
    }


def _writes(kind: str) -> tuple[str, ...]:
    datasets = ("corpora/long_context", "documents", "rejected", "failed", "_work/tally")
    return ("manifest.json", *(f"{name}/{kind}*" for name in datasets))  # without a manifest, a run is not finished


def _assemble(pipeline: beam.Pipeline, options: Options, repositories: Sequence[FileInfo]) -> Any:
    choice = Choice(options.drop_lowest, options.min_quality, options.unscored)
    found = pipeline | "Repository tables" >> beam.Create([info.path for info in repositories])
    chosen = found | "Choose repositories" >> ChooseRepositories(choice, options.shard_bytes)
    assembly = Assembly(options.order, options.budget)
    sides = AsSingleton(chosen.buckets_in_all), AsSingleton(chosen.threshold)
    return chosen.buckets | "Assemble" >> beam.Map(_write_repositories, options.output, *sides, assembly, options.tokenizer)


def _report(built: Mapping[str, Any], output: str, told: Told) -> Any:
    written = built["files"], built["repositories"]
    parts = [AsIter(each) for each in written]
    return written | "Totals" >> SumTallies(output) | "Write report" >> beam.Map(_write_report, output, told, *parts)


def _part(item: Mapping[str, Any]) -> Part:
    return Part(**item)


def _write_repositories(
    bucket: tuple[int, Mapping[str, Any]], output: str, buckets: int, threshold: float | None, assembly: Assembly, tokenizer: str
) -> Part:
    number, found = bucket
    name = f"repositories-{tables.part_name(number, buckets)}".removesuffix(".parquet")
    return write_repositories(output, name, found["kept"], found["rejected"], assembly, token_counter(tokenizer), threshold)


def _write_files(numbered: tuple[int, str], output: str, parts: int, min_tokens: int, tokenizer: str) -> Part:
    number, table = numbered
    name = f"files-{tables.part_name(number, parts)}".removesuffix(".parquet")
    return write_files(output, name, table, min_tokens, token_counter(tokenizer))


def _write_report(totals: Totals, output: str, told: Told, files: Iterable[Part], repositories: Iterable[Part]) -> dict[str, Any]:
    return report.write(Totals(*totals).tally, output, told, [*files, *repositories])


def _told_options(options: Options) -> dict[str, str]:
    return {name: value for name, value in stages.told_options(options).items() if name != "files"}


def _tables(options: Options) -> tuple[list[FileInfo], list[FileInfo]]:
    repositories = tables.find_tables(PROG, options.input, ("repo", "path", "content")) if options.input else []
    return repositories, tables.find_tables(PROG, options.files, ("content",), "--files") if options.files else []


def check(options: Options) -> None:
    """Raise UsageError where the options cannot be run."""
    if not options.input and not options.files:
        raise opt.UsageError(PROG, "argument --input: none given, and no --files; expected Parquet files, globs or folders of them")
    with stages.told_as(LONG_CONTEXT, "--tokenizer"):
        token_counter(options.tokenizer)
    _tables(options)


PROGRAM = Program(LONG_CONTEXT, Options, check, build, {})


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    return stages.main(PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
