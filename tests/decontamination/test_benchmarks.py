"""Benchmarks in every form they are published in, and in forms that they must not have."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from beam_seed.decontamination.benchmarks import Benchmark, BenchmarkError, find_benchmarks, fingerprint, read_benchmark
from beam_seed.decontamination.index import Item

ROWS = [{"task_id": "T/0", "prompt": "first, prompt\nof two", "tests": ["a", "b"]}, {"task_id": "T/1", "prompt": "second", "tests": []}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
ITEMS = [
    Item("tasks", "T/0", "first, prompt\nof two"),
    Item("tasks", "T/0", "a"),
    Item("tasks", "T/0", "b"),
    Item("tasks", "T/1", "second"),
]


def items(*specifications: object) -> list[Item]:
    return [item for each in find_benchmarks(list(map(str, specifications))) for item in read_benchmark(each)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("tasks.jsonl", LINES),
        ("tasks.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("tasks.jsonl.zst", zstandard.compress(LINES)),
        ("tasks.jsonl.xz", lzma.compress(LINES)),
        ("tasks.ndjson.bz2", bz2.compress(LINES)),
        ("tasks.json", json.dumps(ROWS, indent=1).encode()),
        ("tasks.json", b"\xef\xbb\xbf" + json.dumps(ROWS).encode()),
        ("tasks.json", LINES),
    ],
)
def test_tables_of_json(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert items(tmp_path / name) == ITEMS
    assert items(f"{tmp_path / name}:prompt") == [ITEMS[0], ITEMS[3]]
    assert items(f"{tmp_path / name}:tests+prompt")[:3] == [ITEMS[1], ITEMS[2], ITEMS[0]]


def test_parquet_and_csv(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "tasks.parquet")
    assert items(tmp_path / "tasks.parquet") == ITEMS
    (tmp_path / "tasks.csv").write_text('number,prompt\n1,"first, prompt\nof two"\n2,second\n')
    assert items(f"{tmp_path / 'tasks.csv'}:prompt") == [Item("tasks", "0", "first, prompt\nof two"), Item("tasks", "1", "second")]


def test_plain_files_are_items_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "exercises" / "one").mkdir(parents=True)
    (tmp_path / "exercises" / "one" / "task.md").write_text("do it")
    (tmp_path / "exercises" / "two.py").write_text("done = 1")
    (tmp_path / "exercises" / "picture.png").write_bytes(b"\x89PNG\0\0\0\0" * 9)
    told = [Item("exercises", "one/task.md", "do it"), Item("exercises", "two.py", "done = 1")]
    assert items(tmp_path / "exercises") == items(f"{tmp_path / 'exercises'}/") == told
    assert items(tmp_path / "exercises" / "two.py") == told[1:]


def test_tables_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test.jsonl").write_bytes(LINES)
    assert {item.benchmark for item in items(tmp_path / "*" / "test.jsonl")} == {"a/test", "b/test"}


def test_an_item_without_text_is_counted(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 7, "n": 3}\n\n{"x": "y"}\n')
    assert items(tmp_path / "t.jsonl") == [Item("t", "7", ""), Item("t", "1", "y")]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("t.jsonl", b'{"a": ', "cannot be read"),
        ("t.jsonl", b"[1]\n[2]\n", "expected an object"),
        ("t.jsonl", b'{"a": "\xff"}', "cannot be read"),
        ("t.json", b"[" * 100_000, "cannot be read"),
        ("t.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9], "cannot be read"),
        ("t.jsonl.gz", gzip.compress(b"x" * (200 << 20), mtime=0), "cannot be read"),
        ("t.parquet", b"PAR1 no", "cannot be read"),
    ],
)
def test_hostile_files_are_told(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BenchmarkError, match=told):
        items(tmp_path / name)


def test_a_field_that_no_row_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_bytes(LINES)
    with pytest.raises(BenchmarkError, match=r"no field 'solution'; found \['prompt', 'task_id', 'tests'\]"):
        items(f"{tmp_path / 'tasks.jsonl'}:solution")


def test_the_fingerprint_changes_with_content_name_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(LINES)
    one = Benchmark("tasks", str(path))
    prints = {
        fingerprint([one]),
        fingerprint([one._replace(fields=("prompt",))]),
        fingerprint([one._replace(name="other")]),
        fingerprint([]),
    }
    path.write_bytes(LINES + b'{"a": "b"}\n')
    assert len(prints | {fingerprint([one])}) == 5
