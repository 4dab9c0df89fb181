"""``beam-seed distill``: the whole loop through its command line, in a small size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input

from beam_seed.quality.scorer import Scorer
from beam_seed.records import make_document
from pipelines import cli, distill

TINY = "--layers=1 --hidden-size=32 --vocabulary=300 --max-length=64 --batch=8 --device-batch=8 --bag-epochs=1 --held-out=0.4"


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    texts = [sample_input.python_source(number, 1 + number % 5) for number in range(120)]
    texts[::7] = [f"VALUES = {list(range(number, number + 40))}\n" for number in range(len(texts[::7]))]
    names = [f"{name}-{number % 2}" for number, name in enumerate(sample_input.WORDS * 6)]
    pq.write_table(pa.table({"repo": names, "path": [f"m{n}.py" for n in range(120)], "content": texts}), folder / "corpus.parquet")
    return folder


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("distilled")
    command = [f"--input={corpus}", f"--output={output}", "--sample=--per-language=100", f"--train={TINY}", "--score=--drop-lowest=0.2"]
    assert cli.main(["distill", *command, "--workers=1"]) == 0
    return output


def test_each_step_leaves_its_result(run: Path) -> None:
    assert len(rows(run / "sample" / "sample")) == 100
    labels = rows(run / "labels" / "labels")
    assert len(labels) == 100
    assert len({row["rating"] for row in labels}) > 2
    evaluation = json.loads((run / "evaluation" / "evaluation.json").read_text())
    assert 0 < evaluation["figures"]["files"] < 100
    assert (run / "evaluation" / "evaluation.html").stat().st_size > 10_000
    assert "rubric" in (run / "scorer" / "README.md").read_text()


def test_the_corpus_is_judged_by_the_new_scorer(run: Path) -> None:
    scorer = Scorer.load(str(run / "scorer"))
    kept, dropped = rows(run / "scored" / "kept"), rows(run / "scored" / "dropped")
    assert len(kept) + len(dropped) == 120
    assert 0 < len(dropped) <= 24
    documents = [make_document(row["repo"], row["path"], row["content"], language="Python") for row in kept]
    assert scorer.score(documents).tolist() == [row["quality"] for row in kept]
    assert {row["scorer"] for row in kept} == {scorer.fingerprint}
    assert max(row["measured"] for row in dropped) < min(row["quality"] for row in kept)


def test_what_is_finished_is_not_done_again(run: Path, corpus: Path, tmp_path: Path) -> None:
    output = shutil.copytree(run, tmp_path / "again")
    # The steps' commands name the output folder; the records of another folder are not of this one.
    command = [f"--input={corpus}", f"--output={run}", "--sample=--per-language=100", f"--train={TINY}", "--workers=1"]
    trained = (run / "scorer" / "scorer.json").stat().st_mtime_ns
    assert distill.main([*command, "--score=--drop-lowest=0.5"]) == 0
    assert (run / "scorer" / "scorer.json").stat().st_mtime_ns == trained
    assert len(rows(run / "scored" / "kept")) < len(rows(output / "scored" / "kept"))


def test_a_step_that_fails_is_told(corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [f"--input={corpus}", f"--output={tmp_path}", "--sample=--per-language=9 --bogus=1"]
    assert distill.main(command) == 2
    told = capfd.readouterr().err
    assert "--bogus" in told
    assert "step sample failed" in told
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(("argument", "told"), [("--output=gs://b/o", "local folder"), ("--input=/nonexistent", "no Parquet file")])
def test_what_cannot_be_run_is_refused(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argument: str, told: str) -> None:
    arguments = {"--input": f"--input={corpus}", "--output": f"--output={tmp_path}"} | {argument.partition("=")[0]: argument}
    with pytest.raises(SystemExit) as stopped:
        distill.main(list(arguments.values()))
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
