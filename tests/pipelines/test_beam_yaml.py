"""The filters from Beam YAML, through Beam's own command line, against the main job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.yaml import yaml_provider
from apache_beam.yaml.yaml_transform import YamlTransform

from beam_seed import beam_yaml
from beam_seed.beam_yaml.transforms import document_of

PIPELINE = Path("templates/beam_yaml/curate.yaml")
PROVIDER = Path(beam_yaml.__file__).parent / "provider.yaml"


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def names(found: list[dict]) -> set[tuple[str, str]]:
    return {(row["repo"], row["path"]) for row in found}


def test_the_pipeline_drops_what_the_main_job_drops(run: Path, sample: Path, metadata: Path, scorer: Path, tmp_path: Path) -> None:
    inputs = [str(sample / name) for name in ("trees", "archives", "tables")]
    variables = {"input": inputs, "metadata": str(metadata), "scorer": str(scorer), "output": str(tmp_path), "drop_lowest": 0}
    command = [sys.executable, "-m", "apache_beam.yaml.main", f"--yaml_pipeline_file={PIPELINE}", "--runner=FnApiRunner"]
    subprocess.run([*command, f"--jinja_variables={json.dumps(variables)}"], check=True)
    kept, rejected, failed = (rows(tmp_path / name) for name in ("kept", "rejected", "failed"))

    dropped = [row for row in rows(run / "rejected") if row["variant"] in ("both", "file_level")]
    low = names([row for row in dropped if row["stage"] == "quality"])
    assert low
    assert names(kept) == names(rows(run / "corpora/file_level")) | low
    assert names(rejected) == names(dropped) - low
    assert {row["rule"] for row in rejected} >= {"near-duplicate", "exact-duplicate", "syntax-error", "unsupported-language"}
    assert names(failed) == names([row for row in rows(run / "failed") if row["variant"] in ("both", "file_level")])
    quality = {(row["repo"], row["path"]): row["quality"] for row in rows(run / "corpora/file_level")}
    for row in kept:
        expected = quality.get((row["repo"], row["path"]))
        assert expected is None or row["quality"] == pytest.approx(expected, abs=1e-6)


def test_every_transform_of_the_provider_is_there_and_the_lowest_goes() -> None:
    providers = list(yaml_provider.load_providers(str(PROVIDER)))
    (ours,) = providers
    with beam.Pipeline("FnApiRunner") as pipeline:
        rows = pipeline | beam.Create([beam.Row(repo="r", path=f"{n}.py", content=f"x = {n}\n", language="Python") for n in range(10)])
        filters = [name for name in ours.provided_transforms() if name not in ("ReadRepositories", "ScoreQuality", "DropLowest")]
        for name in filters:
            outputs = rows | name >> YamlTransform(f"type: {name}", providers)
            assert set(outputs) == {"kept", "rejected", "failed"}
        scored = rows | "Score" >> YamlTransform("type: ScoreQuality", providers)
        lowest = scored["scored"] | "Drop" >> YamlTransform("{type: DropLowest, config: {share: 0.3}}", providers)
        counts = {name: lowest[name] | f"Count {name}" >> beam.combiners.Count.Globally() for name in ("kept", "rejected")}
        assert_that(counts["rejected"], equal_to([3]), "Assert rejected")
        assert_that(counts["kept"], equal_to([7]), "Assert kept")


def test_a_row_without_what_is_needed_is_told() -> None:
    with pytest.raises(ValueError, match="has path empty or not at all, and the fields repo, content; expected repo, path, content"):
        document_of(beam.Row(repo="r", content="x"))
    document = document_of(beam.Row(repo="r", path="a.py", content="é", stars=3, more="?"))
    assert (document.size, document.stars, document.language) == (2, 3, "")
