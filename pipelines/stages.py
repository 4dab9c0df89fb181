"""Launchable jobs made of stages: each stage writes datasets and a record, and a later run goes on from there.

A job declares its options (a dataclass), its stages and its checks; what is here runs them. ``docs/pipeline.md`` shows how.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple, Protocol

import apache_beam as beam

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.curation import publish
from beam_seed.curation.datasets import Shard, read_table, shard_path, write_table
from beam_seed.curation.duplicate_transforms import FindDuplicates
from beam_seed.curation.duplicates import Place
from beam_seed.curation.read import Bucket
from beam_seed.curation.summary import Run
from beam_seed.curation.summary_transforms import SummariseRun
from beam_seed.decontamination.benchmarks import find_benchmarks, fingerprint
from beam_seed.decontamination.index import Limits
from beam_seed.decontamination.judge import STAGE as DECONTAMINATION
from beam_seed.decontamination.judge import Texts, index_of
from beam_seed.decontamination.transforms import FindContamination, IndexBenchmarks
from beam_seed.estimate.cost import cost_lines
from beam_seed.local_runner import local_processes
from beam_seed.near_dedup.lsh import Bands
from beam_seed.packing import pack_table, unpack_table
from beam_seed.report.job import Job
from pipelines import launch
from pipelines.progress import Watch

ShardTexts = Callable[[Shard], tuple[int, Iterable[Texts]]]

REPORT = "report"  # the last stage of every job; it leaves no record, so every run writes its report anew

WATCHED = {"documents": "documents", "measures": "measures", "duplicates": "duplicates", "scores": "quality", "verdicts": "verdicts"}
"""Of jobs with these stages, the dataset whose files tell how far each is; one file for each shard."""

# Where a run writes and how many processes it uses say nothing about what comes out.
_UNTOLD = ("input", "output", "cache", "workers", "until", "accelerator", "partitions", "rounds")


class Stage(NamedTuple):
    """One published step: where it writes and how its items are kept for a later run."""

    writes: tuple[str, ...]  # globs
    parameters: Mapping[str, Any]  # what its result depends on, besides the stage before
    build: Callable[[Mapping[str, Any]], Any]  # the PCollections of the stages before, to this one's
    encode: Callable[[Any], Any] = lambda item: item._asdict()
    decode: Callable[[Any], Any] = lambda item: item


class StagedOptions(Protocol):
    """The options that every job of stages has."""

    @property
    def output(self) -> str: ...
    @property
    def until(self) -> str: ...
    @property
    def workers(self) -> int: ...


class Program(NamedTuple):
    """What there is to launch of a job."""

    job: Job
    options: type[Any]  # a dataclass, see StagedOptions
    check: Callable[[Any], None]  # raises UsageError where the options cannot be run
    build: Callable[[beam.Pipeline, Any], None]  # calls add_stages
    watched: Mapping[str, str]  # stage -> the dataset whose files tell how far it is, a file for each shard; the first is documents/


def add_stages(pipeline: beam.Pipeline, stages: Mapping[str, Stage], run: Run, listing: Any, until: str, buckets: str, shards: str) -> None:
    """Add a job to ``pipeline``: stages that an earlier run finished are read, the others are run; then the report.

    stages: in order; the items of the last are made when all tallies are written. listing: a JSON value that changes when the input does.
    until: the stage to stop after. buckets, shards: the stages whose items are the Buckets that were read, the Shards of documents/.
    """
    root, started = run.root, time.time()
    mark = publish.fingerprint("input", [__version__, listing], "")
    built: dict[str, Any] = {}
    marks: dict[str, str] = {}
    finished: dict[str, Any] = {}
    for name, stage in stages.items():
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
        if name == until:
            return
    inputs = (built[buckets], built[shards], built[list(stages)[-1]])
    _ = inputs | "Summarise" >> SummariseRun(run._replace(stages=marks, started=started, cores=local_processes(pipeline.options)), finished)


def _timed(item: Any, encode: Callable[[Any], Any]) -> tuple[float, Any]:
    # Fused with the step that made the item, so this is when the item was finished; the record may be written much later.
    return time.time(), encode(item)


def _publish(items: list[tuple[float, Any]], root: str, name: str, mark: str, parameters: Mapping[str, Any]) -> float:
    publish.write_stage(root, name, mark, parameters, sorted((item for _, item in items), key=str))
    return max((finished for finished, _ in items), default=time.time())


def duplicates_stage(
    root: str, bands: Bands, threshold: float, against: Sequence[str], partitions: int, rounds: int, before: str = "measures"
) -> Stage:
    """The stage ``duplicates`` of a job whose stage ``before`` leaves Shards with ``measures/`` and ``repositories/``.

    Its items are (shard number, packed DUPLICATES), a multimap side input of the stages after it. against: folders of earlier runs.
    """
    find = FindDuplicates(root, bands, threshold, against, partitions, rounds)
    return Stage(
        ("duplicates/*", "_work/candidates/*"),
        {"threshold": threshold, "against": [publish.read_stage(path, "duplicates")["fingerprint"] for path in against]},
        lambda built: built[before] | "Places" >> beam.Map(_place, root).with_output_types(Place) | "Find duplicates" >> find,
        lambda item: {"number": item[0]},
        lambda item: (item["number"], pack_table(read_table(shard_path(root, "duplicates", item["number"])))),
    )


def benchmark_stages(
    pipeline: beam.Pipeline, root: str, benchmarks: Sequence[str], limits: Limits, texts: ShardTexts, before: str
) -> dict[str, Stage]:
    """What ``--benchmarks`` add to a job whose stage ``before`` leaves Shards: ``contamination``, what shares n-grams with them.

    Its items are (shard number, packed CONTAMINATED), a multimap side input of the stages after it. No stage where there are no benchmarks.
    """
    if not benchmarks:
        return {}
    find = FindContamination(texts, limits, pipeline | "Index benchmarks" >> IndexBenchmarks(benchmarks))
    stage = Stage(
        ("contamination/*",),
        {"benchmarks": fingerprint(find_benchmarks(benchmarks)), "limits": asdict(limits)},
        lambda built: built[before] | "Find contamination" >> find | "Write contamination" >> beam.Map(_write_contamination, root),
        lambda item: {"number": item[0]},
        lambda item: (item["number"], pack_table(read_table(shard_path(root, "contamination", item["number"])))),
    )
    return {"contamination": stage}


def check_benchmarks(job: Job, benchmarks: Sequence[str], until: str, limits: Limits) -> None:
    """Raise UsageError where the benchmarks cannot be read, or the run is to stop after the stage that only they add."""
    if until == "contamination" and not benchmarks:
        raise opt.UsageError(job.prog, "argument --until: without --benchmarks there is no stage contamination; expected another stage")
    with told_as(job, "--benchmarks"):
        index_of(benchmarks, limits)


def _write_contamination(found: tuple[int, bytes], root: str) -> tuple[int, bytes]:
    write_table(shard_path(root, "contamination", found[0]), unpack_table(found[1]))
    return found


def with_steps(job: Job, benchmarks: Sequence[str]) -> Job:
    """``job`` as it is run: without benchmarks, nothing passes a decontamination, and no report must say so."""
    return job if benchmarks else replace(job, funnel=tuple(step for step in job.funnel if step != DECONTAMINATION))


def _place(shard: Shard, root: str) -> Place:
    return Place(root, 0, shard.number, shard_path(root, "documents", shard.number))


def encode_bucket(bucket: Bucket) -> dict[str, Any]:
    """A Bucket as the item of a stage."""
    return bucket._asdict() | {"shards": [shard._asdict() for shard in bucket.shards]}


def decode_bucket(item: dict[str, Any]) -> Bucket:
    return Bucket(**(item | {"shards": [Shard(**shard) for shard in item["shards"]]}))


def file_digest(path: str) -> str:
    """Digest of a small file that a stage depends on; '' where none is given."""
    if not path:
        return ""
    with storage.open_read(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def told_options(options: Any) -> dict[str, str]:
    """The options that the manifest and the report tell."""
    return {name: str(value) for name, value in asdict(options).items() if name not in _UNTOLD}


@contextlib.contextmanager
def told_as(job: Job, flag: str) -> Iterator[None]:
    """Tell what is wrong within the block as a fault of a flag: ValueError and OSError become UsageError."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise opt.UsageError(job.prog, f"argument {flag}: {' '.join(str(error).split()).removeprefix(flag + ': ')}") from None


