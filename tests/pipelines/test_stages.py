"""The machinery of jobs, under a made-up job of one variant: stages, books, report, manifest and `why`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_job

from beam_seed.curation import publish
from beam_seed.curation.decide import Kept, write_verdicts
from beam_seed.curation.job import GITHUB
from beam_seed.report.job import Job
from pipelines import cli, github
from pipelines.progress import Watch

LINES = {
    "blue": ["2026/a one two three four", "https://example.org/b?x=1 five six seven", "short a", "empty", "broken", "same a b c"],
    "red": ["2026/c one two three four", "same d e f", "only/here g h i"],
}
TIMED = ("report.html", "report.json")


def digests(output: Path) -> dict[str, str]:
    files = [path for path in output.rglob("*") if path.is_file() and path.name not in TIMED]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for name, lines in LINES.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def collected(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("collected")
    assert toy_job.main([f"--input={notes}", f"--output={output}", "--workers=1"]) == 0
    return output


@pytest.fixture
def copy(collected: Path, tmp_path: Path) -> Path:
    return shutil.copytree(collected, tmp_path / "copy")


def test_the_corpus_holds_what_the_stages_left(collected: Path) -> None:
    kept = {(row["repo"], row["path"]): row["cluster_size"] for row in rows(collected / "corpora" / "notes")}
    assert kept == {
        ("blue", "2026/a"): 2,
        ("blue", "https://example.org/b?x=1"): 1,
        ("blue", "same"): 1,
        ("red", "same"): 1,
        ("red", "only/here"): 1,
    }
    dropped = {(row["path"], row["rule"], row["variant"]) for row in rows(collected / "rejected")}
    assert dropped == {("short", "too-short", "notes"), ("empty", "empty", "notes"), ("2026/c", "exact-duplicate", "notes")}
    assert {(row["path"], row["variant"]) for row in rows(collected / "failed")} == {("broken", "notes")}


def test_the_manifest_names_the_job_and_its_one_corpus(collected: Path) -> None:
    manifest = json.loads((collected / "manifest.json").read_text())
    assert manifest["job"] == "notes"
    assert manifest["kept"]["notes"]["files"] == 5
    assert manifest["read"]["files"] == 9
    (part,) = manifest["corpora"]["notes"]
    assert part["sha256"] == hashlib.sha256((collected / part["path"]).read_bytes()).hexdigest()
    assert "scorer" not in manifest
    assert list(manifest["stages"]) == sorted(["documents", "measures", "duplicates", "verdicts", "corpora"])
    assert all(invariant["holds"] for invariant in manifest["invariants"])
    books = [invariant["name"] for invariant in manifest["invariants"] if "kept + rejected + failed" in invariant["name"]]
    assert [name.split(":")[0] for name in books] == ["notes"] * 3
    assert {path.name for path in (collected / "corpora" / "notes" / "_statistics").iterdir()} >= {"schema.pbtxt", "statistics.pb"}


def test_books_that_do_not_close_fail_the_job(copy: Path, notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (copy / "_work" / "tally").glob("read-00000*"):
        path.unlink()
    assert toy_job.main([f"--input={notes}", f"--output={copy}", "--workers=1"]) == 1
    assert "notes: kept + rejected + failed = read" in capsys.readouterr().err


def test_the_report_has_the_sections_of_its_columns_and_the_jobs_own(collected: Path) -> None:
    report = json.loads((collected / "report.json").read_text())
    assert not {"languages", "sizes_by_language", "scores", "scores_by_language", "score_table"} & set(report)
    assert report["clusters"]["notes"][0]["members"][0]["path"] == "2026/c"
    assert [step["left"]["files"] for step in report["funnel"]["notes"]] == [7, 6, 5]
    (section,) = report["sections"]
    assert section["rows"] == [["00000-0000", 0, None, None], ["00001-0000", 1, None, None], ["<script>", 5, 0.5, None]]
    page = (collected / "report.html").read_text()
    for shown in (
        "beam-seed notes",
        "Kept, notes",
        "9 notes",
        "Where notes come from",
        "A paragraph &amp; more.",
        "&lt;script&gt;",
        "All notes",
    ):
        assert shown in page
    for hidden in ("Languages", "Scores", "repositories each stands", "<script>", " files<"):
        assert hidden not in page
    assert "short" in page
    assert "a" in next(rule for rule in report["rules"] if rule["rule"] == "too-short")["samples"][0]["excerpt"]


def test_a_second_run_reuses_what_is_finished(copy: Path, notes: Path) -> None:
    before = digests(copy)
    arguments = [f"--input={notes}", f"--output={copy}", "--workers=1"]
    untouched = [*(copy / "documents").iterdir(), *(copy / "duplicates").iterdir()]
    times = [path.stat().st_mtime_ns for path in untouched]
    assert toy_job.main(arguments) == 0
    assert digests(copy) == before
    assert all(stage["reused"] for stage in json.loads((copy / "report.json").read_text())["throughput"])
    assert toy_job.main([*arguments, "--least=4"]) == 0
    assert [path.stat().st_mtime_ns for path in untouched] == times
    assert [row["path"] for row in rows(copy / "corpora" / "notes")] == ["2026/a"]


def test_a_run_stops_and_goes_on(collected: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"--input={notes}", f"--output={tmp_path}", "--workers=1"]
    assert toy_job.main([*arguments, "--until=duplicates"]) == 0
    assert "stopped after stage duplicates" in capsys.readouterr().out
    assert not (tmp_path / "verdicts").exists()
    assert toy_job.main(arguments) == 0
    assert f"report: {tmp_path / 'report.html'}" in capsys.readouterr().out
    assert digests(tmp_path) == digests(collected)


def test_workers_in_other_processes_give_the_same_bytes(collected: Path, notes: Path, tmp_path: Path) -> None:
    root, here = Path(github.__file__).parents[1], Path(__file__).parent
    program = "import sys, toy_job; sys.exit(toy_job.main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, f"--input={notes}", f"--output={tmp_path}"]
    command += ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(here)])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert digests(tmp_path) == digests(collected)


def test_earlier_runs_of_the_job_itself(collected: Path, notes: Path, tmp_path: Path) -> None:
    assert toy_job.main([f"--input={notes}", f"--output={tmp_path}", f"--against={collected}", "--workers=1"]) == 0
    assert rows(tmp_path / "corpora" / "notes") == []
    assert json.loads((tmp_path / "manifest.json").read_text())["corpora"] == {"notes": []}


def test_a_folder_of_another_job_is_refused(copy: Path, notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = digests(copy)
    with pytest.raises(SystemExit):
        github.main([f"--input={notes}", f"--output={copy}", "--score=false", "--workers=1"])
    told = capsys.readouterr().err
    assert "argument --output" in told
    assert "beam-seed notes" in told
    assert digests(copy) == before
    with pytest.raises(SystemExit):
        github.main([f"--input={notes}", f"--output={tmp_path / 'out'}", f"--against={copy}", "--score=false", "--workers=1"])
    assert "no finished run of beam-seed github but one of beam-seed notes" in capsys.readouterr().err


def test_a_missing_record_names_the_job_to_run(copy: Path) -> None:
    (copy / "_stages" / "duplicates.json").unlink()
    with pytest.raises(FileNotFoundError, match="run beam-seed notes with this output first"):
        publish.read_stage(copy.as_posix(), "duplicates")
    with pytest.raises(FileNotFoundError, match="expected the output of a run"):
        publish.read_stage((copy / "documents").as_posix(), "duplicates")


def test_a_folder_from_before_jobs_were_told_is_the_main_jobs(copy: Path) -> None:
    (copy / "_stages" / "job.json").unlink()
    assert publish.job_of(str(copy)) == GITHUB
    assert publish.job_of(str(copy / "documents")) is None


class TestWhy:
    @pytest.mark.parametrize("name", ["blue/https://example.org/b?x=1", "https://example.org/b?x=1"])
    def test_a_kept_note_by_both_names(self, collected: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["why", str(collected), name]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "blue/https://example.org/b?x=1"
        assert "  notes: kept, in corpora/notes/part-00000-of-00001.parquet" in lines
        assert "    passed: read; length; exact dedup" in lines
        assert not any("level" in line or "syntax" in line for line in lines)

    def test_a_duplicate_and_whom_it_stands_behind(self, collected: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["why", str(collected), "2026/c"]) == 0
        told = capsys.readouterr().out
        assert "dropped by exact dedup: exact-duplicate" in told
        assert "in favour of blue/2026/a (from blue.txt)" in told
        assert "passed: read; length" in told
        assert cli.main(["why", str(collected), "2026/a"]) == 0
        assert "stands for 2 documents, itself included" in capsys.readouterr().out

    @pytest.mark.parametrize(("name", "told"), [("empty", "dropped by read: empty"), ("broken", "failed in read: ValueError: not a note")])
    def test_what_never_was_a_document(self, collected: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["why", str(collected), name]) == 0
        assert f"  notes: {told}" in capsys.readouterr().out.splitlines()

    def test_a_path_in_several_repositories(self, collected: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["why", str(collected), "same"]) == 1
        assert "2 repositories have a note 'same'; expected REPO/PATH, such as blue/same, red/same" in capsys.readouterr().err
        assert cli.main(["why", str(collected), "red/same"]) == 0

    def test_no_such_note(self, collected: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["why", str(collected), "blue/2026/aa"]) == 1
        assert "no note 'blue/2026/aa' was read; near names: blue/2026/a" in capsys.readouterr().err

    def test_a_folder_that_is_no_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["why", str(tmp_path), "a/b"])
        assert "holds no documents/; expected the --output of a run" in capsys.readouterr().err


class TestJob:
    def test_what_is_told_of_it_comes_back(self) -> None:
        for job in (GITHUB, toy_job.NOTES):
            told = Job.from_json(json.loads(json.dumps(job.to_json())))
            assert told.to_json() == job.to_json()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"variants": ("both",)}, "called 'both'"),
            ({"variants": ("read",)}, "called 'read'"),
            ({"variants": ("two-words",)}, "called 'two-words'"),
            ({"variants": ()}, "at least one of each"),
            ({"funnel": ()}, "at least one of each"),
            ({"repositories": ("other",)}, r"repositories names \['other'\]; expected some of notes"),
        ],
    )
    def test_what_cannot_be(self, change: dict, message: str) -> None:
        named = {"name": "notes", "variants": ("notes",), "funnel": ("read",), "corpus": toy_job.DOCUMENTS}
        with pytest.raises(ValueError, match=message):
            Job(**(named | change))


def test_progress_counts_the_watched_datasets(collected: Path, tmp_path: Path) -> None:
    assert Watch(str(tmp_path), toy_job.PROGRAM.watched)._line() == "documents: reading the input"
    assert Watch(str(collected), toy_job.PROGRAM.watched)._line().startswith("verdicts: 2 of 2 shards, 7 documents")


def test_verdicts_without_a_needed_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the verdicts lack \['id', 'notes'\]; found columns \['words'\]"):
        write_verdicts(str(tmp_path), 0, [], [], pa.table({"words": []}), ("notes",))


def test_a_shard_without_documents(tmp_path: Path) -> None:
    nothing = pa.schema([("id", pa.string()), ("notes", pa.bool_())]).empty_table()
    assert write_verdicts(str(tmp_path), 0, [], [], nothing, ("notes",)) == [Kept("notes", 0, 0, 0)]
