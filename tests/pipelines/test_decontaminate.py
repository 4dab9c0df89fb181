"""``beam-seed decontaminate``, and the main job with ``--benchmarks``: planted problems go however they are wrapped; the books close."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.options import UsageError
from pipelines import decontaminate, github, why

TASKS = [
    "Write a function that returns the names of all rivers that are longer than the given number of kilometres.",
    "Given two lists of planets, count how many of them are in both, and never count any of them twice.",
    "Return the largest sum of neighbouring numbers in a list that may hold negative numbers but is not empty.",
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for number, task in enumerate(TASKS):
            out.write(json.dumps({"task_id": f"T/{number}", "prompt": f'def solve(values):\n    """{task}"""\n', "tests": ["x"]}) + "\n")
    return path


def wrapped(task: str) -> list[str]:
    shouted = f"/*\n * {task.upper().replace(' ', '  ')}\n */\nint main(void) {{ return 0; }}\n"
    commented = "x = 1\n" + "".join(f"    # {word}\n" for word in task.split()) + "y = 2\n"
    return [task, shouted, commented, json.dumps({"prompt": task}), f"def renamed(a):\n\t'''{task[:-1]}!'''\n\treturn a\n"]


def write(path: Path, texts: list[str | None], **more: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"id": [f"{path.stem}-{n}" for n in range(len(texts))], "content": pa.array(texts, pa.string())}
    pq.write_table(pa.table(columns | more), path, row_group_size=3)
    return path


def read(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


CLEAN = ["", None, "print('hello')\n", "one two three four five six seven eight nine ten eleven"]


@pytest.mark.parametrize("arguments", [["--workers=1"], ["--workers=2"]], ids=["in process", "two processes"])
def test_planted_problems_go_and_all_else_stays(tmp_path: Path, benchmark: Path, arguments: list[str]) -> None:
    planted = [text for task in TASKS[:2] for text in wrapped(task)]
    write(tmp_path / "corpus" / "a.parquet", [*CLEAN, *planted[:6]], repo=["r"] * 10)
    write(tmp_path / "corpus" / "b.parquet", [*planted[6:], *CLEAN], stars=list(range(8)))
    command = [f"--input={tmp_path / 'corpus'}", f"--benchmarks={benchmark}:prompt", f"--output={tmp_path / 'out'}", *arguments]
    assert decontaminate.main(command) == 0
    kept, rejected = read(tmp_path / "out" / "kept"), read(tmp_path / "out" / "rejected")
    assert [row["content"] for row in kept] == [*CLEAN, *CLEAN]
    assert [row["id"] for row in rejected] == [f"a-{n}" for n in range(4, 10)] + [f"b-{n}" for n in range(4)]
    assert [row["row"] for row in rejected] == [*range(4, 10), *range(4)]
    for row, number in zip(rejected, [0] * 5 + [1] * 5, strict=True):
        (hit,) = json.loads(row["evidence"])["hits"]
        assert (hit["benchmark"], hit["item"]) == ("tasks", f"T/{number}")
        assert hit["ngrams"] == row["measured"] > 0
        assert len(hit["ngram"].split()) == 10
    told = json.loads((tmp_path / "out" / "decontamination.json").read_text())
    assert told["counts"] == {"read": 18, "kept": 8, "rejected": 10, "failed": 0}
    assert told["benchmarks"] == [{"benchmark": "tasks", "items": 3, "looked_for": 3, "hit": 2, "documents": 10}]


def test_other_columns_are_searched_one_by_one(tmp_path: Path, benchmark: Path) -> None:
    half = TASKS[0].split()
    table = write(
        tmp_path / "t.parquet", ["", "", " ".join(half[:9])], prompt=[TASKS[0], "", ""], target=["", TASKS[1], " ".join(half[9:18])]
    )
    command = [
        f"--input={table}",
        f"--benchmarks={benchmark}",
        f"--output={tmp_path / 'out'}",
        "--text=content,prompt,target",
        "--workers=1",
    ]
    assert decontaminate.main(command) == 0
    assert [row["row"] for row in read(tmp_path / "out" / "rejected")] == [0, 1]  # n-grams do not cross columns
    assert len(read(tmp_path / "out" / "kept")) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("--text=body", "no column 'body'"),
        ("--text=stars", "expected text"),
        ("--benchmarks=none.jsonl", "no file at"),
        ("--words=40", "1 to 32"),
        ("--shortest=11", "1 to the 10"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, benchmark: Path, change: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    table = write(tmp_path / "t.parquet", ["x"], stars=[1])
    with pytest.raises(UsageError):
        decontaminate.main([f"--input={table}", f"--benchmarks={benchmark}", f"--output={tmp_path / 'out'}", change])
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class TestMainJob:
    @pytest.fixture
    def output(self, tmp_path: Path, benchmark: Path) -> Path:
        for repo in ("rivers", "planets", "other"):
            (tmp_path / "in" / repo).mkdir(parents=True)
            for n in range(3):
                (tmp_path / "in" / repo / f"clean{n}.py").write_text(f"def {repo}_{n}(a):\n    return [a, '{repo}', {n}]\n")
        for repo, task in (("rivers", TASKS[0]), ("planets", TASKS[1])):
            (tmp_path / "in" / repo / "task.py").write_text(
                f"class A:\n    def b(self):\n        '''{task}'''\n        return {task[:5]!r}\n"
            )
        self.run(tmp_path)
        shutil.copytree(tmp_path / "out" / "_stages", tmp_path / "first")
        self.run(tmp_path, f"--benchmarks={benchmark}:prompt")
        return tmp_path / "out"

    def run(self, root: Path, *more: str) -> None:
        assert github.main([f"--input={root / 'in'}", f"--output={root / 'out'}", "--score=false", "--workers=1", *more]) == 0

    def test_it_drops_them_with_evidence_and_runs_nothing_before_anew(self, output: Path, capsys: pytest.CaptureFixture[str]) -> None:
        kept = {(row["repo"], row["path"]) for row in read(output / "corpora" / "file_level")}
        assert kept == {(repo, f"clean{n}.py") for repo in ("rivers", "planets", "other") for n in range(3)}
        dropped = [row for row in read(output / "rejected") if row["stage"] == "decontamination"]
        assert [(row["repo"], row["path"], row["rule"], row["variant"]) for row in dropped] == [
            (repo, "task.py", "benchmark-overlap", "both") for repo in ("planets", "rivers")
        ]
        for stage in ("documents", "measures", "duplicates", "scores"):
            assert (output / "_stages" / f"{stage}.json").read_text() == (output.parent / "first" / f"{stage}.json").read_text()
        report = json.loads((output / "report.json").read_text())
        (section,) = report["sections"]
        assert section["rows"] == [["tasks", 3.0, 3.0, 2.0, 2.0]]
        assert all(invariant["holds"] for invariant in report["invariants"])
        assert why.main([str(output), "rivers/task.py"]) == 0
        assert "n-grams with tasks T/0: write a function that returns" in capsys.readouterr().out.replace('"', "")
