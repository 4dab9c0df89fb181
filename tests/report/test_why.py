import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.curation.job import GITHUB
from beam_seed.records import document_id
from beam_seed.report.story import render_story
from beam_seed.report.why import NotFoundError, explain, parquet_reader

ID = document_id


def who(source, repo, path, **more):
    return {"id": ID(source, repo, path), "source": source, "repo": repo, "path": path, "size": 1234, "language": "Python", **more}


def document(source, repo, path, **more):
    told = {
        "revision": "abc123",
        "sha256": "0" * 64,
        "license": "MIT",
        "stars": 1500,
        "forks": None,
        "created": "2020-01-01",
        "content": "x",
    }
    return who(source, repo, path, **told) | more


def kept(source, repo, path, **more):
    told = {"quality": 0.75, "syntax_error_share": 0.0, "scorer": "f00", "cluster_id": ID(source, repo, path), "cluster_size": 1}
    return who(source, repo, path, **told) | more


def rejected(source, repo, path, **more):
    return who(source, repo, path, variant="both", stage="rules", rule="long-line", measured=5000.0, limit=1000.0, evidence="{}") | more


def twin(source, repo, path, **more):
    told = {"id": ID(source, repo, path), "source": source, "repo": repo, "path": path}
    return json.dumps({"kept": told, "cluster": told["id"]} | more, sort_keys=True)


NUMPY = ("a.tar", "numpy/numpy", "numpy/core.py")
COPY = ("a.tar", "numpy/numpy", "copy of core.py")
VIA = {"source": COPY[0], "repo": COPY[1], "path": COPY[2], "similarity_to_kept": 0.9}
REPOSITORY = json.dumps({"cluster": ID("a.tar", "numpy/numpy", ""), "kept": {"source": "a.tar", "repo": "numpy/numpy"}})
NEAR = {"stage": "near_dedup", "rule": "near-duplicate", "measured": 0.8731, "limit": 0.7}
EXACT = {"stage": "exact_dedup", "rule": "exact-duplicate", "measured": 1.0, "limit": 1.0}
VENDORED = {"stage": "read", "rule": "vendored", "measured": None, "limit": None, "evidence": '{"folder": "vendor"}'}
FORK = ("a.tar", "fork", "core.py")

DATASETS = {
    "documents": [
        document(*NUMPY),
        document("b.tar", "numpy/numpy", "numpy/core.py", license="", revision="", stars=None),
        document("a.tar", "numpy", "numpy/fft.py"),
        document("a.tar", "left", "pad.js"),
        document(*FORK),
        document("a.tar", "fork", "crash.py"),
        document("a.tar", "half", "done.py"),
        document(*COPY),
    ],
    "measures": [{"id": ID(*NUMPY), "language": "Python", "detected_by": "extension"}],
    "verdicts": [{"id": ID(*FORK), "language": "Python", "syntax_error_share": 0.01, "quality": None}],
    "rejected": [
        rejected("a.tar", "numpy", "numpy/fft.py"),
        rejected("a.tar", "left", "vendor/x.js", **VENDORED),
        rejected(*FORK, variant="file_level", evidence=twin(*NUMPY, via=VIA), **NEAR),
        rejected(*FORK, variant="repo_level", evidence=REPOSITORY, **NEAR | {"rule": "near-duplicate-repository"}),
        rejected(*COPY, evidence=twin(*NUMPY), **EXACT),
        rejected("z.tar", "bad", "score.py", stage="quality", rule="low-quality", measured=0.1, limit=0.31),
        rejected("a.tar", "evil\x1b[2J", "x\u202ey\n.py", stage="read", rule="binary", evidence='{"\\u001b[1m": "\\ud800"}'),
    ],
    "failed": [who("a.tar", "fork", "crash.py", variant="both", stage="syntax", error="TimeoutError: 5 s")],
    "corpora/file_level": [kept(*NUMPY, cluster_size=3), kept("b.tar", "numpy/numpy", "numpy/core.py")],
    "corpora/repo_level": [kept(*NUMPY, cluster_id=ID("a.tar", "numpy/numpy", ""), cluster_size=2, quality=None)],
}


def open_file(path):
    return open(path, "rb")


