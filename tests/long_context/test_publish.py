import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.commits.tokens import EstimatedTokens
from beam_seed.long_context import publish
from beam_seed.long_context.assemble import Assembly
from beam_seed.long_context.job import LONG_CONTEXT
from beam_seed.long_context.publish import add_up, write_files, write_repositories
from beam_seed.long_context.report import promises
from beam_seed.long_context.tables import gather, survey
from beam_seed.report.accounting import broken, check
from beam_seed.report.tally import Tally


def tally_of(root, name):
    return Tally.from_bytes(publish.storage.read_json(f"{root}/_work/tally/{name}.json")["tally"].encode())


def books(root, part):
    """What of the books of one part does not close."""
    read, _, counts = add_up([part])
    tally = tally_of(root, part.name)
    return broken([*check(tally, read, LONG_CONTEXT.variants), *promises(counts, tally, "topological")])


def rows(root, dataset):
    return pq.read_table(root / dataset / "part.parquet").to_pylist()


def test_long_files_and_pages(tmp_path):
    path = str(tmp_path / "pages.parquet")
    texts = ["<[file]>" * 9, "short", None, "é" * 15]
    pages = {"id": ["1", "2", "3", "4"], "host": ["a.org"] * 4, "url": ["https://a.org/x", "u", "v", "w"], "content": texts}
    pq.write_table(pa.table(pages), path)
    part = write_files(str(tmp_path), "part", path, 20, EstimatedTokens())
    (row,) = rows(tmp_path, "corpora/long_context")
    assert (row["id"], row["kind"], row["repo"], row["path"], row["ids"]) == ("1", "file", "a.org", "https://a.org/x", '["1"]')
    assert row["content"] == "<[repo]>a.org\n<[file]>https://a.org/x\n" + "<[\\file]>" * 9
    assert row["tokens"] == 5 + 8 + 27
    assert (part.counts["files_read"], part.counts["files_long"], part.counts["rows"]) == (4, 1, 4)
    short = [(row["id"], row["measured"], row["limit"], row["evidence"][17:22]) for row in rows(tmp_path, "rejected")]
    assert short == [
        ("2", 5, 20, "bytes"),
        ("3", 0, 20, "bytes"),
        ("4", 10, 20, "token"),
    ]
    assert books(tmp_path, part) == ""


def test_a_table_that_tells_nothing_but_texts_has_books_too(tmp_path):
    path = str(tmp_path / "texts.parquet")
    pq.write_table(pa.table({"content": ["long enough", "", None]}), path)
    part = write_files(str(tmp_path), "part", path, 2, EstimatedTokens())
    assert [len(rows(tmp_path, dataset)) for dataset in ("corpora/long_context", "documents", "rejected")] == [1, 1, 2]
    assert books(tmp_path, part) == ""


def test_books_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("beam_seed.long_context.books._WAITING", 3)
    path = str(tmp_path / "texts.parquet")
    pq.write_table(pa.table({"path": [f"{n}" for n in range(20)], "content": ["x" * n for n in range(20)]}), path)
    part = write_files(str(tmp_path), "part", path, 5, EstimatedTokens())
    assert [[row["path"] for row in rows(tmp_path, name)] for name in ("rejected", "documents")] == [
        [str(n) for n in range(13)],
        [str(n) for n in range(13, 20)],
    ]
    assert books(tmp_path, part) == ""


@pytest.fixture
def repositories(tmp_path):
    path = str(tmp_path / "in.parquet")
    content = ["import b", "y = 1", None, "z"]
    pq.write_table(pa.table({"repo": ["a", "a", "a", "b"], "path": ["a.py", "b.py", "c.md", "d.py"], "content": content}), path)
    return [gather(repo, [place]) for repo, place in survey(path)]


def test_a_repository_that_cannot_be_assembled_is_told_file_by_file(repositories, tmp_path, monkeypatch):
    whole = publish.assemble

    def broken_assembly(repo, *rest):
        if repo == "a":
            raise RuntimeError("no\nway")
        return whole(repo, *rest)

    monkeypatch.setattr(publish, "assemble", broken_assembly)
    part = write_repositories(str(tmp_path), "part", repositories, [], Assembly(), EstimatedTokens())
    assert [row["repo"] for row in rows(tmp_path, "corpora/long_context")] == ["b"]
    failed = [(row["path"], row["size"], row["stage"], row["error"]) for row in rows(tmp_path, "failed")]
    assert failed == [(path, size, "assembly", "RuntimeError: no way") for path, size in (("a.py", 8), ("b.py", 5), ("c.md", 0))]
    assert [part.counts[f"repository_files{name}"] for name in ("_read", "", "_failed")] == [4, 1, 3]
    assert books(tmp_path, part) == ""


def test_a_file_that_is_lost_or_counted_twice_breaks_the_books(repositories, tmp_path, monkeypatch):
    part = write_repositories(str(tmp_path), "part", repositories, [], Assembly(), EstimatedTokens())
    assert books(tmp_path, part) == ""
    whole = publish.assemble

    def losing(*arguments):
        made = whole(*arguments)
        return made._replace(files=[files[1:] for files in made.files])

    monkeypatch.setattr(publish, "assemble", losing)
    told = books(tmp_path, write_repositories(str(tmp_path), "part", repositories, [], Assembly(), EstimatedTokens()))
    assert "kept + rejected + failed = read (files) (2 + 0 + 0 ≠ 4)" in told
    assert "files in the corpus's rows = files kept (4 and 2)" in told
