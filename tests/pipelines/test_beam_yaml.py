"""The filters from Beam YAML, through Beam's own command line, against the main job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
import sample_input
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.yaml import yaml_provider
from apache_beam.yaml.yaml_transform import YamlTransform

from beam_seed import beam_yaml
from beam_seed.beam_yaml.transforms import document_of
from beam_seed.beam_yaml.web import Categorised
from beam_seed.web.records import Page

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


# Public transforms that Beam YAML does not have, and why.
NOT_ROWS = {
    **dict.fromkeys(("LabelDocuments",), "its oracle is an object with keys, prices and caches: beam-seed label"),
    **dict.fromkeys(("SampleFiles",), "takes tables to documents by an allocation: beam-seed sample"),
    **dict.fromkeys(("MeasureFiles",), "high-quality mining goes from tables to tables in rounds: beam-seed high-quality"),
}


def documented() -> set[str]:
    imports = re.findall(r"^>>> from beam_seed\.[a-z_.]*transforms import (.+)$", Path("docs/transforms.md").read_text(), re.MULTILINE)
    return {name.strip() for line in imports for name in line.split(",")}


def test_the_provider_has_every_documented_transform_or_a_reason() -> None:
    (ours,) = yaml_provider.load_providers(str(PROVIDER))
    provided = set(ours.provided_transforms())
    assert documented() >= {"DetectLanguage", "ReadPages", "FillInTheMiddle"}
    assert documented() - provided == set(NOT_ROWS)
    assert provided <= documented()


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (["DetectLanguage", "ApplyRules", "DeduplicateExact", "DeduplicateNear", "CheckSyntax"], 10),
        (["{type: Decontaminate, config: {benchmarks: BENCHMARK}}"], 9),
        (["FillInTheMiddle"], 10),
        (["ScoreQuality", "{type: DropLowest, config: {share: 0.3}}"], 7),
        (["AssembleRepositories"], 1),
    ],
    ids=["filters", "benchmarks", "fim", "quality", "repositories"],
)
def test_files_through(steps: list[str], kept: int, tmp_path: Path) -> None:
    (tmp_path / "benchmark.jsonl").write_text(json.dumps({"prompt": "the seven rivers that are longer than any other river of the north"}))
    texts = [sample_input.python_source(number) for number in range(9)]
    texts.append("# The seven rivers that are longer than any other river of the north.\nx = 1\n" + sample_input.python_source(9))
    files = [beam.Row(repo="r", path=f"{number}.py", content=text, language="Python") for number, text in enumerate(texts)]
    check(files, [step.replace("BENCHMARK", str(tmp_path / "benchmark.jsonl")) for step in steps], kept)


def test_notebooks_through() -> None:
    cells = json.dumps({"cells": [{"cell_type": "code", "source": "x = 1", "outputs": []}]})
    check([beam.Row(repo="r", path="a.ipynb", content=cells), beam.Row(repo="r", path="b.ipynb", content="{")], ["RenderNotebooks"], 1)


def test_pages_through(tmp_path: Path) -> None:
    assert Categorised._fields == (*Page._fields, "category", "quality")
    body = "<p>" + "Add two numbers with this. " * 9 + "<pre>def add(a, b):\n    return a + b</pre>"
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}".encode()
    head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://docs.site.example/add\r\nContent-Type: application/http\r\n"
    (tmp_path / "a.warc").write_bytes(f"{head}Content-Length: {len(http)}\r\n\r\n".encode() + http + b"\r\n\r\n")
    read = f"{{type: ReadPages, config: {{input: '{tmp_path}/*.warc'}}}}"
    check(None, [read, "FilterPages", "RecallRelevant", "CategorisePages", "SelectByCategory"], 1)


def check(rows: list[beam.Row] | None, steps: list[str], kept: int) -> None:
    """Run steps, each on the first output of the one before, and count what the last one keeps."""
    providers = list(yaml_provider.load_providers(str(PROVIDER)))
    with beam.Pipeline("FnApiRunner") as pipeline:
        found = pipeline if rows is None else pipeline | beam.Create(rows)
        for number, step in enumerate(steps):
            found = found | f"Step {number}" >> YamlTransform(step if "{" in step else f"type: {step}", providers)
            if isinstance(found, dict):
                assert set(found) in ({"kept", "rejected", "failed"}, {"scored", "failed"}, {"sequences", "failed"})
                found = next(found[name] for name in ("kept", "scored", "sequences") if name in found)
        assert_that(found | beam.combiners.Count.Globally(), equal_to([kept]))


def test_a_row_without_what_is_needed_is_told() -> None:
    with pytest.raises(ValueError, match="has path empty or not at all, and the fields repo, content; expected repo, path, content"):
        document_of(beam.Row(repo="r", content="x"))
    document = document_of(beam.Row(repo="r", path="a.py", content="é", stars=3, more="?"))
    assert (document.size, document.stars, document.language) == (2, 3, "")
