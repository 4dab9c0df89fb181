"""Running a job's graph: locally by default, or on whatever ``--runner`` names."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, SetupOptions, StandardOptions

from beam_seed import metrics, storage
from beam_seed import options as opt
from beam_seed.failures import FEW, MAX_SHARE
from beam_seed.options import UsageError

LOCAL_RUNNER = "FnApiRunner"

_WORKER_GONE = "Channel closed prematurely."  # all that the local runner says when the process of a worker is no more


def max_failed_share() -> Any:
    """The field of a job's options that limits its failed documents, see :mod:`beam_seed.failures`."""
    told = f"Share of the documents that failed from which the job fails, where there are more than {FEW} of them."
    return opt.option(MAX_SHARE, told, check=opt.share)


def local_arguments(arguments: Sequence[str], workers: int, mode: str) -> list[str]:
    """Beam arguments with our local default: Beam's own in-process runner, named so that none is looked for on the network.

    mode: how it uses several processors, 'multi_processing' or, for jobs that compute outside of Python, 'multi_threading'.
    """
    if any(argument.startswith("--runner") for argument in arguments):
        return list(arguments)
    workers = workers or os.cpu_count() or 1
    local = [f"--runner={LOCAL_RUNNER}", *arguments]
    if workers > 1 and not any(argument.startswith("--direct_running_mode") for argument in arguments):
        local += [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
    return local


def only_stages(arguments: Sequence[str]) -> bool:
    """Whether these Beam arguments run nothing, so that there is no output: a Flex Template's launcher stages, `RenderRunner` draws."""
    options = PipelineOptions(list(arguments))
    drawn = (options.view_as(StandardOptions).runner or "").endswith("RenderRunner")
    return drawn or bool(options.view_as(GoogleCloudOptions).template_location)


def run(
    prog: str,
    build: Callable[[beam.Pipeline], None],
    options: Any,
    arguments: Sequence[str],
    workers: int | None = None,
    mode: str = "multi_processing",
) -> int:
    """Build and run a pipeline and wait for it. Returns the exit status: 1, and one line that says why, where the job fails.

    options: the job's dataclass, whose paths are told as its lineage. arguments: Beam's. workers: other than the options say.
    """
    pipeline_options = PipelineOptions(local_arguments(arguments, options.workers if workers is None else workers, mode))
    # Everything the workers need is in installed modules; pickling __main__ only adds ways to fail.
    pipeline_options.view_as(SetupOptions).save_main_session = False
    started = time.monotonic()
    try:
        pipeline = beam.Pipeline(options=pipeline_options)
        build(pipeline)
        once = pipeline | "Lineage" >> beam.Create([None], reshuffle=False)
        _ = once | "Tell lineage" >> beam.Map(metrics.add_lineage, *lineage(options))
        result = pipeline.run()
        state = "DONE"
        if not only_stages(arguments):
            state = result.wait_until_finish()
            tell(prog, metrics.counters(result), time.monotonic() - started)
    except Exception as error:
        logging.debug("the job failed", exc_info=True)
        told = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        if told[-1] == _WORKER_GONE:
            told.append("a worker process ended, killed or out of memory; see the system's log, give fewer --workers or more memory")
        print(f"{prog}: error: {told[-1]}", file=sys.stderr)
        return 1
    if state != "DONE":
        print(f"{prog}: error: the job ended in state {state}; expected DONE; see the log of the runner", file=sys.stderr)
    return 0 if state == "DONE" else 1


def tell(prog: str, counters: Mapping[str, Mapping[str, int]], seconds: float) -> None:
    """Log what a finished job counted: a line for each stage (beam-seed score: scores: 40 in, 40 kept), and a last one for the job."""
    for stage, own in counters.items():
        line = ", ".join(f"{value:,} {name}" for name, value in own.items() if value or name == "in")
        logging.info("%s: %s: %s", prog, stage, line, extra={"fields": {"job": prog, "stage": stage, "counters": dict(own)}})
    if problem := metrics.unbalanced(counters):
        # Work that a runner did twice is counted twice; the datasets are what the books are closed by.
        logging.warning("%s: counters that do not add up: %s", prog, problem, extra={"fields": {"job": prog, "unbalanced": problem}})
    whole = {name: sum(own.get(name, 0) for own in counters.values()) for name in ("failed", "busy_ms")}
    process, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = process.ru_utime + process.ru_stime + workers.ru_utime + workers.ru_stime  # of workers that have ended
    told = {"job": prog, "state": "done", "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), **whole}
    logging.info("%s: done in %.1f s", prog, seconds, extra={"fields": told})


def lineage(options: Any) -> tuple[list[str], list[str]]:
    """What a job reads and what it writes, by its options' kinds: patterns, files and folders."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for field in dataclasses.fields(options):
        value, kind = getattr(options, field.name), field.metadata.get("kind")
        if value and kind:
            found[kind == "write"] += [value] if isinstance(value, str) else value
    return sorted(set(found[False])), sorted(set(found[True]))


@contextlib.contextmanager
def alone(prog: str, output: str) -> Iterator[None]:
    """Hold a local output folder for this process alone; the lock ends with the process, however that ends."""
    if not storage.is_local(output):
        yield
        return
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise UsageError(prog, f"argument --output: {error}") from None
    with open(os.path.join(output, ".lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(prog, f"argument --output: another run is writing to {output}; wait for it, or give another folder") from None
        yield


def clear(output: str, *datasets: str) -> None:
    """Remove what an earlier run left in ``output``: names or globs, the record of a finished run first."""
    for pattern in datasets:
        for info in storage.match(storage.join(storage.escape(output), *pattern.split("/"))):
            storage.delete_tree(info.path)
