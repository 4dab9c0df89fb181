"""Running a job's graph: locally by default, or on whatever ``--runner`` names."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, SetupOptions, StandardOptions

from beam_seed import storage
from beam_seed.options import UsageError

LOCAL_RUNNER = "FnApiRunner"


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


def run(prog: str, build: Callable[[beam.Pipeline], None], arguments: Sequence[str], workers: int, mode: str = "multi_processing") -> int:
    """Build and run a pipeline and wait for it. Returns the exit status: 1, and one line that says why, where the job fails."""
    pipeline_options = PipelineOptions(local_arguments(arguments, workers, mode))
    # Everything the workers need is in installed modules; pickling __main__ only adds ways to fail.
    pipeline_options.view_as(SetupOptions).save_main_session = False
    try:
        pipeline = beam.Pipeline(options=pipeline_options)
        build(pipeline)
        result = pipeline.run()
        state = "DONE"
        if not only_stages(arguments):
            state = result.wait_until_finish()
            for line in told_counters(result):
                logging.info("%s", line)
    except Exception as error:
        logging.debug("the job failed", exc_info=True)
        told = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        print(f"{prog}: error: {told[-1]}", file=sys.stderr)
        return 1
    if state != "DONE":
        print(f"{prog}: error: the job ended in state {state}; expected DONE; see the log of the runner", file=sys.stderr)
    return 0 if state == "DONE" else 1


def told_counters(result: Any) -> list[str]:
    """Our own counters of a finished job, a line for each part: 'quality: 3,703 reused, 412 scored'."""
    counts: dict[str, dict[str, int]] = {}
    for counter in result.metrics().query(MetricsFilter())["counters"]:
        package, _, part = counter.key.metric.namespace.partition(".")
        if package == "beam_seed":
            own = counts.setdefault(part, {})
            own[counter.key.metric.name] = own.get(counter.key.metric.name, 0) + counter.result
    return [f"{part}: " + ", ".join(f"{count:,} {name}" for name, count in sorted(own.items())) for part, own in sorted(counts.items())]


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
