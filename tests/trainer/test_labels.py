import hashlib
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.trainer.labels import Label, oracles, project_of, read_labels, split
from beam_seed.trainer.tokenizer import train_tokenizer

ROW = {"content": "x", "language": "Go", "path": "a.go", "rating": 5}


def write(path, *rows):
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return str(path)


def test_labels_are_read_in_the_order_of_files(tmp_path):
    write(tmp_path / "b.parquet", {**ROW, "path": "3"})
    write(tmp_path / "a.parquet", {**ROW, "path": "1"}, {**ROW, "path": "2", "rating": 0})
    labels = read_labels([str(tmp_path)])
    assert [(found.document.path, found.rating) for found in labels] == [("1", 5), ("2", 0), ("3", 5)]
    assert labels[0].document.language == "Go"
    assert labels == read_labels([str(tmp_path / "a.parquet"), str(tmp_path / "b*")])


@pytest.mark.parametrize("rating", [None, -1, 10.5, float("nan")])
def test_bad_ratings(tmp_path, rating):
    with pytest.raises(ValueError, match=r"for a\.go; expected 0 to 10"):
        read_labels([write(tmp_path / "a.parquet", ROW, {**ROW, "rating": rating})])


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{**ROW, "rating": "good"}], "rating 'good' for a.go; expected 0 to 10"),
        ([{**ROW, "content": None}], "NoneType as content of a.go; expected text"),
        ([{**ROW, "content": b"\xff"}], "bytes as content of a.go; expected text"),
    ],
)
def test_bad_values(tmp_path, rows, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        read_labels([write(tmp_path / "a.parquet", *rows)])


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(ValueError, match=r"a\.parquet is no Parquet file"):
        read_labels([str(tmp_path)])
    broken = pa.table({**{name: ["x"] for name in ("content", "language")}, "path": [b"\xff"], "rating": [1]})
    pq.write_table(broken.set_column(2, "path", broken["path"].chunk(0).view(pa.string())), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet has text that is no UTF-8"):
        read_labels([str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="matches no file"):
        read_labels([str(tmp_path / "none")])


def test_folders_with_signs_of_patterns_in_their_names(tmp_path):
    folder = tmp_path / "labels[1]"
    folder.mkdir()
    write(folder / "a.parquet", ROW)
    assert len(read_labels([str(folder)])) == 1


def test_who_rated_is_kept_where_the_table_says_it(tmp_path):
    write(tmp_path / "a.parquet", {**ROW, "oracle": "chat", "model": "m", "prompt_version": 3})
    write(tmp_path / "b.parquet", {**ROW, "path": None, "language": None, "oracle": None})
    first, second = read_labels([str(tmp_path)])
    assert first.oracle == ("chat", "m", "3")
    assert second.oracle == ("", "", "")
    assert (second.document.path, second.document.language) == ("", "")
    assert first.document.sha256 == hashlib.sha256(b"x").hexdigest()
    assert oracles([second, first, second]) == [
        {"oracle": "", "model": "", "prompt_version": "", "files": 2},
        {"oracle": "chat", "model": "m", "prompt_version": "3", "files": 1},
    ]


def test_missing_columns(tmp_path):
    with pytest.raises(ValueError, match="expected also language, rating"):
        read_labels([write(tmp_path / "a.parquet", {"content": "x", "path": "a"})])


@pytest.mark.parametrize(
    ("repo", "project"),
    [
        ("Django-5.1.2-py3-none-any", "Django"),
        ("golang-x-tools_0.5.0+ds", "golang-x-tools"),
        ("a/b", "a/b"),
        ("lua5.4_5.4.4", "lua5.4"),
        ("", ""),
    ],
)
def test_projects(repo, project):
    assert project_of(repo) == project


def test_split_keeps_projects_together_and_near_the_share(tmp_path):
    rows = [{**ROW, "repo": f"p{n % 300}-{n % 7}.0", "path": str(n)} for n in range(3000)]
    labels = read_labels([write(tmp_path / "a.parquet", *rows)])
    training, held_out = split(labels, 0.2)
    assert sorted(training + held_out) == sorted(labels)
    names = [{project_of(found.document.repo) for found in part} for part in (training, held_out)]
    assert not names[0] & names[1]
    assert 0.1 < len(held_out) / len(labels) < 0.3
    without = [Label(found.document._replace(repo=""), found.rating) for found in labels]
    assert 0.1 < len(split(without, 0.2)[1]) / len(labels) < 0.3


def test_tokenizer_encodes_anything_and_speaks_no_specials():
    tokenizer = train_tokenizer(["def f():\n    return 1\n"] * 20, 300)
    tokenizer.encode_special_tokens = True
    for text in ("def f()", "é\0😀\r\n", "<pad>", ""):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
        assert 0 not in tokenizer.encode(text).ids
    assert tokenizer.get_vocab_size() <= 300
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer([], 256)
