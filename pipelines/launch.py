"""Running a job's graph: locally by default, or on whatever ``--runner`` names."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions

LOCAL_RUNNER = "FnApiRunner"


def local_arguments(arguments: Sequence[str], workers: int) -> list[str]:
    """Beam arguments with our local default: Beam's own in-process runner, named so that none is looked for on the network."""
    if any(argument.startswith("--runner") for argument in arguments):
        return list(arguments)
    workers = workers or os.cpu_count() or 1
    local = [f"--runner={LOCAL_RUNNER}", *arguments]
    if workers > 1 and not any(argument.startswith("--direct_running_mode") for argument in arguments):
        local += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    return local


def run(build: Callable[[beam.Pipeline], None], arguments: Sequence[str], workers: int) -> Any:
    """Build and run a pipeline and wait for it; returns the result. Raises RuntimeError where the job does not end well."""
    pipeline_options = PipelineOptions(local_arguments(arguments, workers))
    # Everything the workers need is in installed modules; pickling __main__ only adds ways to fail.
    pipeline_options.view_as(SetupOptions).save_main_session = False
    pipeline = beam.Pipeline(options=pipeline_options)
    build(pipeline)
    result = pipeline.run()
    # A Flex Template launch only stages the graph: its result has no job to wait for.
    if getattr(result, "has_job", True):
        state = result.wait_until_finish()
        logging.info("the job ended in state %s", state)
        if state != "DONE":
            raise RuntimeError(f"the job ended in state {state}; expected DONE; see the log above")
    return result
