"""``beam-seed dedup``: a table to its survivors, and for each dropped row whom it stands behind."""

from __future__ import annotations

import json
from pathlib import Path

import oracle
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input

from pipelines import cli, dedup, launch


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def files() -> list[oracle.File]:
    sources = [sample_input.python_source(number) for number in range(12)]
    texts = [*sources, *sources[:4], *map(sample_input.near_copy, sources[3:7]), "", ""]
    return [oracle.File(f"r{number % 5}", f"m{number:02}.py", text, stars=number % 3) for number, text in enumerate(texts)]


@pytest.fixture(scope="module")
def table(files: list[oracle.File], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    columns = {"id": [f"{file.repo}/{file.path}" for file in files], "repo": [file.repo for file in files]}
    columns |= {"path": [file.path for file in files], "content": [file.content for file in files], "stars": [file.stars for file in files]}
    whole = pa.table(columns)
    pq.write_table(whole.slice(0, 9), folder / "a.parquet")
    pq.write_table(whole.slice(9), folder / "b.parquet")
    return folder


@pytest.mark.parametrize("mode", ["--workers=1", "--direct_running_mode=multi_processing"])
def test_survivors_are_those_of_plain_python(files: list[oracle.File], table: Path, tmp_path: Path, mode: str) -> None:
    assert cli.main(["dedup", f"--input={table}", f"--output={tmp_path}", mode, *(["--workers=2"] if "direct" in mode else [])]) == 0
    kept, dropped = rows(tmp_path / "kept"), rows(tmp_path / "dropped")
    assert {(row["repo"], row["path"]) for row in kept} == oracle.deduplicate_files(files, 0.7)
    assert sorted([row["id"] for row in kept] + [row["id"] for row in dropped]) == sorted(f"{file.repo}/{file.path}" for file in files)
    told = json.loads((tmp_path / "dedup.json").read_text())
    assert told["counts"] == {"read": len(files), "kept": len(kept), "dropped": len(dropped)}
    assert sum(each["kept"] for each in told["files"]) == len(kept)
    assert not (tmp_path / "_work").exists()
    texts = {f"{file.repo}/{file.path}": file.content for file in files}
    names = {row["id"] for row in kept}
    for row in dropped:
        assert row["kept_id"] in names
        similarity = oracle.jaccard(oracle.shingles(texts[row["id"]]), oracle.shingles(texts[row["kept_id"]]))
        assert similarity >= 0.7 or texts[row["id"]] == texts[row["kept_id"]]


def test_exact_level_keeps_what_is_only_similar(files: list[oracle.File], table: Path, tmp_path: Path) -> None:
    assert dedup.main([f"--input={table}", f"--output={tmp_path}", "--level=exact", "--workers=1"]) == 0
    assert {row["rule"] for row in rows(tmp_path / "dropped")} == {"exact-duplicate"}
    assert len(rows(tmp_path / "kept")) == len({file.content for file in files})


def test_parts_of_an_earlier_run_do_not_stay(table: Path, tmp_path: Path) -> None:
    command = ["--level=exact", f"--output={tmp_path / 'out'}", "--workers=1"]
    assert dedup.main([f"--input={table}", *command]) == 0
    assert dedup.main([f"--input={table / 'a.parquet'}", *command]) == 0
    for name in ("kept", "dropped"):
        assert [path.name for path in (tmp_path / "out" / name).iterdir()] == ["part-00000-of-00001.parquet"]
    told = json.loads((tmp_path / "out" / "dedup.json").read_text())
    assert (told["input"]["tables"], told["counts"]["read"], told["level"]) == (1, 9, "exact")


def test_a_run_that_fails_leaves_no_record(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [f"--input={table}", "--level=exact", f"--output={tmp_path / 'out'}", "--workers=1"]
    assert dedup.main(command) == 0
    monkeypatch.setattr(dedup, "_survivors", lambda path, dropped: iter(()))
    assert dedup.main(command) == 1
    assert not (tmp_path / "out" / "dedup.json").exists()


def test_a_second_run_in_the_same_folder_is_refused(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with launch.alone("another", str(tmp_path)), pytest.raises(SystemExit) as stopped:
        dedup.main([f"--input={table}", f"--output={tmp_path}", "--workers=1"])
    assert stopped.value.code == 2
    assert "another run is writing to" in capsys.readouterr().err


def test_a_table_without_ids_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"repo": ["r"], "path": ["p"], "content": ["c"]}), tmp_path / "t.parquet")
    with pytest.raises(SystemExit):
        dedup.main([f"--input={tmp_path}", f"--output={tmp_path / 'out'}"])
    assert "lacks column 'id'" in capsys.readouterr().err
