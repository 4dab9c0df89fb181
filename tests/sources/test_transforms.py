"""ReadRepositories as a step: lists in and out, and across processes."""

from __future__ import annotations

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.sources.metadata import RepoMetadata
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits
from beam_seed.sources.table import read_table
from beam_seed.sources.transforms import ReadRepositories
from beam_seed.sources.units import Unit, list_units


@pytest.fixture
def units(tmp_path: Path) -> list[Unit]:
    root = tmp_path / "in"
    for repo in ("one", "two"):
        (root / repo / "vendor").mkdir(parents=True)
        (root / repo / "a.py").write_text(f"# {repo} é\n")
        (root / repo / "vendor" / "b.py").write_text("b\n")
    (root / "broken.zip").write_bytes(b"noise")
    (root / "rows.jsonl").write_text(json.dumps({"content": "x\n", "repo": "three", "path": "c.py"}) + "\nnoise\n")
    return list_units(str(root))


def expected(units: list[Unit]) -> list[str]:
    return sorted(record.id for unit in units for record in (read_table(unit) if unit.kind == "table" else read_unit(unit)))


def test_lists_in_and_out(units: list[Unit]) -> None:
    outcome = units | ReadRepositories(metadata={"one": RepoMetadata("one", 7, 1, "MIT", "")})
    assert {(document.repo, document.path, document.stars) for document in outcome.kept} == {
        ("one", "a.py", 7),
        ("two", "a.py", None),
        ("three", "c.py", None),
    }
    assert {(record.repo, record.rule) for record in outcome.rejected} == {("one", "vendored"), ("two", "vendored")}
    assert {record.repo for record in outcome.failed} == {"broken", "rows"}
    assert sorted(record.id for output in outcome for record in output) == expected(units)


def test_limits_reach_the_reader(units: list[Unit]) -> None:
    outcome = units | ReadRepositories(limits=Limits(file_bytes=1))
    assert outcome.kept == []


def test_across_processes(units: list[Unit]) -> None:
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create(units) | ReadRepositories()
        ids = tuple(outcome) | beam.Flatten() | beam.Map(lambda record: record.id)
        assert_that(ids, equal_to(expected(units)))
