"""``beam-seed shards``: corpora mixed, tokenised, packed and shuffled into what a trainer reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.mixture.stage import Stage, load_stage, presets
from beam_seed.shards.documents import UnusableTableError, text_size
from beam_seed.shards.drift import check_baseline, find_drift, write_drift
from beam_seed.shards.drift import told as told_drift
from beam_seed.shards.inputs import fingerprints
from beam_seed.shards.publish import close_books, make_manifest, total, write_manifest, write_statistics
from beam_seed.shards.tables import Plan, Table
from beam_seed.shards.takedown import TOMBSTONES, Tombstones, tombstones_of
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.shards.transforms import PackSequences, TokenizeDocuments, WriteShards
from beam_seed.statistics.collect import Statistics
from beam_seed.statistics.drift import LIMIT
from pipelines import launch
from pipelines.tables import find_tables

PROG = "beam-seed shards"


@dataclass(frozen=True)
class Options:
    """Mix corpora by a stage, tokenise, pack and shuffle them into training shards."""

    stage: str = opt.option("", f"What is mixed, and how: {', '.join(presets())}, or a YAML file.")
    source: list[str] = opt.option([], "NAME=PATH: a source's Parquet files, globs or folders, instead of the stage's own; repeatable.")
    without: list[str] = opt.option([], "Sources of the stage that are left out; repeatable.")
    tokenizer: str = opt.option("", "Folder of a Hugging Face tokenizer (tokenizer.json); see beam-seed train-tokenizer.", kind="folder")
    output: str = opt.option("", "Folder: shards/, tokenizer/, schema.pbtxt, statistics.pbtxt, manifest.json.", kind="write")
    shards: int = opt.option(8, "Files of equally many sequences.", check=opt.positive)
    tombstones: list[str] = opt.option(
        [], "Files of what was taken down and must not come back; those of the output are honoured anyway.", kind="read"
    )
    group_tokens: int = opt.option(
        1 << 24, "Tokens that are packed together, in one worker's memory; raise it above about 20 billion tokens.", check=opt.positive
    )
    baseline: str = opt.option(
        "", "Output folder of another run, which this run's documents are compared with: drift.json, drift.html.", kind="folder"
    )
    drift_limit: float = opt.option(LIMIT, "Distance of a column from the baseline's that is drift, from 0 to 1.", check=opt.proper_share)
    fail_on_drift: bool = opt.option(False, "Whether drift fails the run: no manifest is written.")
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


@dataclass(frozen=True)
class Job:
    """What was found before the job starts."""

    stage: Stage
    tables: list[Table]
    inputs: dict[str, dict[str, str]]
    tokenizer: ShardTokenizer
    tombstones: Tombstones


def build(pipeline: beam.Pipeline, options: Options, job: Job) -> None:
    """Add the job to ``pipeline``. The tokenizer must be in the output's tokenizer/."""
    stage, work = job.stage, storage.join(options.output, "_work")
    tokenizer = storage.join(options.output, "tokenizer")
    tables = pipeline | "Tables" >> beam.Create(job.tables)
    tokenised = tables | "Documents" >> TokenizeDocuments(
        stage, tokenizer, storage.join(work, "tokens"), job.tombstones, options.group_tokens
    )
    sequences = tokenised.spills | "Sequences" >> PackSequences(
        stage.sequence_length, job.tokenizer.padding, stage.seed, options.shards, storage.join(work, "sequences")
    )
    written = sequences | "Shards" >> WriteShards(options.output, options.shards, stage.sequence_length)
    books = (AsSingleton(tokenised.plan), AsIter(tokenised.tallies), AsIter(sequences.tallies))
    _ = written | "All shards" >> beam.combiners.ToList() | "Publish" >> beam.Map(_publish, options, stage, job.inputs, *books)


def _publish(written: Sequence[Any], options: Options, stage: Stage, inputs: Any, plan: Plan, tokenised: Any, packed: Any) -> None:
    output = options.output
    packed = list(packed)
    skipped = close_books(list(tokenised), packed, total(counts for _, counts in written))
    statistics = Statistics()
    for told in packed:
        statistics.merge(Statistics.from_bytes(told["statistics"]))
    tokenizer = ShardTokenizer.load(storage.join(output, "tokenizer"))
    manifest = make_manifest(written, skipped, plan, stage, tokenizer, inputs)
    write_statistics(output, statistics)
    write_manifest(output, manifest._replace(drift=_held_against(options)))
    storage.discard(storage.join(output, "_work"))


