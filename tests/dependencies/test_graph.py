"""The graph as a whole: isolation, names that lead nowhere, and repositories made to hurt."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.dependencies.graph import SourceFile, build_graph, read_graph
from beam_seed.dependencies.mentions import MAX_NAME, MAX_NAMES, Mentions, distinct
from beam_seed.dependencies.table import read_mentions
from beam_seed.dependencies.tree import Tree, join
from beam_seed.syntax.isolation import ParserFailure, ParserProcess


@pytest.fixture(scope="module")
def process():
    with ParserProcess() as process:
        yield process


def test_the_counts_of_each_language(process):
    files = [
        SourceFile("a.py", "Python", "import b, os\nimport b\nfrom b import x\n"),
        SourceFile("b.py", "Python", "\ud800 = (((\n"),  # neither valid text nor valid code
        SourceFile("c.sh", "Shell", "source d.sh\n"),
        SourceFile("go.mod", "", "module m.org/x\n"),
        SourceFile("g.go", "Go", 'package x\nimport "m.org/x/h"\n'),
        SourceFile("h/h.go", "Go", "package h\n"),
    ]
    graph = read_graph(files, process)
    assert graph.edges.tolist() == [[0, 1], [4, 6], [6, 5]]
    assert (graph.files, graph.nodes) == (6, 7)
    assert {name: tuple(counts) for name, counts in graph.counts.items()} == {"Go": (2, 0, 1, 1, 1), "Python": (2, 0, 3, 2, 1)}


def test_a_file_on_which_the_parser_dies_has_no_dependencies(process, monkeypatch):
    monkeypatch.setattr(
        process, "read_mentions", lambda files: [ParserFailure("crash")] + [Mentions((), (("import", "a"),))] * (len(files) - 1)
    )
    graph = read_graph([SourceFile("a.py", "Python", "import b\n"), SourceFile("b.py", "Python", "import a\n")], process)
    assert graph.edges.tolist() == [[1, 0]]
    assert graph.counts["Python"].unread == 1


def test_the_child_reads_what_this_process_reads(process):
    source = "from a import b\nimport c.d as e\nclass X: pass\n"
    assert process.read_mentions([(source.encode(), "Python")]) == [read_mentions(source.encode(), "Python")]
    with pytest.raises(AssertionError):  # a language of none of ours fails alone
        assert not isinstance(process.read_mentions([(b"x", "Klingon")])[0], ParserFailure)


HOSTILE = {
    "nested Rust uses": ("Rust", "use " + "a::{" * 20_000 + "b" + "}" * 20_000 + ";"),
    "nested Rust modules": ("Rust", "mod a { use super::x; " * 2_000 + "}" * 2_000),
    "nested parentheses": ("Python", "import a\nx = " + "(" * 50_000 + ")" * 50_000),
    "nested PHP includes": ("PHP", "<?php require " + "(" * 20_000 + "'a.php'" + ")" * 20_000 + ";"),
    "an endless name": ("Java", "import " + "a." * 200_000 + "B;"),
    "many names": ("Python", "".join(f"import m{n}\n" for n in range(50_000))),
    "nested namespaces": ("C#", "namespace a { class B {} " * 1_000 + "}" * 1_000),
    "dots": ("Python", "from " + "." * 100_000 + " import x"),
    "no end": ("JavaScript", "import x from '" + "a" * 1_000_000),
    "odd manifests": ("JavaScript", "import x from 'p'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_cost_no_more_than_themselves(process, name):
    language, content = HOSTILE[name]
    files = [
        SourceFile("bad", language, content),
        SourceFile("package.json", "JSON", "[" * 100_000),
        SourceFile("x/package.json", "JSON", '{"name": ["p"], "main": {}, "x": "\\ud800"}'),
        SourceFile("composer.json", "JSON", '{"autoload": {"psr-4": [1]}}'),
        SourceFile("tsconfig.json", "JSON", '{"compilerOptions": {"paths": {"*": "no list", "a*b*": ["*"]}, "baseUrl": 3}}'),
        SourceFile("Cargo.toml", "", "package = 3\nlib = ["),
        SourceFile("go.mod", "", "module\nmodule\x00 x y\n"),
        SourceFile("a.py", "Python", "import b\n"),
        SourceFile("b.py", "Python", ""),
    ]
    graph = read_graph(files, process)
    assert [7, 8] in graph.edges.tolist()


def test_names_that_are_data_are_left_out():
    assert distinct(["a", "", "b" * (MAX_NAME + 1), "a", "c" * MAX_NAME]) == ("a", "c" * MAX_NAME)
    assert len(distinct(map(str, range(MAX_NAMES + 5)))) == MAX_NAMES


def test_no_import_leaves_the_repository():
    assert [join("a/b", name) for name in ("../c", "../../c", "../../../c", "/etc/passwd", "..", "../..", ".")] == [
        "a/c",
        "c",
        None,
        None,
        "a",
        None,
        "a/b",
    ]


def test_paths_that_are_no_paths(process):
    names = ["/abs/a.py", "../up/a.py", "a//b.py", "./c.py", "a/../d.py", "", "\x00.py", "A.py", "a.py", "d" + "/d" * 3_000 + ".py"]
    content = "import a, A, os\nfrom . import b, c, d\nfrom .. import e\nfrom ... import f\n"
    graph = read_graph([SourceFile(name, "Python", content) for name in sorted(names)], process)
    paths = sorted(names)
    found = {(paths[a], paths[b]) for a, b in graph.edges.tolist()}
    assert ("A.py", "a.py") in found
    assert ("a.py", "A.py") in found
    assert all(a != b for a, b in found)


def test_two_files_of_one_path_are_both_there(process):
    files = [SourceFile("a.py", "Python", "import b\n"), SourceFile("b.py", "Python", ""), SourceFile("b.py", "Python", "import a\n")]
    assert read_graph(files, process).edges.tolist() == [[0, 1], [2, 0]]


def test_ten_thousand_files_that_all_name_one_another():
    number = 10_000
    paths = sorted(f"p{n}/same.h" for n in range(number))
    one = Mentions((), (("quoted", "same.h"), ("angled", "same.h"), ("quoted", "nowhere.h")))
    graph = build_graph(paths, ["C"] * number, [one] * number)
    assert len(graph.edges) <= number
    java = [
        Mentions(("p",), (("import", "p.A"), ("import", "q.*")), ("p.A", f"p.B{n}"), ("A", f"B{(n + 1) % number}")) for n in range(number)
    ]
    assert len(build_graph([f"{n}.java" for n in range(number)], ["Java"] * number, java).edges) <= 2 * number


NAMES = ("a.py", "b.py", "pkg/__init__.py", "pkg/a.py", "pkg/sub/b.py", "x.c", "x.h", "inc/x.h", "m.js", "m/index.js", "r.rb")
LINES = ("import a", "from . import a", "from pkg.sub import b", '#include "x.h"', "require './m'", "import '../m';", "\x00")


def test_long_lists_are_not_multiplied():
    many = range(5_000)
    uses = tuple(f"N{n}" for n in many)
    deep = "/".join("d" * 2_000)
    files = {
        "A.java": ("Java", Mentions(("p",), tuple(("import", f"q{n}.*") for n in many), (), uses)),
        "A.cs": ("C#", Mentions(tuple(f"a{n}" for n in many), tuple(("namespace", f"q{n}") for n in many), uses, uses)),
        f"{deep}/a.c": ("C", Mentions((), tuple(("angled", f"x/{n}.h") for n in many))),
        f"{deep}/x/1.h": ("C", Mentions()),
        "a.go": ("Go", Mentions(("a",), tuple(("import", f"m.org/{n}" + "/a" * 400) for n in many))),
        "/".join(["lib"] * 2_000) + "/a.rb": ("Ruby", Mentions()),
        "a.php": ("PHP", Mentions((), tuple(("use", f"A\\B{n} B{n}") for n in many), (), uses)),
        "a.ts": ("TypeScript", Mentions((), tuple(("import", f"p{n}") for n in many))),
    }
    manifests = {
        "composer.json": json.dumps({"autoload": {"psr-4": {"A\\" * (n % 9): f"d{n}" for n in many}}}),
        "tsconfig.json": json.dumps({"compilerOptions": {"baseUrl": ".", "paths": {f"{n}*": ["x/*"] for n in many}}}),
    }
    languages, mentions = zip(*files.values(), strict=True)
    assert build_graph(list(files), languages, mentions, manifests).edges.tolist() == [[2, 3]]


names = st.sampled_from(NAMES)
contents = st.lists(st.sampled_from(LINES), max_size=5).map("\n".join)
LANGUAGE = {"py": "Python", "c": "C", "h": "C++", "js": "JavaScript", "rb": "Ruby"}


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(names, contents, max_size=8))
def test_edges_are_distinct_sorted_and_inside(files):
    paths = sorted(files)
    languages = [LANGUAGE[path.rpartition(".")[2]] for path in paths]
    mentions = [read_mentions(files[path].encode(), language) for path, language in zip(paths, languages, strict=True)]
    edges = build_graph(paths, languages, mentions).edges
    assert ((edges >= 0) & (edges < len(paths))).all()
    assert (edges[:, 0] != edges[:, 1]).all()
    assert np.array_equal(edges, np.unique(edges, axis=0).reshape(-1, 2))


def test_nearest_is_decided_by_folders_then_length_then_name():
    tree = Tree(["x/y/a.h", "x/a.h", "z/a.h", "x/y/z.c", "b.c"], ["C"] * 5, [Mentions()] * 5)
    assert tree.nearest([0, 1, 2], 3) == 0
    assert tree.nearest([1, 2], 3) == 1
    assert tree.nearest([1, 2], 4) == 1
    assert tree.nearest([], 4) is None
