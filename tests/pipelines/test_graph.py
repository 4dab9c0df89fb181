"""``beam-seed graph``: a job's graph is drawn, nothing is run, an earlier run's output stays."""

from __future__ import annotations

import os

import pytest

from pipelines import graph


@pytest.fixture
def repositories(tmp_path):
    # The graph is made from the input, as for a run.
    (tmp_path / "repositories" / "one").mkdir(parents=True)
    (tmp_path / "repositories" / "one" / "a.ipynb").write_text("{}", encoding="utf-8")
    return tmp_path / "repositories"


@pytest.mark.parametrize(
    ("job", "steps"),
    [("github", {"Input", "Measure", "Verify", "Assemble", "Summarise"}), ("notebooks", {"Render and write", "Summarise"})],
)
def test_the_graph_is_drawn_and_nothing_is_run(tmp_path, repositories, capsys, job, steps):
    drawn, output = tmp_path / "graph.dot", tmp_path / "out"
    for kept in ("notebooks.json", "manifest.json", "documents/a.parquet"):
        (output / kept).parent.mkdir(parents=True, exist_ok=True)
        (output / kept).touch()
    before = sorted(output.rglob("*"))
    assert graph.main([job, f"--input={repositories}", f"--output={output}", f"--to={drawn}"]) == 0
    text = drawn.read_text(encoding="utf-8")
    assert text.startswith("digraph")
    assert {step for step in steps if f'label="{step}"' in text} == steps
    assert sorted(output.rglob("*")) == before
    assert capsys.readouterr().out.splitlines()[-1] == f"graph: {drawn}"


def test_a_drawing_that_cannot_be_written_fails(tmp_path, repositories, capsys):
    assert graph.main(["notebooks", f"--input={repositories}", f"--to={tmp_path}{os.sep}no{os.sep}graph.dot"]) == 1
    assert "beam-seed notebooks: error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "the following arguments are required: JOB, --to"),
        (["why", "--to=graph.dot"], "invalid choice: 'why' (choose from 'github'"),
        (["github"], "the following arguments are required: --to"),
        (["notebooks", "--to=graph.dot", "--frobnicate=1"], "unknown argument --frobnicate=1"),
        (["notebooks", "--to=graph.dot", "--input=/nothing/there"], "argument --input"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, monkeypatch, capsys, argv, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        graph.main(argv)
    assert told in capsys.readouterr().err
