"""``beam-seed evaluate`` on a handful of files, with the shipped scorer."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from beam_seed import storage
from beam_seed.quality.package import open_package
from beam_seed.quality.rubric import rate
from beam_seed.quality.scorer import Scorer
from beam_seed.trainer.labels import read_labels, split
from pipelines import cli, evaluate

GOOD = (
    '"""Adds."""\n\n\ndef add_{n}(first, second):\n    """Sum of two numbers."""\n    # Plain addition.\n    return first + second + {n}\n'
)
BAD = "x{n}=[" + "0x1f, 0x2e,\n" * 20 + "]\n"


def write(folder, rows):
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    return str(folder)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Files this small only make threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rows():
    contents = [(GOOD if n % 3 else BAD).replace("{n}", str(n)) for n in range(240)]
    rated = [float(rate(content, "Python").rating) for content in contents]
    return [
        {"repo": f"owner/p{n % 60}", "path": f"{n}.py", "language": "Python", "content": content, "rating": rating, "oracle": "rubric"}
        for n, (content, rating) in enumerate(zip(contents, rated, strict=True))
    ]


@pytest.fixture(scope="module")
def folders(rows, tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    second = [{**row, "rating": min(10.0, row["rating"] + n % 3)} for n, row in enumerate(rows) if n % 2]
    return write(root / "labels", rows), write(root / "second", second)


def run(*arguments):
    return evaluate.main([str(argument) for argument in arguments])


def test_held_out_files_are_judged_beside_baselines_and_a_second_oracle(folders, tmp_path, capsys):
    labels, second = folders
    assert run(f"--labels={labels}", f"--against-labels={second}", f"--output={tmp_path / 'a'}") == 0
    found = json.loads((tmp_path / "a" / "evaluation.json").read_text())
    _, held_out = split(read_labels([labels]), 0.1)
    assert 0 < found["figures"]["files"] == len(held_out) < 60
    scores = Scorer.load().score([label.document for label in held_out])
    mae = np.abs(10 * scores - [label.rating for label in held_out]).mean()
    assert found["figures"]["mae"] == pytest.approx(mae, abs=1e-3)
    assert f"MAE {found['figures']['mae']}" in capsys.readouterr().out
    assert found["scorer"]["fingerprint"] == open_package("").fingerprint
    assert found["baselines"]["fasttext"]["mae"] < found["baselines"]["mean"]["mae"]
    assert found["agreement"]["files"] == 120, "two oracles are compared on all files, not on the held-out ones alone"
    assert found["agreement"]["mae"] == pytest.approx(1, abs=0.1)
    assert found["labels"]["oracles"] == [{"oracle": "rubric", "model": "", "prompt_version": "", "files": len(held_out)}]
    run(f"--labels={labels}", f"--against-labels={second}", f"--output={tmp_path / 'b'}")
    for name in ("evaluation.json", "evaluation.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_all_files_are_judged_with_a_word_on_those_that_may_have_been_seen(folders, tmp_path):
    labels, second = folders
    run(f"--labels={labels}", f"--training-labels={second}", "--split=all", f"--output={tmp_path}")
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["labels"]["files"] == 240
    assert found["labels"]["training_side"] == len(split(read_labels([labels]), 0.1)[0])
    assert set(found["baselines"]) == {"mean", "fasttext"}
    assert f"{found['labels']['training_side']} files of these fall on the training side" in (tmp_path / "evaluation.html").read_text()


def test_one_class_and_one_file(rows, tmp_path):
    same = write(tmp_path / "same", [{**row, "rating": 7} for row in rows[:8]])
    run(f"--labels={same}", "--split=all", f"--output={tmp_path / 'out'}")
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["figures"]["spearman"] is None
    assert found["figures"]["classes"] == 1
    one = write(tmp_path / "one", rows[:1])
    run(f"--labels={one}", "--split=all", f"--output={tmp_path / 'out'}")
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["figures"]["intervals"]["mae"] is None


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as error:
        run(*arguments)
    assert error.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1, "one line, no traceback"
    return told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rating": float("nan")}, "has the rating nan for 0.py; expected 0 to 10"),
        ({"rating": None}, "has the rating None for 0.py; expected 0 to 10"),
        ({"content": None}, "NoneType as content of 0.py; expected text"),
    ],
)
def test_labels_that_cannot_be_used(rows, tmp_path, capsys, change, told):
    labels = write(tmp_path / "labels", [{**rows[0], **change}, {**rows[1], "rating": 1.0}])
    assert told in refused(capsys, f"--labels={labels}", f"--output={tmp_path / 'out'}")
    assert not (tmp_path / "out").exists()


def test_wrong_command_lines(folders, rows, tmp_path, capsys):
    labels, _ = folders
    output = f"--output={tmp_path / 'out'}"
    assert "argument --labels: none given" in refused(capsys, output)
    assert "argument --output: none given" in refused(capsys, f"--labels={labels}")
    assert "unknown argument --runner" in refused(capsys, f"--labels={labels}", output, "--runner=FnApiRunner")
    assert "expected one of held-out, all" in refused(capsys, f"--labels={labels}", output, "--split=test")
    assert "expected a scorer directory" in refused(capsys, f"--labels={labels}", output, f"--scorer={tmp_path}")
    assert "matches no file" in refused(capsys, f"--labels={tmp_path / 'none'}", output)
    bare = write(tmp_path / "bare", [{"content": "x", "rating": 1}])
    assert "expected also language, path" in refused(capsys, f"--labels={bare}", output)
    others = write(tmp_path / "others", [{**rows[0], "content": "nothing alike"}])
    assert "no file of equal content" in refused(capsys, f"--labels={labels}", f"--against-labels={others}", output, "--split=all")
    seen = write(tmp_path / "seen", [{**rows[0], "repo": "owner/p0"}])
    assert "expected one at least, or --split=all" in refused(capsys, f"--labels={seen}", output)


def test_it_is_a_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["evaluate", "--help"])
    assert "--against-labels" in capsys.readouterr().out


def test_everything_in_a_bucket(folders, emulated_bucket):
    for path in (*open_package("").directory.iterdir(), Path(folders[0]) / "a.parquet"):
        with storage.open_write(f"{emulated_bucket}/{'labels' if path.suffix == '.parquet' else 'scorer'}/{path.name}") as out:
            out.write(path.read_bytes())
    root = emulated_bucket
    assert run(f"--scorer={root}/scorer", f"--labels={root}/labels", f"--output={root}/out") == 0
    found = storage.read_json(f"{root}/out/evaluation.json")
    assert found["scorer"]["fingerprint"] == open_package("").fingerprint
    with storage.open_read(f"{root}/out/evaluation.html") as page:
        assert page.read().startswith(b"<!doctype html>")
