import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from beam_seed.quality.rubric import rate
from beam_seed.trainer import evaluation
from beam_seed.trainer.labels import Label, project_of, read_labels, split
from beam_seed.trainer.rubric_labels import label
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


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40))
def test_errors_against_a_loop(pairs):
    predicted, ratings = np.array(pairs).T
    by_class: dict[int, list[float]] = {}
    for guess, rating in pairs:
        by_class.setdefault(round(rating), []).append(abs(guess - rating))
    assert evaluation.mean_absolute_error(predicted, ratings) == pytest.approx(sum(sum(found) for found in by_class.values()) / len(pairs))
    expected = sum(sum(found) / len(found) for found in by_class.values()) / len(by_class)
    assert evaluation.class_balanced_error(predicted, ratings) == pytest.approx(expected)


def test_evaluation_table():
    random = np.random.default_rng(2)
    ratings = random.random(90) * 10
    predicted = ratings + random.normal(size=90)
    languages = ["Go"] * 50 + ["C"] * 30 + ["Ada"] * 10
    found = evaluation.evaluate(predicted, ratings, languages)
    assert found["files"] == 90
    assert list(found["languages"]) == ["C", "Go"]
    assert found["languages"]["Go"]["mae"] == round(float(np.abs(predicted - ratings)[:50].mean()), 3)
    assert found["spearman"] == pytest.approx(stats.spearmanr(predicted, ratings)[0], abs=1e-3)
    assert evaluation.errors(np.ones(5), np.arange(5.0))["spearman"] is None


def test_tokenizer_encodes_anything_and_speaks_no_specials():
    tokenizer = train_tokenizer(["def f():\n    return 1\n"] * 20, 300)
    tokenizer.encode_special_tokens = True
    for text in ("def f()", "é\0😀\r\n", "<pad>", ""):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
        assert 0 not in tokenizer.encode(text).ids
    assert tokenizer.get_vocab_size() <= 300
    with pytest.raises(ValueError, match="at least 257"):
        train_tokenizer([], 256)


def test_rubric_labels_sample_evenly_once_and_alike(tmp_path):
    rows = [{"repo": f"p{n % 4}-1.0", "path": f"{n}.{'py' if n % 2 else 'go'}", "content": f"x = {n % 90}\n"} for n in range(200)]
    whole = label([write(tmp_path / "all.parquet", *rows)], 50, 20, 30)
    halves = [write(tmp_path / "2.parquet", *rows[100:]), write(tmp_path / "1.parquet", *rows[:100])]
    assert label(halves, 50, 20, 30).equals(whole)
    contents = whole["content"].to_pylist()
    assert len(contents) == len(set(contents)) == 50
    for column, limit in (("repo", 20), ("language", 30)):
        assert max(entry["counts"] for entry in whole[column].value_counts().to_pylist()) <= limit
    row = whole.slice(7, 1).to_pylist()[0]
    assert row["rating"] == pytest.approx(rate(row["content"], row["language"]).rating)


def test_rubric_labels_leave_out_what_has_no_language(tmp_path):
    rows = [
        {"repo": "a", "path": "picture.xyz", "content": "?"},
        {"repo": "a", "path": "b.rb", "content": ""},
        {"repo": "a", "path": "c.rb", "content": "1"},
    ]
    assert label([write(tmp_path / "a.parquet", *rows)], 9, 9, 9)["path"].to_pylist() == ["c.rb"]
