import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import beam_seed.long_context.publish
from beam_seed.commits.tokens import EstimatedTokens
from beam_seed.long_context.assemble import Assembly
from beam_seed.long_context.choose import Choice, UnscoredError, judge
from beam_seed.long_context.publish import add_counts, publish, write_repositories
from beam_seed.long_context.tables import Repository, gather, long_files, read_files, read_pieces, survey
from beam_seed.records import document_id


@pytest.fixture
def tables(tmp_path):
    """A repository in two tables, its rows apart; scores that are none; a row without a repository."""
    one = {
        "repo": ["a", "b", "a", None],
        "path": ["1.py", "2.py", "3.py", "4.py"],
        "content": ["x" * 10, "y", None, "z"],
        "quality": [0.5, None, 1.0, float("nan")],
        "size": [10, 1, 0, 1],
    }
    two = {
        "repo": ["a"],
        "path": ["0.sh"],
        "content": ["#!/bin/sh\n"],
        "quality": [0.0],
        "size": [10],
        "id": ["given"],
        "source": ["there"],
    }
    paths = [str(tmp_path / name) for name in ("one.parquet", "two.parquet")]
    for path, table in zip(paths, (one, two), strict=True):
        pq.write_table(pa.table(table), path, row_group_size=2)
    return paths


def surveyed(tables):
    places = {}
    for table in tables:
        for repo, place in survey(table):
            places.setdefault(repo, []).append(place)
    return {repo: gather(repo, each[::-1]) for repo, each in places.items()}


def test_a_repository_is_found_wherever_it_lies(tables):
    found = surveyed(tables)
    assert [np.frombuffer(rows, "<i8").tolist() for _, rows in found["a"].places] == [[0, 2], [0]]
    assert found["a"]._replace(places=[]) == Repository("a", "", 3, 20, 0.5, [])
    assert found["b"].quality is None
    assert found[""].quality is None
    (files,) = read_pieces(found["a"])
    assert [(file.path, file.content, file.language, file.quality) for file in files] == [
        ("1.py", "x" * 10, "Python", 0.5),
        ("3.py", "", "Python", 1.0),
        ("0.sh", "#!/bin/sh\n", "Shell", 0.0),
    ]
    assert [file.id for file in files] == [document_id("", "a", "1.py"), document_id("", "a", "3.py"), "given"]


def test_a_repository_that_is_too_large_comes_in_pieces(tables):
    assert [[file.path for file in files] for files in read_pieces(surveyed(tables)["a"], 15)] == [["1.py", "3.py"], ["0.sh"]]


def repository(quality, repo="r"):
    return Repository(repo, "s", 2, 9, quality, [])


def test_the_choice():
    by_share = Choice(0.1)
    assert judge(repository(0.5), by_share, 0.5) is None
    assert judge(repository(0.49), by_share, 0.5)[7:10] == ("low-quality", 0.49, 0.5)
    assert judge(repository(0.5), Choice(0.1, min_quality=0.6), 0.2)[8:10] == (0.5, 0.6)
    assert judge(repository(None), Choice(0.1, unscored="keep"), 0.5) is None
    assert judge(repository(None), Choice(0.1, unscored="drop"), 0.5).rule == "no-quality"
    assert judge(repository(None), Choice(0.0), None) is None
    assert judge(repository(0.9, ""), Choice(0.0), None).rule == "no-repository"
    with pytest.raises(UnscoredError, match="run beam-seed score"):
        judge(repository(None), by_share, 0.5)
    with pytest.raises(ValueError, match="expected a share"):
        Choice(1.0)
    with pytest.raises(ValueError, match="expected one of fail, keep, drop"):
        Choice(unscored="maybe")


def test_long_files_and_pages(tmp_path):
    path = str(tmp_path / "pages.parquet")
    pages = {"id": ["1", "2", "3"], "host": ["a.org"] * 3, "url": ["https://a.org/x", "u", "v"], "content": ["<[file]>" * 9, "short", None]}
    pq.write_table(pa.table(pages), path)
    counts = {}
    (row,) = long_files(path, 20, EstimatedTokens(), counts)
    assert (row.id, row.kind, row.repo, row.path, row.files, row.ids) == ("1", "file", "a.org", "https://a.org/x", 1, '["1"]')
    assert row.content == "<[repo]>a.org\n<[file]>https://a.org/x\n" + "<[\\file]>" * 9
    assert row.tokens == 5 + 8 + 27
    assert counts == {"files_read": 3, "files_long": 1}
    assert next(read_files(path)).quality is None


def test_counts_add_up_in_any_order():
    facts = [{"repo": str(n), "tokens": n % 7} for n in range(50)]
    whole = [{"a": n, "of": {"x": {"y": 1}}, "largest": [facts[n]]} for n in range(50)]
    forth, back = {}, {}
    for each in whole:
        add_counts(forth, each)
    for each in whole[::-1]:
        add_counts(back, each)
    assert forth == back
    assert (forth["a"], forth["of"], len(forth["largest"])) == (1225, {"x": {"y": 50}}, 20)


def test_a_repository_that_cannot_be_assembled_is_told(tables, tmp_path, monkeypatch):
    whole = beam_seed.long_context.publish.assemble

    def broken(repo, *rest):
        if repo == "a":
            raise RuntimeError("no\nway")
        return whole(repo, *rest)

    monkeypatch.setattr(beam_seed.long_context.publish, "assemble", broken)
    found = surveyed(tables)
    counts = write_repositories(str(tmp_path), "part", [found["a"], found["b"]], Assembly(), EstimatedTokens())
    assert [row["repo"] for row in pq.read_table(tmp_path / "corpora/long_context/part.parquet").to_pylist()] == ["b"]
    (failed,) = pq.read_table(tmp_path / "failed/part.parquet").to_pylist()
    assert (failed["repo"], failed["size"], failed["stage"], failed["error"]) == ("a", 20, "long_context", "RuntimeError: no way")
    assert [counts[f"repository_files{name}"] for name in ("_read", "", "_failed")] == [4, 1, 3]
    publish(str(tmp_path), [counts], {"options": {}}, None)
    assert (tmp_path / "manifest.json").exists()


def test_books_that_do_not_close_are_no_run(tmp_path):
    with pytest.raises(RuntimeError, match="expected the sum to close"):
        publish(str(tmp_path), [{"repository_files_read": 3, "repository_files": 2}], {"options": {}}, None)
    assert not (tmp_path / "manifest.json").exists()