def check_output(job: Job, output: str) -> None:
    """Raise UsageError where no output folder is given, or one that another job writes to."""
    if not output:
        raise opt.UsageError(job.prog, "argument --output: none given; expected the folder to write to")
    owner = publish.job_of(output)
    if owner is not None and owner.name != job.name:
        found = f"{output} is the output of {owner.prog}, whose datasets would be lost"
        raise opt.UsageError(job.prog, f"argument --output: {found}; expected an empty folder or one of {job.prog}")


def check_earlier_runs(job: Job, against: Sequence[str], output: str, bands: Bands) -> None:
    """Raise UsageError where a folder of ``--against`` is no finished run of this job, measured (stage measures) with these bands."""
    for path in against:
        if os.path.normpath(path) == os.path.normpath(output):
            raise opt.UsageError(job.prog, f"argument --against: {path} is the --output itself; expected the output of an earlier run")
        owner = publish.job_of(path)
        if owner is None or owner.name != job.name or not storage.exists(storage.join(path, "manifest.json")):
            found = f"{path} holds no finished run of {job.prog}"
            raise opt.UsageError(job.prog, f"argument --against: {found}" + ("" if owner is None else f" but one of {owner.prog}"))
        measured = publish.read_stage(path, "measures")["parameters"]["bands"]
        if tuple(measured) != bands:
            found = f"{path} was measured with {measured[0]} bands of {measured[1]} rows"
            raise opt.UsageError(job.prog, f"argument --against: {found}; expected {bands.bands} of {bands.rows}; use its --near-threshold")


def main(program: Program, argv: Sequence[str] | None = None) -> int:
    """Parse the command line, run the job, tell where the report is. Returns the exit status."""
    job = program.job
    options: StagedOptions
    options, beam_arguments = opt.parse(program.options, sys.argv[1:] if argv is None else argv, job.prog)
    check_output(job, options.output)
    program.check(options)
    with launch.alone(job.prog, options.output), Watch(options.output, program.watched):
        # Only some jobs look for benchmarks.
        publish.write_job(options.output, with_steps(job, getattr(options, "benchmarks", ())))
        status = launch.run(job.prog, lambda pipeline: program.build(pipeline, options), options, beam_arguments)
    if status:
        print(f"{job.prog}: finished stages are kept; the same command goes on from there", file=sys.stderr)
    elif launch.only_stages(beam_arguments):
        logging.info("the job is staged; its report will be %s", storage.join(options.output, "report.html"))
    elif options.until == REPORT:
        _tell_cost(options.output)
        print(f"report: {storage.join(options.output, 'report.html')}")
    else:
        print(f"stopped after stage {options.until}; the same command without --until goes on from there")
    return status


def _tell_cost(output: str) -> None:
    # Jobs with a report of their own have none of it.
    path = storage.join(output, "report.json")
    for line in cost_lines(storage.read_json(path).get("cost", {})) if storage.exists(path) else ():
        print(line)