def _held_against(options: Options) -> str:
    """Write the drift against the baseline; 'found', 'none', or '' without one. Raises RuntimeError where it must not be."""
    if not options.baseline:
        return ""
    drift = find_drift(options.output, options.baseline, options.drift_limit)
    write_drift(options.output, drift, options.baseline)
    if drift.found and options.fail_on_drift:
        raise RuntimeError(f"the documents are not like those of {options.baseline}: {'; '.join(told_drift(drift))}; see drift.html")
    return "found" if drift.found else "none"


def check(options: Options) -> Job:
    """What the options name. Raises UsageError, which names the flag."""
    for name in ("stage", "tokenizer", "output"):
        if not getattr(options, name):
            raise opt.UsageError(PROG, f"argument --{name}: none given; see {PROG} --help")
    try:
        stage = load_stage(options.stage, _inputs(options.source), options.without)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --stage: {error}") from None
    try:
        tokenizer = ShardTokenizer.load(options.tokenizer)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --tokenizer: {error}") from None
    own = storage.join(options.output, TOMBSTONES)
    try:
        tombstones = tombstones_of([*options.tombstones, *([own] if storage.exists(own) else [])])
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --tombstones: {error}") from None
    if options.baseline:
        try:
            check_baseline(options.baseline)
        except ValueError as error:
            raise opt.UsageError(PROG, f"argument --baseline: {error}") from None
    elif options.fail_on_drift:
        raise opt.UsageError(PROG, "argument --fail-on-drift: given without --baseline; expected the directory that is compared with")
    tables, inputs = _tables(stage)
    return Job(stage, tables, inputs, tokenizer, tombstones)


def _inputs(given: Sequence[str]) -> Mapping[str, list[str]]:
    inputs: dict[str, list[str]] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not path:
            raise opt.UsageError(PROG, f"argument --source: {each!r} given; expected NAME=PATH, such as code=out/corpora/file_level/")
        inputs.setdefault(name, []).append(path)
    return inputs


def _tables(stage: Stage) -> tuple[list[Table], dict[str, dict[str, str]]]:
    tables: list[Table] = []
    inputs = {}
    for name, source in stage.sources.items():
        found = find_tables(PROG, source.input, (), "--source")
        try:
            for info in found:
                text_size(info.path, source)
        except UnusableTableError as error:
            raise opt.UsageError(PROG, f"argument --stage: source {name!r}: {error}") from None
        inputs[name] = fingerprints(found)
        tables += [Table(len(tables) + number, name, info.path) for number, info in enumerate(found)]
    return tables, inputs


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    job = check(options)
    with launch.alone(PROG, options.output):
        launch.clear(
            options.output, "manifest.json", "shards/*.parquet", "_work/**", "_removal/**", "removals/*.json", "*.pbtxt", "drift.*"
        )
        job.tokenizer.save(storage.join(options.output, "tokenizer"))
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, job), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        _tell(storage.read_json(storage.join(options.output, "manifest.json")))
    return status


def _tell(manifest: Mapping[str, Any]) -> None:
    tokens = manifest["tokens"]
    waste = tokens["padding"] / (tokens["text"] + tokens["padding"])
    print(f"{manifest['sequences']:,} sequences in {len(manifest['shards'])} shards: {tokens['text']:,} tokens, {waste:.3%} padding")
    for name, counts in manifest["by_source"].items():
        print(f"  {name}: {counts['documents']:,} documents, {counts['tokens']:,} tokens, {counts['tokens'] / tokens['text']:.1%}")
    for name, skipped in manifest["skipped"].items():
        if skipped:
            print(f"  {name} skipped: " + ", ".join(f"{count:,} {reason}" for reason, count in skipped.items()))
    if manifest["drift"]:
        print(f"  drift: {manifest['drift']}, see drift.html")
    if manifest["tokenizer_added"]:
        print(f"  added to the tokenizer: {', '.join(manifest['tokenizer_added'])}")
    if not manifest["tokenizer_exact"]:
        print("  the tokenizer does not give back every text as it was; decoding is not exact")


if __name__ == "__main__":
    sys.exit(main())
