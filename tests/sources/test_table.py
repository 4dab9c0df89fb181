"""Tables: every row is one record, whatever is wrong with the others."""

from __future__ import annotations

import datetime
import gzip
import json
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_seed.records import Document
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import MetadataIndex, RepoMetadata
from beam_seed.sources.repository import Limits
from beam_seed.sources.rows import split_lines
from beam_seed.sources.table import check_table, read_table
from beam_seed.sources.units import Unit, list_units

ROWS = [
    {"content": f"value = {index}\n", "repo_name": f"owner/repo{index % 3}", "path": f"src/f{index}.py", "stars": index, "license": "MIT"}
    for index in range(40)
]


def lines_of(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet_of(rows: list[dict]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=10)
    return sink.getvalue().to_pybytes()


WRITERS = {
    "t.parquet": parquet_of,
    "t.jsonl": lines_of,
    "t.ndjson": lines_of,
    "t.jsonl.gz": lambda rows: gzip.compress(lines_of(rows)),
    "t.jsonl.zst": lambda rows: zstandard.ZstdCompressor().compress(lines_of(rows)),
}


def unit_of(path: Path) -> Unit:
    (unit,) = list_units(str(path))
    assert unit.kind == "table"
    return unit


@pytest.fixture
def read(tmp_path: Path, records_of) -> Callable:
    def read_bytes(name: str, data: bytes, columns: str = "", **options):
        (tmp_path / name).write_bytes(data)
        return records_of(read_table(unit_of(tmp_path / name), ColumnMap.parse(columns), **options), ordered=False)

    return read_bytes


@pytest.mark.parametrize("name", WRITERS)
def test_every_format(read, name: str) -> None:
    records = read(name, WRITERS[name](ROWS))
    read_back = [(r.content, r.repo, r.path, r.stars, r.license, r.forks) for r in records]
    assert read_back == [(row["content"], row["repo_name"], row["path"], row["stars"], row["license"], None) for row in ROWS]


@pytest.mark.parametrize(
    "names",
    [
        [
            "content",
            "max_stars_repo_name",
            "max_stars_repo_path",
            "max_stars_count",
            "max_stars_repo_licenses",
            "max_stars_repo_head_hexsha",
        ],
        ["content", "repo_name", "path", "star_events_count", "detected_licenses", "revision_id"],
    ],
)
def test_names_of_the_stack(read, names: list[str]) -> None:
    (document,) = read(
        "t.parquet", parquet_of([dict(zip(names, ["x\n", "o/r", "/a/b.py"[1:], 7.0, ["MIT", "ISC"], "c0ffee"], strict=True))])
    )
    assert (document.repo, document.path, document.stars, document.license, document.revision) == ("o/r", "a/b.py", 7, "MIT, ISC", "c0ffee")


def test_columns_named_by_the_user(read) -> None:
    data = lines_of([{"body": "x\n", "project": "p", "file": "a.py", "content": "not this"}])
    (document,) = read("t.jsonl", data, "content=body, repo=project,path=file")
    assert (document.content, document.repo, document.path) == ("x\n", "p", "a.py")


@pytest.mark.parametrize("text", ["nonsense=x", "content", "content=", "=x"])
def test_columns_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"--columns: .* is not FIELD=COLUMN with a field of content, repo, path"):
        ColumnMap.parse(text)


@pytest.mark.parametrize("name", WRITERS)
def test_missing_column_lists_those_found(read, tmp_path: Path, name: str) -> None:
    rows = [{"body": "x", "repo": "r", "path": "p"}]
    records = read(name, WRITERS[name](rows))
    with pytest.raises(ValueError, match=r"content: none of content, text, code.*found body, repo, path.*--columns=content=COLUMN"):
        check_table(unit_of(tmp_path / name), ColumnMap())
    check_table(unit_of(tmp_path / name), ColumnMap.parse("content=body"))
    assert len(records) == 1
    assert "content" in records.failures[0][1]


BAD_LINES = {
    b"{bad": "JSONDecodeError",
    b"[1]": "expected a JSON object, found list",
    b"\xff\xfe{}": "UnicodeDecodeError",
    b"[" * 100_000: "RecursionError",
    b'{"content": null, "repo": "r", "path": "p"}': "no content",
    b'{"content": 5, "repo": "r", "path": "p"}': "content is int",
    b'{"content": "x", "repo": ["r"], "path": "p"}': "repo is list",
    b'{"content": "x", "repo": "r"}': "no path",
    b'{"content": "x", "repo": "r", "path": ""}': "no path",
    b'{"content": "x", "repo": "r", "path": "p", "stars": "many"}': "stars is 'many'",
    b'{"content": "x", "repo": "r", "path": "p", "stars": -1}': "stars is '-1'",
    b'{"content": "x", "repo": "r", "path": "p", "stars": 1e400}': "stars is 'inf'",
    b'{"content": "x", "repo": "r", "path": "p", "stars": true}': "stars is bool",
    b'{"content": "x", "repo": "r", "path": "p", "license": {"a": 1}}': "license is dict",
    b'{"content": "x", "repo": "r", "path": "p", "stars": ' + b"9" * 5000 + b"}": "ValueError",
}


def test_bad_lines_name_their_number_and_spare_the_others(read) -> None:
    good = lines_of(ROWS[:1]).strip()
    records = read("t.jsonl", b"\n".join([good, *BAD_LINES, b"", lines_of(ROWS[1:2])]))
    assert list(records.contents) == ["src/f0.py", "src/f1.py"]
    for number, ((_, error), expected) in enumerate(zip(records.failures, BAD_LINES.values(), strict=True), 2):
        assert error.startswith(f"line {number}: ")
        assert expected in error


