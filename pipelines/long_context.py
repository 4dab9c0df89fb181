"""``beam-seed long-context``: repositories in the order of their dependencies and long files, as training documents."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsSingleton

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.commits.tokens import token_counter
from beam_seed.failures import MAX_SHARE
from beam_seed.long_context.assemble import Assembly
from beam_seed.long_context.choose import UNSCORED, Choice
from beam_seed.long_context.order import ORDERS
from beam_seed.long_context.publish import Counts, publish, write_files, write_rejected, write_repositories
from beam_seed.long_context.tables import Repository
from beam_seed.long_context.transforms import ChooseRepositories
from beam_seed.storage import FileInfo
from pipelines import launch, tables

PROG = "beam-seed long-context"


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
    output: str = opt.option("", "Folder: corpora/long_context/, rejected/, failed/, report.txt, manifest.json.", kind="write")
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
    max_failed_share: float = opt.option(
        MAX_SHARE, "Share of the documents that failed from which the job fails, where there are more than 20 of them.", check=opt.share
    )
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options, repositories: Sequence[FileInfo], singles: Sequence[FileInfo]) -> None:
    """Add the job to ``pipeline``."""
    assembly = Assembly(options.order, options.budget)
    choice = Choice(options.drop_lowest, options.min_quality, options.unscored)
    found = pipeline | "Repository tables" >> beam.Create([info.path for info in repositories])
    chosen = found | "Choose repositories" >> ChooseRepositories(choice, options.shard_bytes)
    assembled = chosen.buckets | "Assemble" >> beam.Map(
        _write_repositories, options.output, AsSingleton(chosen.buckets_in_all), assembly, options.tokenizer
    )
    rejected = chosen.rejected | "All rejected" >> beam.combiners.ToList() | "Write rejected" >> beam.Map(_write_rejected, options.output)
    long = (
        pipeline
        | "File tables" >> beam.Create([(number, info.path) for number, info in enumerate(singles)])
        | "Spread file tables" >> beam.Reshuffle()
        | "Long files" >> beam.Map(_write_files, options.output, len(singles), options.min_tokens, options.tokenizer)
    )
    counts = (assembled, rejected, long) | "All counts" >> beam.Flatten() | "List counts" >> beam.combiners.ToList()
    told = _told(options, repositories, singles)
    _ = counts | "Publish" >> beam.Map(_publish, options.output, told, options.max_failed_share, AsSingleton(chosen.threshold))


def _told(options: Options, repositories: Sequence[FileInfo], singles: Sequence[FileInfo]) -> dict[str, Any]:
    given = {name: str(value) for name, value in asdict(options).items() if name not in ("input", "files", "output", "workers")}
    inputs = {"repositories": repositories, "files": singles}
    told = {name: {"tables": len(found), "fingerprint": tables.fingerprint(found)} for name, found in inputs.items()}
    return {"options": given, "inputs": told}


def _write_repositories(bucket: tuple[int, Iterable[Repository]], output: str, buckets: int, assembly: Assembly, tokenizer: str) -> Counts:
    number, repositories = bucket
    name = f"repositories-{tables.part_name(number, buckets)}".removesuffix(".parquet")
    return write_repositories(output, name, repositories, assembly, token_counter(tokenizer))


def _write_rejected(rejected: list[Any], output: str) -> Counts:
    return write_rejected(output, rejected)


def _write_files(numbered: tuple[int, str], output: str, parts: int, min_tokens: int, tokenizer: str) -> Counts:
    number, table = numbered
    name = f"files-{tables.part_name(number, parts)}".removesuffix(".parquet")
    return write_files(output, name, table, min_tokens, token_counter(tokenizer))


def _publish(counts: list[Counts], output: str, told: dict[str, Any], max_failed_share: float, threshold: float | None) -> None:
    publish(output, counts, told, threshold, max_failed_share)


def check(options: Options) -> tuple[list[FileInfo], list[FileInfo]]:
    """The tables of repositories and of single files. Raises UsageError, which names the flag."""
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    if not options.input and not options.files:
        raise opt.UsageError(PROG, "argument --input: none given, and no --files; expected Parquet files, globs or folders of them")
    try:
        token_counter(options.tokenizer)
    except ValueError as error:
        raise opt.UsageError(PROG, f"argument --tokenizer: {error}") from None
    repositories = tables.find_tables(PROG, options.input, ("repo", "path", "content")) if options.input else []
    return repositories, tables.find_tables(PROG, options.files, ("content",), "--files") if options.files else []


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    repositories, singles = check(options)
    with launch.alone(PROG, options.output):
        launch.clear(options.output, "manifest.json", "corpora/long_context/*.parquet", "rejected/*.parquet", "failed/*.parquet")
        launch.clear(options.output, "long_context.json", "report.txt")
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, repositories, singles), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        print(f"report: {storage.join(options.output, 'report.txt')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
