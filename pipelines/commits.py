"""``beam-seed commits``: histories of git repositories to a corpus of code changes with their context."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.commits import transforms as steps
from beam_seed.commits.datasets import COMMITS
from beam_seed.commits.decide import Limits, corpus_rows
from beam_seed.commits.figures import sections as repository_sections
from beam_seed.commits.filters import RepositoryRules, Rules
from beam_seed.commits.ranges import Reading
from beam_seed.commits.repository import list_histories
from beam_seed.commits.sample_format import Budget
from beam_seed.commits.tokens import token_counter, tokenizer_file
from beam_seed.curation.assemble import Part
from beam_seed.curation.contamination import overlap_sections
from beam_seed.curation.datasets import Shard
from beam_seed.curation.decide import Kept
from beam_seed.curation.summary import Run
from beam_seed.curation.transforms import AssembleCorpora
from beam_seed.decontamination.benchmarks import find_benchmarks, fingerprint
from beam_seed.decontamination.index import Limits as NgramLimits
from beam_seed.decontamination.judge import index_of, make_judge
from beam_seed.near_dedup.lsh import optimal_bands
from beam_seed.near_dedup.transforms import NUM_PERM, ROUNDS
from beam_seed.quality import cache
from beam_seed.quality.package import open_package
from beam_seed.report.schema import Section
from beam_seed.report.tally import Tally
from beam_seed.sources.metadata import load_metadata
from beam_seed.sources.units import fingerprint as listing_fingerprint
from pipelines import launch, stages
from pipelines.stages import REPORT, Program, Stage, add_stages, duplicates_stage, file_digest, told_as, told_options, with_steps

STAGES = ("documents", "measures", "duplicates", "scores", "verdicts", "corpora", REPORT)


@dataclass(frozen=True)
class Options:
    """Turn histories of git repositories into samples of code change prediction."""

    input: list[str] = opt.option([], "Git repositories, bundles, archives of them, or folders of these; globs; repeatable.", kind="read")
    output: str = opt.option("", "Folder of the datasets, the corpus and the report.", kind="write")
    metadata: str = opt.option("", "Table of repositories (repo, stars, forks, license, created).", kind="read")
    min_stars: int = opt.option(100, "Stars a repository must have; 0 takes those of unknown stars too.", check=opt.not_negative)
    min_forks: int = opt.option(10, "Forks a repository must have; 0 takes those of unknown forks too.", check=opt.not_negative)
    min_commits: int = opt.option(100, "Commits a repository must have.", check=opt.not_negative)
    min_days: int = opt.option(100, "Days between a repository's first and last commit.", check=opt.not_negative)
    merges: bool = opt.option(False, "Make samples of merges too, as changes of their first parent.")
    min_message: int = opt.option(10, "Characters a commit's message must have.", check=opt.positive)
    max_files: int = opt.option(100, "Files a commit may change.", check=opt.positive)
    max_bytes: int = opt.option(256 << 10, "Characters a commit's changed lines may have.", check=opt.positive)
    prompt_tokens: int = opt.option(24_576, "Tokens that message and context of a sample may have.", check=opt.positive)
    target_tokens: int = opt.option(8_192, "Tokens that the changes of a sample may have.", check=opt.positive)
    tokenizer: str = opt.option("", "A tokenizer.json to count tokens with; without it they are estimated.", kind="read")
    against: list[str] = opt.option([], "Output folders of earlier runs: what they have is not taken again; repeatable.", kind="folder")
    benchmarks: list[str] = opt.option(
        [], "Benchmarks whose 10-grams of words no sample may have: PATH or PATH:field+field; repeatable.", kind="read"
    )
    near_threshold: float = opt.option(0.7, "Jaccard similarity from which a change is a near-duplicate.", check=opt.proper_share)
    scorer: str = opt.option("", "Folder of the quality model; without it, the one that comes with the package.", kind="folder")
    score: bool = opt.option(True, "Score the quality of the changed files.")
    drop_lowest: float = opt.option(0.0, "Share of the commits with the lowest quality that is dropped.", check=opt.share)
    cache: str = opt.option(
        "", "Folder of the scores of earlier runs, which are not computed again; without it, _cache in the output.", kind="write"
    )
    accelerator: str = opt.option("", "Accelerator of the scoring step, such as type:nvidia-l4;count:1;install-nvidia-driver.")
    range_commits: int = opt.option(5_000, "Commits of one history that one worker reads at a time.", check=opt.positive)
    shard_bytes: int = opt.option(32 << 20, "Bytes of text in a shard of the intermediate datasets.", check=opt.positive)
    corpus_shard_bytes: int = opt.option(256 << 20, "Bytes of text in a file of the corpus.", check=opt.positive)
    partitions: int = opt.option(16, "Parts of the hash space of deduplication; more above 50 million commits.", check=opt.positive)
    rounds: int = opt.option(ROUNDS, "Rounds of connected components; the job fails where they do not suffice.", check=opt.positive)
    until: str = opt.option(REPORT, "Stop after this stage; a later run goes on from there.", choices=STAGES)
    max_failed_share: float = launch.max_failed_share()
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``."""
    lsh = (*optimal_bands(options.near_threshold, NUM_PERM), options.near_threshold)
    model = open_package(options.scorer).fingerprint if options.score else ""
    sections = partial(_sections, benchmarks=options.benchmarks)
    job = with_steps(COMMITS, options.benchmarks)
    run = Run(
        job,
        options.output,
        sorted(options.input),
        told_options(options),
        lsh,
        {"scorer": model},
        sections,
        max_failed_share=options.max_failed_share,
    )
    add_stages(pipeline, _stages(pipeline, options, model), run, _listing(options), options.until, "documents", "scores")