def test_rules_apply_to_rows(read) -> None:
    row = {"repo": "r", "content": "x\n"}
    rows = [
        {**row, "path": "../up"},
        {**row, "path": "node_modules/a.js"},
        {**row, "path": "nul", "content": "a\0b"},
        {**row, "path": "surrogate", "content": "\ud800"},
        {**row, "path": "large", "content": "x" * 101},
        {**row, "path": "mark", "content": "\ufeffx\n"},
        {**row, "path": "\udce9"},
    ]
    records = read("t.jsonl", lines_of(rows), limits=Limits(file_bytes=100))
    assert dict(records.rules) == {
        "../up": "unsafe-path",
        "node_modules/a.js": "vendored",
        "nul": "binary",
        "surrogate": "undecodable",
        "large": "too-large",
    }
    assert records.contents == {"mark": "x\n", "\\xe9": "x\n"}


def test_binary_column_and_dates(read) -> None:
    table = pa.table(
        {
            "content": pa.array(["é\n".encode(), "Größe über alles\n".encode("latin-1"), b"\0", None]),
            "repo": ["r"] * 4,
            "path": ["a", "b", "c", "d"],
            "created_at": [datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)] * 4,
            "stars": [1.0, float("nan"), None, 2.0],
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    records = read("t.parquet", sink.getvalue().to_pybytes())
    assert records.contents == {"a": "é\n", "b": "Größe über alles\n"}
    assert records.documents["a"].created == "2020-01-02T00:00:00+00:00"
    assert [records.documents[path].stars for path in "ab"] == [1, None]
    assert records.rules == [("c", "binary")]
    assert [path for path, _ in records.failures] == ["d"]


def test_text_column_that_is_not_utf8_costs_its_row(read) -> None:
    records = read("t.parquet", uncompressed(ROWS[:5]).replace(b"value = 3", b"va\xff\xfee = 3"))
    assert set(records.contents) == {f"src/f{index}.py" for index in (0, 1, 2, 4)}
    assert "line 4: UnicodeDecodeError" in records.failures[0][1]


def uncompressed(rows: list[dict]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=10, compression="none", write_statistics=False)
    return sink.getvalue().to_pybytes()


def test_damaged_row_group_costs_only_itself(read) -> None:
    data = bytearray(parquet_of(ROWS))
    metadata = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata
    start = metadata.row_group(1).column(0).dictionary_page_offset or metadata.row_group(1).column(0).data_page_offset
    data[start : start + 40] = b"\xff" * 40
    records = read("t.parquet", bytes(data))
    assert set(records.contents) == {f"src/f{index}.py" for index in range(40) if not 10 <= index < 20}
    ((path, error),) = records.failures
    assert path == ""
    assert "row group 1, rows 11 to 20" in error


def test_metadata_fills_what_the_row_leaves_empty(read) -> None:
    known = MetadataIndex({"owner/repo0": RepoMetadata("owner/repo0", 99, 3, "ISC", "2001")})
    records = read("t.jsonl", lines_of([{**ROWS[0], "stars": None}, ROWS[3]]), metadata=known)
    assert [(record.stars, record.forks, record.license, record.created) for record in records] == [
        (99, 3, "MIT", "2001"),
        (3, 3, "MIT", "2001"),
    ]


def test_200_megabyte_line_in_bounded_memory(tmp_path: Path, records_of) -> None:
    path = tmp_path / "t.jsonl"
    with open(path, "wb") as file:
        file.write(lines_of(ROWS[:1]) + b'{"content": "')
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + lines_of(ROWS[1:2]))
    tracemalloc.start()
    records = records_of(read_table(unit_of(path), limits=Limits(file_bytes=1 << 20)), ordered=False)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    assert list(records.contents) == ["src/f0.py", "src/f1.py"]
    assert [(record.rule, record.measured, record.evidence) for record in records if not isinstance(record, Document)] == [
        ("too-large", (200 << 20) + 15.0, '{"line": 2}')
    ]


def test_dictionary_bomb_in_bounded_memory(tmp_path: Path, records_of) -> None:
    content = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["x" * (4 << 20)]))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"content": content, "repo": ["r"] * 1000, "path": [f"{index}" for index in range(1000)]}), path)
    assert len(records_of(read_table(unit_of(path), limits=Limits(file_bytes=1000)), ordered=False)) == 1000
    assert pa.default_memory_pool().max_memory() < 200 << 20, "a batch of 256 values is 1 GB"


@given(st.lists(st.binary(max_size=8).map(lambda data: data.replace(b"\0", b"\n"))), st.integers(0, 12))
def test_split_lines_against_split(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert list(split_lines(chunks, limit)) == [(line if len(line) <= limit else b"", len(line)) for line in expected]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(WRITERS)), draw=st.data())
def test_any_damage_gives_records(records_of, name: str, draw: st.DataObject) -> None:
    data = bytearray(WRITERS[name](ROWS))
    cut = draw.draw(st.one_of(st.just(len(data)), st.integers(1, len(data))), label="cut")
    for position, value in draw.draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4), label="bytes"):
        data[position] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(bytes(data[:cut]))
        assert records_of(read_table(unit_of(path), limits=Limits(file_bytes=1000)), ordered=False, unique=False)
