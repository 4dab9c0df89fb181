import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.long_context.choose import Choice, UnscoredError, judge
from beam_seed.long_context.publish import add_counts
from beam_seed.long_context.tables import Repository, gather, read_pieces, survey
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
