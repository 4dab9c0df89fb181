"""``beam-seed github``: repositories to file-level and repository-level code corpora."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.curation import transforms as steps
from beam_seed.curation.assemble import Part, code_rows
from beam_seed.curation.contamination import overlap_sections, shard_texts
from beam_seed.curation.datasets import Shard
from beam_seed.curation.decide import Kept, Rule
from beam_seed.curation.job import GITHUB
from beam_seed.curation.score_transforms import ScoreSurvivors
from beam_seed.curation.summary import Run
from beam_seed.decontamination.index import Limits
from beam_seed.decontamination.transforms import KeyedBytes
from beam_seed.near_dedup.lsh import optimal_bands
from beam_seed.near_dedup.transforms import NUM_PERM, ROUNDS
from beam_seed.quality import cache
from beam_seed.quality.package import open_package
from beam_seed.rules.rules import Limits as RuleLimits
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import load_metadata
from beam_seed.sources.repository import Limits as ReadLimits
from beam_seed.sources.table import check_table
from beam_seed.sources.units import Unit, list_units
from beam_seed.sources.units import fingerprint as listing_fingerprint
from pipelines import launch, stages
from pipelines.stages import (
    REPORT,
    Program,
    Stage,
    add_stages,
    benchmark_stages,
    check_benchmarks,
    check_earlier_runs,
    decode_bucket,
    duplicates_stage,
    encode_bucket,
    file_digest,
    told_as,
    told_options,
    with_steps,
)

STAGES = ("documents", "measures", "duplicates", "scores", "contamination", "verdicts", "corpora", REPORT)


@dataclass(frozen=True)
class Options:
    """Turn repositories into deduplicated, syntax-checked, quality-filtered code corpora."""

    input: list[str] = opt.option(
        [], "Folders of repositories, git repositories, archives, Parquet or JSONL tables; globs; repeatable.", kind="read"
    )
    output: str = opt.option("", "Folder of the datasets, the corpora and the report.", kind="write")
    demo: bool = opt.option(False, "Read some of the Python packages installed on this machine instead of --input.")
    metadata: str = opt.option("", "Table of repositories (repo, stars, forks, license, created).", kind="read")
    columns: str = opt.option("", "Column map of tables, such as content=text,repo=project; The Stack's names need none.")
    against: list[str] = opt.option(
        [], "Output folders of earlier runs: what their deduplication kept is not taken again; repeatable.", kind="folder"
    )
    benchmarks: list[str] = opt.option(
        [],
        "Benchmarks whose 10-grams of words no file may have: PATH or PATH:field+field; repeatable.",
        kind="read",
    )
    near_threshold: float = opt.option(
        0.7, "Jaccard similarity from which a file or repository is a near-duplicate.", check=opt.proper_share
    )
    scorer: str = opt.option("", "Folder of the quality model; without it, the one that comes with the package.", kind="folder")
    score: bool = opt.option(True, "Score the quality of files and drop the lowest.")
    drop_lowest: float = opt.option(0.10, "Share of the files with the lowest quality that is dropped.", check=opt.share)
    drop_by: str = opt.option("files", "What the share is a share of.", choices=("files", "bytes"))
    drop_per: str = opt.option("all", "Whether the share holds over all files or within each language.", choices=("all", "language"))
    cache: str = opt.option(
        "", "Folder of the scores of earlier runs, which are not computed again; without it, _cache in the output.", kind="write"
    )
    accelerator: str = opt.option("", "Accelerator of the scoring step, such as type:nvidia-l4;count:1;install-nvidia-driver.")
    shard_bytes: int = opt.option(32 << 20, "Bytes of text in a shard of the intermediate datasets.", check=opt.positive)
    corpus_shard_bytes: int = opt.option(256 << 20, "Bytes of text in a file of the corpora.", check=opt.positive)
    partitions: int = opt.option(16, "Parts of the hash space of deduplication; raise it above about 50 million files.", check=opt.positive)
    rounds: int = opt.option(ROUNDS, "Rounds of connected components; the job fails where they do not suffice.", check=opt.positive)
    until: str = opt.option(REPORT, "Stop after this stage; a later run goes on from there.", choices=STAGES)
    max_failed_share: float = launch.max_failed_share()
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``."""
    lsh = (*optimal_bands(options.near_threshold, NUM_PERM), options.near_threshold)
    model = open_package(options.scorer).fingerprint if options.score else ""
    sections = partial(overlap_sections, benchmarks=options.benchmarks)
    job = with_steps(GITHUB, options.benchmarks)
    run = Run(
        job,
        options.output,
        sorted(patterns_of(options)),
        told_options(options),
        lsh,
        {"scorer": model},
        sections,
        max_failed_share=options.max_failed_share,
    )
    add_stages(pipeline, _stages(pipeline, options, model), run, listing(options), options.until, "documents", "scores")


