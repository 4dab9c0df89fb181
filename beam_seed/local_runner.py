"""What a pipeline's options say of a local runner."""

from __future__ import annotations

import os

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions


def local_processes(options: PipelineOptions) -> int:
    """In how many processes a local runner works; 0 where the runner is not local and does not say."""
    runner = (options.view_as(StandardOptions).runner or "DirectRunner").rpartition(".")[2]
    direct = options.view_as(DirectOptions)
    if runner not in ("DirectRunner", "FnApiRunner"):
        return 0
    return (direct.direct_num_workers or os.cpu_count() or 1) if direct.direct_running_mode == "multi_processing" else 1
