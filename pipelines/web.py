"""``beam-seed web``: web archives to a corpus of code-related pages."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.curation.assemble import Part
from beam_seed.curation.contamination import overlap_sections
from beam_seed.curation.datasets import MAX_BUCKETS, Shard
from beam_seed.curation.decide import Kept
from beam_seed.curation.score_transforms import ScoreSurvivors
from beam_seed.curation.summary import Run
from beam_seed.curation.transforms import AssembleCorpora
from beam_seed.decontamination.index import Limits as NgramLimits
from beam_seed.decontamination.transforms import KeyedBytes
from beam_seed.near_dedup.lsh import optimal_bands
from beam_seed.near_dedup.transforms import NUM_PERM, ROUNDS
from beam_seed.quality import cache
from beam_seed.quality.package import open_package
from beam_seed.report.schema import Section
from beam_seed.report.tally import Tally
from beam_seed.web import category_model, relevance
from beam_seed.web import transforms as steps
from beam_seed.web.categories import load_table
from beam_seed.web.corpus import corpus_rows
from beam_seed.web.heuristics import Limits
from beam_seed.web.job import VARIANT, WEB
from beam_seed.web.sections import web_sections
from beam_seed.web.survivors import PageReader, page_texts
from pipelines import launch, stages
from pipelines.stages import (
    REPORT,
    WATCHED,
    Program,
    Stage,
    add_stages,
    benchmark_stages,
    check_benchmarks,
    duplicates_stage,
    told_as,
    told_options,
    with_steps,
)

STAGES = ("documents", "measures", "duplicates", "scores", "contamination", "verdicts", "corpora", REPORT)


@dataclass(frozen=True)
class Options:
    """Turn web archives into a deduplicated corpus of code-related pages, each kind of page judged and sampled by its own criteria."""

    input: list[str] = opt.option([], "WARC or WET files, gzip, zstd or plain; globs; repeatable.", kind="read")
    output: str = opt.option("", "Folder of the datasets, the corpus and the report.", kind="write")
    relevance: str = opt.option(
        "", "Folder of a model of train-relevance; without it, only pages with code tags are code-related.", kind="folder"
    )
    category_model: str = opt.option("", "Folder of a model of train-categories, for pages whose category no rule tells.", kind="folder")
    categories: str = opt.option("", "Table of criteria, thresholds and sampling rates; without it, the package's.", kind="read")
    against: list[str] = opt.option(
        [], "Output folders of earlier runs: what their deduplication kept is not taken again; repeatable.", kind="folder"
    )
    benchmarks: list[str] = opt.option(
        [], "Benchmarks whose 10-grams of words no page may have: PATH or PATH:field+field; repeatable.", kind="read"
    )
    near_threshold: float = opt.option(0.7, "Jaccard similarity from which a page is a near-duplicate.", check=opt.proper_share)
    scorer: str = opt.option("", "Folder of the quality model; without it, the one that comes with the package.", kind="folder")
    score: bool = opt.option(True, "Score the quality of pages and drop the lowest of each category.")
    cache: str = opt.option("", "Folder of known scores, shared by runs; without it, one in the output folder.", kind="write")
    accelerator: str = opt.option("", "Accelerator of the scoring step, such as type:nvidia-l4;count:1;install-nvidia-driver.")
    shard_bytes: int = opt.option(32 << 20, "Bytes of text in a shard of the intermediate datasets.", check=opt.positive)
    corpus_shard_bytes: int = opt.option(256 << 20, "Bytes of text in a file of the corpus.", check=opt.positive)
    partitions: int = opt.option(16, "Parts of the hash space of deduplication; raise it above about 50 million pages.", check=opt.positive)
    rounds: int = opt.option(ROUNDS, "Rounds of connected components; the job fails where they do not suffice.", check=opt.positive)
    until: str = opt.option(REPORT, "Stop after this stage; a later run goes on from there.", choices=STAGES)
    max_failed_share: float = launch.max_failed_share()
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``."""
    lsh = (*optimal_bands(options.near_threshold, NUM_PERM), options.near_threshold)
    sections = partial(_sections, categories=options.categories, benchmarks=options.benchmarks)
    job, told, share = with_steps(WEB, options.benchmarks), told_options(options), options.max_failed_share
    run = Run(job, options.output, sorted(options.input), told, lsh, _models(options), sections, max_failed_share=share)
    archives = list_archives(options)
    listing = [[info.path, info.size, info.modified] for info in archives]
    paths = [info.path for info in archives]
    add_stages(pipeline, _stages(pipeline, options, paths), run, listing, options.until, "documents", "scores")


def list_archives(options: Options) -> list[storage.FileInfo]:
    """The archives that ``--input`` matches, each once, sorted by path."""
    return sorted({info for pattern in options.input for info in storage.match(pattern)})


