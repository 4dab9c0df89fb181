"""``beam-seed github``: repositories to file-level and repository-level code corpora."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import apache_beam as beam

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.curation import publish
from beam_seed.curation import transforms as steps
from beam_seed.curation.assemble import Part
from beam_seed.curation.datasets import Shard, read_table, shard_path
from beam_seed.curation.decide import Kept, Rule
from beam_seed.curation.duplicate_transforms import FindDuplicates
from beam_seed.curation.duplicates import Place
from beam_seed.curation.read import Bucket
from beam_seed.curation.summary import Run
from beam_seed.curation.summary_transforms import SummariseRun
from beam_seed.near_dedup.lsh import optimal_bands
from beam_seed.near_dedup.transforms import NUM_PERM, ROUNDS
from beam_seed.packing import pack_table
from beam_seed.quality.package import open_package
from beam_seed.rules.rules import Limits as RuleLimits
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import load_metadata
from beam_seed.sources.repository import Limits as ReadLimits
from beam_seed.sources.table import check_table
from beam_seed.sources.units import Unit, list_units
from beam_seed.sources.units import fingerprint as listing_fingerprint
from pipelines import launch
from pipelines.progress import Watch

PROG = "beam-seed github"
STAGES = ("documents", "measures", "duplicates", "scores", "verdicts", "corpora", "report")


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
        [], "Output folders of earlier runs: what their deduplication kept is not taken again; repeatable.", kind="read"
    )
    near_threshold: float = opt.option(
        0.7, "Jaccard similarity from which a file or repository is a near-duplicate.", check=opt.proper_share
    )
    scorer: str = opt.option("", "Folder of the quality model; without it, the one that comes with the package.", kind="read")
    score: bool = opt.option(True, "Score the quality of files and drop the lowest.")
    drop_lowest: float = opt.option(0.10, "Share of the files with the lowest quality that is dropped.", check=opt.share)
    drop_by: str = opt.option("files", "What the share is a share of.", choices=("files", "bytes"))
    drop_per: str = opt.option("all", "Whether the share holds over all files or within each language.", choices=("all", "language"))
    accelerator: str = opt.option("", "Accelerator of the scoring step, such as type:nvidia-l4;count:1;install-nvidia-driver.")
    shard_bytes: int = opt.option(32 << 20, "Bytes of text in a shard of the intermediate datasets.", check=opt.positive)
    corpus_shard_bytes: int = opt.option(256 << 20, "Bytes of text in a file of the corpora.", check=opt.positive)
    partitions: int = opt.option(16, "Parts of the hash space of deduplication; raise it above about 50 million files.", check=opt.positive)
    rounds: int = opt.option(ROUNDS, "Rounds of connected components; the job fails where they do not suffice.", check=opt.positive)
    until: str = opt.option("report", "Stop after this stage; a later run goes on from there.", choices=STAGES)
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


class Stage(NamedTuple):
    """One published step: where it writes and how its items are kept for a later run."""

    writes: tuple[str, ...]  # globs
    parameters: Mapping[str, Any]  # what its result depends on, besides the stage before
    build: Callable[[Mapping[str, Any]], Any]  # the PCollections of the stages before, to this one's
    encode: Callable[[Any], Any] = lambda item: item._asdict()
    decode: Callable[[Any], Any] = lambda item: item


def build(pipeline: beam.Pipeline, options: Options) -> None:
    """Add the job to ``pipeline``: stages that an earlier run finished are read, the others are run."""
    root, started = options.output, time.time()
    mark = publish.fingerprint("input", [__version__, listing(options)], "")
    built: dict[str, Any] = {}
    marks: dict[str, str] = {}
    finished: dict[str, Any] = {}
    for name, stage in _stages(pipeline, options).items():
        mark = marks[name] = publish.fingerprint(name, stage.parameters, mark)
        if publish.is_finished(root, name, mark):
            logging.info("%s: finished in an earlier run, reused", name)
            items = publish.read_stage(root, name)["items"]
            built[name] = pipeline | f"Reuse {name}" >> beam.Create(items, reshuffle=False) | f"Restore {name}" >> beam.Map(stage.decode)
            finished[name] = pipeline | f"Finished {name}" >> beam.Create([None], reshuffle=False)
        else:
            publish.clear_stage(root, name, stage.writes)
            built[name] = stage.build(built)
            encoded = built[name] | f"Encode {name}" >> beam.Map(_timed, stage.encode) | f"List {name}" >> beam.combiners.ToList()
            finished[name] = encoded | f"Publish {name}" >> beam.Map(_publish, root, name, mark, stage.parameters)
        if name == options.until:
            return
    told = {field: str(value) for field, value in asdict(options).items() if field not in _UNTOLD}
    bands = optimal_bands(options.near_threshold, NUM_PERM)
    run = Run(root, sorted(patterns_of(options)), told, (*bands, options.near_threshold), _model(options), marks, started)
    inputs = (built["documents"], built["scores"], built["corpora"])
    _ = inputs | "Summarise" >> SummariseRun(run, finished)


# Where a run writes and how many processes it uses say nothing about what comes out.
_UNTOLD = ("input", "output", "workers", "until", "accelerator", "partitions", "rounds")


def _model(options: Options) -> str:
    return open_package(options.scorer).fingerprint if options.score else ""


def _timed(item: Any, encode: Callable[[Any], Any]) -> tuple[float, Any]:
    # Fused with the step that made the item, so this is when the item was finished; the record may be written much later.
    return time.time(), encode(item)


def _publish(items: list[tuple[float, Any]], root: str, name: str, mark: str, parameters: Mapping[str, Any]) -> float:
    publish.write_stage(root, name, mark, parameters, sorted((item for _, item in items), key=str))
    return max((finished for finished, _ in items), default=time.time())


def _stages(pipeline: beam.Pipeline, options: Options) -> dict[str, Stage]:
    root, bands = options.output, optimal_bands(options.near_threshold, NUM_PERM)
    model = _model(options)
    read, rules = ReadLimits(), RuleLimits()
    rule = Rule(options.near_threshold, options.drop_lowest, options.drop_by, options.drop_per)
    patterns = patterns_of(options)

    def documents(_: Mapping[str, Any]) -> Any:
        reader = steps.ReadRepositories(root, _lister(options), options.metadata, options.columns, read, options.shard_bytes)
        return pipeline | "Input" >> beam.Create(patterns, reshuffle=False) | "Read repositories" >> reader

    def shards(built: Mapping[str, Any]) -> Any:
        return built["documents"] | "Shards" >> beam.FlatMap(lambda bucket: bucket.shards).with_output_types(Shard)

    return {
        "documents": Stage(
            ("documents/*", "rejected/read-*", "failed/read-*", "_work/tally/read-*"),
            {"limits": asdict(read), "shard_bytes": options.shard_bytes, "metadata": _digest(options.metadata), "columns": options.columns},
            documents,
            _encode_bucket,
            _decode_bucket,
        ),
        "measures": Stage(
            ("measures/*", "repositories/*"),
            {"limits": asdict(rules), "bands": bands},
            lambda built: shards(built) | "Measure documents" >> steps.MeasureDocuments(root, rules, bands),
            decode=lambda item: Shard(**item),
        ),
        "duplicates": Stage(
            ("duplicates/*", "_work/candidates/*"),
            {
                "threshold": options.near_threshold,
                "against": [publish.read_stage(path, "duplicates")["fingerprint"] for path in options.against],
            },
            lambda built: (
                built["measures"]
                | "Places"
                >> beam.Map(lambda shard: Place(root, 0, shard.number, shard_path(root, "documents", shard.number))).with_output_types(
                    Place
                )
                | "Find duplicates"
                >> FindDuplicates(root, bands, options.near_threshold, options.against, options.partitions, options.rounds)
            ),
            lambda item: {"number": item[0]},
            lambda item: (item["number"], pack_table(read_table(shard_path(root, "duplicates", item["number"])))),
        ),
        "scores": Stage(
            ("syntax/*", "quality/*"),
            {"scorer": model},
            lambda built: (
                built["measures"]
                | "Score survivors" >> steps.ScoreSurvivors(root, options.score, options.scorer, options.accelerator, built["duplicates"])
            ),
            decode=lambda item: Shard(**item),
        ),
        "verdicts": Stage(
            ("verdicts/*", "rejected/verdict-*", "failed/verdict-*", "_work/tally/verdict-*"),
            {"rule": rule},
            lambda built: built["scores"] | "Decide verdicts" >> steps.DecideVerdicts(root, rule, built["duplicates"]),
            decode=lambda item: Kept(**item),
        ),
        "corpora": Stage(
            ("corpora/**", "_work/tally/*_level-*", "manifest.json", "report.*"),
            {"target": options.corpus_shard_bytes},
            lambda built: built["verdicts"] | "Assemble corpora" >> steps.AssembleCorpora(root, options.corpus_shard_bytes, model),
            decode=lambda item: Part(**item),
        ),
    }


def _digest(path: str) -> str:
    if not path:
        return ""
    with storage.open_read(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _encode_bucket(bucket: Bucket) -> dict[str, Any]:
    return bucket._asdict() | {"shards": [shard._asdict() for shard in bucket.shards]}


def _decode_bucket(item: dict[str, Any]) -> Bucket:
    return Bucket(**(item | {"shards": [Shard(**shard) for shard in item["shards"]]}))


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
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    if bool(options.input) == options.demo:
        raise opt.UsageError(PROG, "argument --input: expected one or more, or --demo instead, and not both")
    for path in options.against:
        if os.path.normpath(path) == os.path.normpath(options.output):
            raise opt.UsageError(PROG, f"argument --against: {path} is the --output itself; expected the output of an earlier run")
        if not storage.exists(storage.join(path, "manifest.json")):
            raise opt.UsageError(PROG, f"argument --against: {path} holds no finished run of beam-seed github (no manifest.json)")
        bands, own = publish.read_stage(path, "measures")["parameters"]["bands"], optimal_bands(options.near_threshold, NUM_PERM)
        if tuple(bands) != own:
            found = f"{path} was measured with {bands[0]} bands of {bands[1]} rows"
            raise opt.UsageError(PROG, f"argument --against: {found}; expected {own.bands} of {own.rows}; use its --near-threshold")
    with _told_as("--columns"):
        columns = ColumnMap.parse(options.columns)
    with _told_as("--metadata"):
        if options.metadata:
            load_metadata(options.metadata)
    with _told_as("--scorer"):
        if options.score:
            open_package(options.scorer)
    with _told_as("--input"):
        for pattern in patterns_of(options):
            for unit in list_units(pattern):
                if unit.kind == "table":
                    check_table(unit, columns)


@contextlib.contextmanager
def _told_as(flag: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument {flag}: {' '.join(str(error).split()).removeprefix(flag + ': ')}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the job, tell where the report is. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    check(options)
    with launch.alone(PROG, options.output), Watch(options.output, STAGES):
        status = launch.run(PROG, lambda pipeline: build(pipeline, options), beam_arguments, options.workers)
    if status:
        print(f"{PROG}: finished stages are kept; the same command goes on from there", file=sys.stderr)
    elif options.until == STAGES[-1]:
        print(f"report: {storage.join(options.output, 'report.html')}")
    else:
        print(f"stopped after stage {options.until}; the same command without --until goes on from there")
    return status


if __name__ == "__main__":
    sys.exit(main())