def _sections(root: str, tally: Tally, benchmarks: Sequence[str]) -> Sequence[Section]:
    return [*repository_sections(root, tally), *overlap_sections(root, tally, benchmarks=benchmarks)]


def _reading(options: Options) -> Reading:
    repositories = RepositoryRules(options.min_stars, options.min_forks, options.min_commits, options.min_days)
    rules = Rules(options.merges, options.min_message, max_files=options.max_files, max_bytes=options.max_bytes)
    budget = Budget(options.prompt_tokens, options.target_tokens)
    return Reading(repositories=repositories, rules=rules, budget=budget, range_commits=options.range_commits)


def _stages(pipeline: beam.Pipeline, options: Options, model: str) -> dict[str, Stage]:
    root, bands, reading = options.output, optimal_bands(options.near_threshold, NUM_PERM), _reading(options)
    limits = Limits(options.near_threshold, options.drop_lowest)
    scorer = options.scorer if options.score else None
    known = cache.folder(options.cache or storage.join(root, "_cache"), model, bool(options.accelerator))
    judges = [partial(make_judge, options.benchmarks, NgramLimits(common=0))] if options.benchmarks else []

    def documents(_: Mapping[str, Any]) -> Any:
        reader = steps.ReadHistories(root, options.metadata, reading, options.tokenizer, options.shard_bytes)
        return pipeline | "Input" >> beam.Create(sorted(options.input), reshuffle=False) | "Read histories" >> reader

    def shards(built: Mapping[str, Any]) -> Any:
        return built["documents"] | "Shards" >> beam.FlatMap(lambda bucket: bucket.shards).with_output_types(Shard)

    return {
        "documents": Stage(
            ("documents/*", "histories/*", "rejected/read-*", "failed/read-*", "_work/tally/read-*"),
            {name: asdict(value) if hasattr(value, "__dataclass_fields__") else value for name, value in reading._asdict().items()}
            | {
                "shard_bytes": options.shard_bytes,
                "metadata": file_digest(options.metadata),
                "tokenizer": file_digest(tokenizer_file(options.tokenizer)),
            },
            documents,
            stages.encode_bucket,
            stages.decode_bucket,
        ),
        "measures": Stage(
            ("measures/*", "repositories/*"),
            {"bands": bands, "benchmarks": fingerprint(find_benchmarks(options.benchmarks))},
            lambda built: shards(built) | "Measure samples" >> steps.MeasureSamples(root, bands, judges),
            decode=lambda item: Shard(**item),
        ),
        "duplicates": duplicates_stage(root, bands, options.near_threshold, options.against, options.partitions, options.rounds),
        "scores": Stage(
            ("quality/*", "_work/unscored/*"),
            {"scorer": model, "accelerated": bool(options.accelerator)},
            lambda built: (
                built["measures"]
                | "Score changes" >> steps.ScoreChanges(root, scorer, options.accelerator, known, options.partitions, built["duplicates"])
            ),
            decode=lambda item: Shard(**item),
        ),
        "verdicts": Stage(
            ("verdicts/*", "rejected/verdict-*", "failed/verdict-*", "_work/tally/verdict-*"),
            {"limits": limits},
            lambda built: built["scores"] | "Decide samples" >> steps.DecideSamples(root, limits, built["duplicates"]),
            decode=lambda item: Kept(**item),
        ),
        "corpora": Stage(
            ("corpora/**", "_work/tally/commits-*", "manifest.json", "report.*"),
            {"target": options.corpus_shard_bytes},
            lambda built: (
                built["verdicts"]
                | "Assemble corpora" >> AssembleCorpora(root, options.corpus_shard_bytes, COMMITS, partial(corpus_rows, scorer=model))
            ),
            decode=lambda item: Part(**item),
        ),
    }


def _listing(options: Options) -> str:
    """A digest of what the input patterns match, so that a re-run notices changed input."""
    return listing_fingerprint([unit for pattern in options.input for unit in list_histories(pattern)])


def check(options: Options) -> None:
    """Refuse a command line that cannot be run. Raises UsageError, which names the flag."""
    if not options.input:
        raise opt.UsageError(COMMITS.prog, "argument --input: none given; expected git repositories, or folders of them")
    stages.check_earlier_runs(COMMITS, options.against, options.output, optimal_bands(options.near_threshold, NUM_PERM))
    with told_as(COMMITS, "--benchmarks"):
        index_of(options.benchmarks, NgramLimits())
    with told_as(COMMITS, "--metadata"):
        if options.metadata:
            load_metadata(options.metadata)
    with told_as(COMMITS, "--tokenizer"):
        token_counter(options.tokenizer)
    with told_as(COMMITS, "--scorer"):
        if options.score:
            open_package(options.scorer)
    with told_as(COMMITS, "--input"):
        for pattern in options.input:
            list_histories(pattern)


PROGRAM = Program(COMMITS, Options, check, build, stages.WATCHED)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the job, tell where the report is. Returns the exit status."""
    return stages.main(PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