def _stages(pipeline: beam.Pipeline, options: Options, model: str) -> dict[str, Stage]:
    root, bands = options.output, optimal_bands(options.near_threshold, NUM_PERM)
    scorer = options.scorer if options.score else None
    known = cache.folder(options.cache or storage.join(options.output, "_cache"), model, bool(options.accelerator))
    read, rules = ReadLimits(), RuleLimits()
    rule = Rule(options.near_threshold, options.drop_lowest, options.drop_by, options.drop_per)
    patterns = patterns_of(options)
    texts = partial(shard_texts, root=root)
    nothing = pipeline | "No contamination" >> beam.Create([], reshuffle=False).with_output_types(KeyedBytes)

    def documents(_: Mapping[str, Any]) -> Any:
        reader = steps.ReadRepositories(root, _lister(options), options.metadata, options.columns, read, options.shard_bytes)
        return pipeline | "Input" >> beam.Create(patterns, reshuffle=False) | "Read repositories" >> reader

    def shards(built: Mapping[str, Any]) -> Any:
        return built["documents"] | "Shards" >> beam.FlatMap(lambda bucket: bucket.shards).with_output_types(Shard)

    return {
        "documents": Stage(
            ("documents/*", "rejected/read-*", "failed/read-*", "_work/tally/read-*"),
            {
                "limits": asdict(read),
                "shard_bytes": options.shard_bytes,
                "metadata": file_digest(options.metadata),
                "columns": options.columns,
            },
            documents,
            encode_bucket,
            decode_bucket,
        ),
        "measures": Stage(
            ("measures/*", "repositories/*"),
            {"limits": asdict(rules), "bands": bands},
            lambda built: shards(built) | "Measure documents" >> steps.MeasureDocuments(root, rules, bands),
            decode=lambda item: Shard(**item),
        ),
        "duplicates": duplicates_stage(root, bands, options.near_threshold, options.against, options.partitions, options.rounds),
        "scores": Stage(
            ("syntax/*", "quality/*", "_work/unscored/*"),
            {"scorer": model, "accelerated": bool(options.accelerator)},
            lambda built: (
                built["measures"]
                | "Score survivors" >> ScoreSurvivors(root, scorer, options.accelerator, known, options.partitions, built["duplicates"])
            ),
            decode=lambda item: Shard(**item),
        ),
        **benchmark_stages(pipeline, root, options.benchmarks, Limits(), texts, "scores"),
        "verdicts": Stage(
            ("verdicts/*", "rejected/verdict-*", "failed/verdict-*", "_work/tally/verdict-*"),
            {"rule": rule},
            lambda built: (
                built["scores"]
                | "Decide verdicts" >> steps.DecideVerdicts(root, rule, built["duplicates"], built.get("contamination", nothing))
            ),
            decode=lambda item: Kept(**item),
        ),
        "corpora": Stage(
            ("corpora/**", "_work/tally/*_level-*", "manifest.json", "report.*"),
            {"target": options.corpus_shard_bytes},
            lambda built: (
                built["verdicts"]
                | "Assemble corpora" >> steps.AssembleCorpora(root, options.corpus_shard_bytes, GITHUB, partial(code_rows, scorer=model))
            ),
            decode=lambda item: Part(**item),
        ),
    }


def patterns_of(options: Options) -> list[str]:
    """The input patterns; of a demo, the folder of this Python's installed packages."""
    return [sysconfig.get_paths()["purelib"]] if options.demo else list(options.input)


# About 4,000 source files are kept: the whole job, scores included, takes about two minutes on two processors.
_DEMO_BYTES = 96 << 20


def demo_units(pattern: str) -> list[Unit]:
    """Some of the units of ``pattern``: up to 96 MiB of them, none more than a quarter of that, in the order of their names' digests."""
    chosen: list[Unit] = []
    size = 0
    for unit in sorted(list_units(pattern), key=lambda unit: hashlib.sha256(unit.repo.encode("utf-8", "surrogatepass")).digest()):
        if unit.size <= _DEMO_BYTES // 4 and size + unit.size <= _DEMO_BYTES:
            chosen.append(unit)
            size += unit.size
    return chosen


def _lister(options: Options) -> Callable[[str], list[Unit]]:
    return demo_units if options.demo else list_units


def listing(options: Options) -> str:
    """A digest of what the input patterns match, so that a re-run notices changed input."""
    return listing_fingerprint([unit for pattern in patterns_of(options) for unit in _lister(options)(pattern)])


def check(options: Options) -> None:
    """Refuse a command line that cannot be run. Raises UsageError, which names the flag."""
    if bool(options.input) == options.demo:
        raise opt.UsageError(GITHUB.prog, "argument --input: expected one or more, or --demo instead, and not both")
    check_earlier_runs(GITHUB, options.against, options.output, optimal_bands(options.near_threshold, NUM_PERM))
    check_benchmarks(GITHUB, options.benchmarks, options.until, Limits())
    with told_as(GITHUB, "--columns"):
        columns = ColumnMap.parse(options.columns)
    with told_as(GITHUB, "--metadata"):
        if options.metadata:
            load_metadata(options.metadata)
    with told_as(GITHUB, "--scorer"):
        if options.score:
            open_package(options.scorer)
    with told_as(GITHUB, "--input"):
        for pattern in patterns_of(options):
            for unit in list_units(pattern):
                if unit.kind == "table":
                    check_table(unit, columns)


PROGRAM = Program(GITHUB, Options, check, build, stages.WATCHED)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the job, tell where the report is. Returns the exit status."""
    return stages.main(PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
