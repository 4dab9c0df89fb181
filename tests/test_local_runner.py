import os

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_seed.local_runner import local_processes


@pytest.mark.parametrize(
    ("flags", "processes"),
    [
        ([], 1),
        (["--runner=FnApiRunner"], 1),
        (["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=3"], 3),
        (["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=0"], os.cpu_count()),
        (["--runner=apache_beam.runners.DirectRunner", "--direct_running_mode=multi_threading", "--direct_num_workers=4"], 1),
        (["--runner=DataflowRunner", "--project=p", "--region=r", "--temp_location=gs://b/t"], 0),
    ],
)
def test_processes_of_a_local_runner(flags, processes):
    assert local_processes(PipelineOptions(flags)) == processes