@pytest.fixture(scope="module")
def read_table(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    for name, rows in DATASETS.items():
        (root / name).mkdir(parents=True)
        for number, start in enumerate(range(0, len(rows), 3)):
            pq.write_table(pa.Table.from_pylist(rows[start : start + 3]), root / name / f"0000{number}.parquet", row_group_size=2)
    return parquet_reader(lambda name: [str(path) for path in (root / name).glob("*.parquet")], open_file)


def story(read_table, name):
    return "\n".join(render_story(each) for each in explain(read_table, name, GITHUB))


class TestExplain:
    def test_a_kept_file_and_its_namesake(self, read_table):
        stories = explain(read_table, "numpy/numpy/numpy/core.py", GITHUB)
        assert [each.who["source"] for each in stories] == ["a.tar", "b.tar"]
        assert {variant: fate.outcome for variant, fate in stories[0].fates.items()} == {"file_level": "kept", "repo_level": "kept"}
        assert {variant: fate.outcome for variant, fate in stories[1].fates.items()} == {"file_level": "kept", "repo_level": "unknown"}

    def test_whom_it_stands_for(self, read_table):
        fates = explain(read_table, "numpy/numpy/numpy/core.py", GITHUB)[0].fates
        assert {row["path"] for row in fates["file_level"].stands_for} == {"core.py", "copy of core.py"}
        assert [(row["repo"], row["path"]) for row in fates["repo_level"].stands_for] == [("fork", "")]

    def test_every_split_into_repository_and_path_is_tried(self, read_table):
        (found,) = explain(read_table, "numpy/numpy/fft.py", GITHUB)
        assert (found.who["repo"], found.who["path"]) == ("numpy", "numpy/fft.py")

    def test_a_near_duplicate_and_its_kept_twin(self, read_table):
        (found,) = explain(read_table, "fork/core.py", GITHUB)
        assert found.fates["file_level"].favoured.outcome == "kept"
        assert found.fates["repo_level"].evidence["kept"]["repo"] == "numpy/numpy"

    def test_a_file_dropped_while_reading(self, read_table):
        (found,) = explain(read_table, "left/vendor/x.js", GITHUB)
        assert found.document == {}
        assert {fate.row["rule"] for fate in found.fates.values()} == {"vendored"}


class TestNotFound:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("numpy/numpy/core.py", "near names: numpy/numpy/numpy/core.py"),
            ("fork/cor.py", "near names: fork/core.py"),
            ("nunpy/numpy/core.py", "repositories of near names: numpy, numpy/numpy$"),
            ("fork/zzzzzzzz", "the repository 'fork' has none of a near name"),
            ("evol/x.py", r"repositories of near names: evil\\u001b\[2J$"),
            ("qqqqqqq", "expected REPO/PATH; 7 repositories were read"),
            ("", "expected REPO/PATH"),
        ],
    )
    def test_suggestions(self, read_table, name, message):
        with pytest.raises(NotFoundError, match=message):
            explain(read_table, name, GITHUB)

    def test_an_empty_run(self):
        with pytest.raises(NotFoundError, match="0 repositories were read"):
            explain(parquet_reader(lambda _: [], open_file), "a/b", GITHUB)


class TestStory:
    def test_a_kept_file(self, read_table):
        lines = story(read_table, "numpy/numpy/numpy/core.py").splitlines()
        assert lines[:4] == [
            "numpy/numpy/numpy/core.py",
            "  read from a.tar, revision abc123, 1.23 kB, licence MIT, 1,500 stars, documents/00000.parquet",
            f"  id {ID('a.tar', 'numpy/numpy', 'numpy/core.py')}, SHA-256 {'0' * 64}",
            "  language Python, told by its extension",
        ]
        assert "  file level: kept, in corpora/file_level/00000.parquet" in lines
        assert "    stands for 3 documents, itself included:" in lines
        assert "      fork/core.py (from a.tar): near-duplicate of numpy/numpy/copy of core.py, similarity 0.9" in lines
        passed = (
            "    passed: read; language; rules; exact dedup; near dedup; syntax (syntax error share 0); "
            "decontamination; quality (quality 0.75, limit 0.31)"
        )
        assert passed in lines
        assert "    stands for 2 repositories, itself included:" in lines

    def test_a_near_duplicate(self, read_table):
        lines = story(read_table, "fork/core.py").splitlines()
        at = lines.index("  file level: dropped by near dedup: near-duplicate")
        assert lines[at + 1 : at + 7] == [
            "    measured 0.8731, limit 0.7",
            "    a copy of numpy/numpy/copy of core.py (from a.tar)",
            "    which was itself dropped, being 0.9 similar to the kept one",
            "    in favour of numpy/numpy/numpy/core.py (from a.tar)",
            "    which is kept, in corpora/file_level/00000.parquet",
            "    passed: read; language; rules; exact dedup",
        ]
        assert "    in favour of numpy/numpy (from a.tar)" in lines

    def test_a_failed_file(self, read_table):
        assert "  file level: failed in syntax: TimeoutError: 5 s" in story(read_table, "fork/crash.py").splitlines()

    def test_an_unfinished_run(self, read_table):
        assert "the run is unfinished" in story(read_table, "half/done.py")

    def test_a_terminal_obeys_nothing(self, read_table):
        text = story(read_table, "evil\x1b[2J/x\u202ey\n.py")
        text.encode()
        assert text.splitlines()[0] == "evil\\u001b[2J/x\\u202ey\\n.py"
        assert "    \\u001b[1m: \\ud800" in text.splitlines()
        assert "\x1b" not in text
