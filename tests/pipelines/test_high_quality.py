"""``beam-seed high-quality`` on a made-up corpus whose good files are known: what is found, resume, determinism, loud refusals."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.options import UsageError
from pipelines import cli

SOURCES = """
defaults: {found_quality_top: 0.7, recall: 0.8, max_share: 0.7}
sources:
  sorting:
    about: sorting
    pool: {languages: [Python]}
    seed: {quality_top: 0.6, comment_share: 0.1, paths: [sort]}
  everything:
    pool: {languages: [Python]}
    seed: {quality_top: 0.9, paths: [window]}
    max_share: 0.3
  nothing:
    pool: {languages: [Zig]}
    seed: {quality_top: 0.5}
"""

SORT = (
    "    # Move the pivot {a} before what is larger.\n    left, right = partition(items, pivot + {a})\n    return merge(left, right, {b})\n"
)
PAGE = "    colour = button{a}.style({b})\n    window.show(colour)\n    window.paint(button{b})\n"


def file(number: int) -> dict:
    """Of six files one is a sort with comments, one the same without, one a sort elsewhere, the others are of windows."""
    draw = random.Random(number)
    kind = number % 6
    body = "".join((SORT if kind < 3 else PAGE).format(a=draw.randrange(9), b=draw.randrange(9)) for _ in range(4))
    content = f"def f{number}(items, pivot):\n{body}"
    if kind == 1:
        content = "\n".join(line for line in content.split("\n") if "#" not in line)
    path = {0: f"sort{number}.py", 1: f"bare{number}.py", 2: f"pivot{number}.py"}.get(kind, f"window{number}.py")
    quality = [0.9, 0.9, 0.8, 0.2, 0.5, 0.6][kind] + draw.random() / 20
    return {"repo": f"project{chr(97 + number % 40 % 26)}{number % 40 // 26}x", "path": path, "content": content, "quality": quality}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    files = [file(number) | {"language": "Python"} for number in range(960)]
    again = files[2] | {"repo": "projectax", "path": "copy.py"}
    odd = {"repo": "z", "path": "z.c", "content": "int x;", "quality": 0.9, "language": "C"}
    for name, own in (("a", files[:500]), ("b", [*files[500:], again, odd])):
        table = pa.Table.from_pylist(own)
        table = table.append_column("extra", pa.array(range(len(own)), pa.int32())) if name == "a" else table
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=100)
    (folder / "sources.yaml").write_text(SOURCES)
    return folder


def command(corpus: Path, output: Path, *more: str) -> list[str]:
    return ["high-quality", f"--input={corpus}", f"--output={output}", f"--sources={corpus / 'sources.yaml'}", "--rounds=2", *more]


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("mined")
    assert cli.main(command(corpus, output, "--workers=1")) == 0
    return output


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def digests(output: Path) -> dict[str, str]:
    left_out = (".lock", "job.json", "report.html", "manifest.json")
    files = [path for path in output.rglob("*") if path.is_file() and path.name not in left_out]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def figures(output: Path, name: str) -> list[dict]:
    rounds = json.loads((output / "manifest.json").read_text())["rounds"]
    return [told for each in rounds for told in each if told["source"] == name]


def test_the_seed_and_what_is_like_it_are_selected(run: Path, corpus: Path) -> None:
    found = rows(run / "corpora" / "high_quality")
    sorting = {row["path"]: row for row in found if "sorting" in json.loads(row["sources"])}
    texts = {row["path"]: row["content"] for row in rows(corpus)}
    assert all(row["content"] == texts[row["path"]] for row in found)
    assert {path for path in sorting if path.startswith("sort")} == {f"sort{n}.py" for n in range(0, 960, 6)}
    assert all(row["round"] == 0 for path, row in sorting.items() if path.startswith("sort"))
    beyond = {path for path in sorting if path.startswith("pivot")}
    assert len(beyond) > 80  # of 160, which no rule names
    assert not {path for path in sorting if path.startswith(("bare", "window"))}
    threshold = figures(run, "sorting")[1]["threshold"]
    assert all(sorting[path]["round"] in (1, 2) and sorting[path]["probability"] >= threshold for path in beyond)
    assert {row["extra"] for row in found if row["path"] == "sort0.py"} == {0}  # a column that one table has is kept


def test_a_content_is_selected_once_and_the_counts_close(run: Path) -> None:
    found = rows(run / "corpora" / "high_quality")
    assert len({row["content"] for row in found}) == len(found)
    counts = json.loads((run / "manifest.json").read_text())["counts"]
    assert counts["read"] == 962
    assert counts["selected"] == len(found)
    assert counts["of_no_source"] == 1
    fates = ("selected", "copies", "not_selected", "of_no_source", "unmeasured")
    assert sum(counts[fate] for fate in fates) == 962
    assert counts["copies"] == 1


def test_rounds_tell_how_well_they_do(run: Path) -> None:
    first, second = figures(run, "sorting")
    assert first["drawn"]["found"] == 0
    assert first["drawn"]["low"] == 0
    assert second["drawn"]["found"] > 0
    for told in (first, second):
        assert told["state"] == "trained"
        assert told["recall"] > 0.6
        assert told["bare_recalled"] < 0.2
        assert told["precision"] > told["base_rate"]
        assert sum(told["histogram"]) == told["pool"] == 961
        assert (run / "models" / "sorting" / f"round-{told['round']}" / "model.bin").exists()
    held_out = [
        {(row["id"], row["kind"]) for row in pq.read_table(run / "seeds" / "sorting" / f"round-{n}.parquet").to_pylist() if row["fold"]}
        for n in (1, 2)
    ]
    assert held_out[0] == held_out[1]  # the same files in every round


def test_a_yes_to_everything_and_a_lack_of_files_are_loud(run: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {told["state"] for told in figures(run, "everything")} == {"refused"}
    assert {told["state"] for told in figures(run, "nothing")} == {"skipped"}
    page = (run / "report.html").read_text()
    assert "says yes to" in page
    assert cli.main(command(corpus, run, "--workers=1")) == 0
    told = capsys.readouterr().err
    assert "warning: round 1, source everything: the model of source everything says yes to" in told
    assert "warning: round 2, source nothing: the training part has 0 seed" in told


def test_finished_rounds_are_reused_and_a_changed_table_begins_after_the_measures(run: Path, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert cli.main(command(corpus, output, "--workers=1", "--until=round-1")) == 0
    kept = digests(output)
    times = {path: path.stat().st_mtime_ns for path in output.rglob("*.*") if path.is_file()}
    (output / "models" / "sorting" / "round-2").mkdir(parents=True)
    (output / "models" / "sorting" / "round-2" / "model.bin").write_bytes(b"half")  # as of a run that was killed in round 2
    assert cli.main(command(corpus, output, "--workers=1")) == 0
    again = digests(output)
    assert {name: again[name] for name in kept} == kept
    models = [path for path in times if path.suffix == ".bin"]
    assert models
    assert all(path.stat().st_mtime_ns == times[path] for path in models)
    assert again == digests(run)
    other = tmp_path / "sources.yaml"
    other.write_text(SOURCES.replace("quality_top: 0.6", "quality_top: 0.5"))
    measures = next((output / "measures").glob("*.parquet"))
    before = measures.stat().st_mtime_ns
    assert cli.main([*command(corpus, output, "--workers=1", "--until=limits"), f"--sources={other}"]) == 0
    assert measures.stat().st_mtime_ns == before


def test_workers_change_nothing(run: Path, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "two"
    assert cli.main(command(corpus, output, "--workers=2")) == 0
    assert digests(output) == digests(run)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--rounds=0"], "--rounds"),
        (["--until=round-3"], "--until"),
        (["--sources=/nowhere.yaml"], "--sources"),
        (["--input=/nowhere"], "--input"),
        (["--output="], "--output"),
    ],
)
def test_wrong_flags_are_named(corpus: Path, tmp_path: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = command(corpus, tmp_path / "x")
    if told == "--output":
        arguments.remove(f"--output={tmp_path / 'x'}")
    with pytest.raises(UsageError):
        cli.main([*arguments, *more])
    assert f"argument {told}" in capsys.readouterr().err


def test_a_corpus_without_quality_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"repo": ["r"], "path": ["a.py"], "content": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(UsageError):
        cli.main(["high-quality", f"--input={tmp_path}", f"--output={tmp_path / 'x'}"])
    assert "lacks column 'quality'" in capsys.readouterr().err