def buckets_of(paths: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Archives by bucket: one for each, or several where there are more archives than buckets."""
    count = min(len(paths), MAX_BUCKETS)
    return [(number, list(paths[number::count])) for number in range(count)]


def _models(options: Options) -> dict[str, str]:
    return {
        "relevance": relevance.open_model(options.relevance).fingerprint if options.relevance else "",
        "categories": category_model.open_model(options.category_model).fingerprint if options.category_model else "",
        "scorer": open_package(options.scorer).fingerprint if options.score else "",
    }


def _sections(root: str, tally: Tally, categories: str, benchmarks: Sequence[str]) -> Sequence[Section]:
    return [*web_sections(tally, load_table(categories)), *overlap_sections(root, tally, benchmarks)]


def _stages(pipeline: beam.Pipeline, options: Options, paths: Sequence[str]) -> dict[str, Stage]:
    root, bands, limits, models = options.output, optimal_bands(options.near_threshold, NUM_PERM), Limits(), _models(options)
    known = cache.folder(options.cache or storage.join(root, "_cache"), models["scorer"], bool(options.accelerator))
    nothing = pipeline | "No contamination" >> beam.Create([], reshuffle=False).with_output_types(KeyedBytes)

    def documents(_: Mapping[str, Any]) -> Any:
        buckets = pipeline | "Archives" >> beam.Create(buckets_of(paths), reshuffle=False)
        return buckets | "Read" >> steps.ReadArchives(root, limits, options.shard_bytes)

    def measures(built: Mapping[str, Any]) -> Any:
        shards = built["documents"] | "Shards" >> beam.FlatMap(lambda bucket: bucket.shards).with_output_types(Shard)
        addresses = shards | "Addresses" >> steps.FindSameAddresses(root, options.partitions)
        return shards | "Measure pages" >> steps.MeasurePages(root, options.relevance, options.category_model, bands, addresses)

    def scores(built: Mapping[str, Any]) -> Any:
        scorer = options.scorer if options.score else None
        score = ScoreSurvivors(root, scorer, options.accelerator, known, options.partitions, built["duplicates"], PageReader)
        return built["measures"] | "Score survivors" >> score

    def verdicts(built: Mapping[str, Any]) -> Any:
        measured = built["duplicates"], built.get("contamination", nothing)
        decide = steps.DecidePages(root, options.categories, options.near_threshold, *measured)
        return built["scores"] | "Decide verdicts" >> decide

    def corpora(built: Mapping[str, Any]) -> Any:
        rows = partial(corpus_rows, relevance_model=models["relevance"], scorer=models["scorer"])
        return built["verdicts"] | "Assemble corpus" >> AssembleCorpora(root, options.corpus_shard_bytes, WEB, rows)

    read = {"limits": limits._asdict(), "shard_bytes": options.shard_bytes}
    measured = {"bands": bands, "relevance": models["relevance"], "categories": models["categories"]}
    return {
        "documents": Stage(
            ("documents/*", "rejected/read-*", "failed/read-*", "_work/tally/read-*"),
            read,
            documents,
            stages.encode_bucket,
            stages.decode_bucket,
        ),
        "measures": Stage(("measures/*", "repositories/*"), measured, measures, decode=lambda item: Shard(**item)),
        "duplicates": duplicates_stage(root, bands, options.near_threshold, options.against, options.partitions, options.rounds),
        "scores": Stage(
            ("quality/*", "_work/unscored/*"),
            {"scorer": models["scorer"], "accelerated": bool(options.accelerator)},
            scores,
            decode=lambda item: Shard(**item),
        ),
        **benchmark_stages(pipeline, root, options.benchmarks, NgramLimits(), partial(page_texts, root=root), "scores"),
        "verdicts": Stage(
            ("verdicts/*", "rejected/verdict-*", "failed/verdict-*", "_work/tally/verdict-*"),
            {"table": load_table(options.categories).plain()},
            verdicts,
            decode=lambda item: Kept(**item),
        ),
        "corpora": Stage(
            ("corpora/**", f"_work/tally/{VARIANT}-*", "manifest.json", "report.*"),
            {"target": options.corpus_shard_bytes},
            corpora,
            decode=lambda item: Part(**item),
        ),
    }


def check(options: Options) -> None:
    """Refuse a command line that cannot be run. Raises UsageError, which names the flag."""
    if not options.input:
        raise opt.UsageError(WEB.prog, "argument --input: none given; expected WARC or WET files")
    stages.check_earlier_runs(WEB, options.against, options.output, optimal_bands(options.near_threshold, NUM_PERM))
    check_benchmarks(WEB, options.benchmarks, options.until, NgramLimits())
    with told_as(WEB, "--input"):
        if not list_archives(options):
            raise ValueError(f"no file matches {options.input}; expected WARC or WET files, such as crawl/*.warc.gz")
    with told_as(WEB, "--relevance"):
        if options.relevance:
            relevance.open_model(options.relevance)
    with told_as(WEB, "--category-model"):
        if options.category_model:
            category_model.open_model(options.category_model)
    with told_as(WEB, "--categories"):
        load_table(options.categories)
    with told_as(WEB, "--scorer"):
        if options.score:
            open_package(options.scorer)


PROGRAM = Program(WEB, Options, check, build, WATCHED)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the job, tell where the report is. Returns the exit status."""
    return stages.main(PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
