import inspect
import random

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.commits import documents, listing, terms
from beam_seed.commits.bm25 import K1, B
from beam_seed.commits.context import FILES, ContextBuilder
from beam_seed.commits.documents import MAX_BYTES, text_of
from beam_seed.commits.filters import untold
from beam_seed.commits.generated import BUILT_FILES, GENERATED_SUFFIXES, LOCK_FILES
from beam_seed.commits.records import EMPTY_TREE, LINK, SUBMODULE, FileChange, ObjectError
from beam_seed.commits.terms import terms_of
from beam_seed.sources.vendored import VENDORED_FOLDERS

WORDS = ["parse", "Header", "fooBar", "snake_case", "x2", "naïve", "the", "print"]
names = st.sampled_from(["a.py", "b.py", "README.md", "readme", "vendor", "lib", "go.sum", "parse"])
contents = st.one_of(st.lists(st.sampled_from(WORDS), max_size=8).map(lambda words: " ".join(words).encode()), st.binary(max_size=8))
snapshots = st.dictionaries(st.lists(names, min_size=1, max_size=2).map("/".join), contents, max_size=8).map(
    lambda files: {path: data for path, data in files.items() if not any(other.startswith(path + "/") for other in files)}
)
messages = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)


def told(context):
    return context.readme, [context.listing.text(levels) for levels in range(len(context.listing.sizes))], context.files


def fresh(objects, tree, message):
    return told(ContextBuilder(objects).context(tree, message))


@settings(deadline=None)
@given(st.lists(st.tuples(snapshots, messages), min_size=1, max_size=6))
def test_a_context_is_a_function_of_snapshot_and_message_whatever_was_asked_before(new_objects, questions):
    objects = new_objects()
    builder = ContextBuilder(objects)
    for files, message in questions:
        tree = objects.snapshot(files)
        assert told(builder.context(tree, message)) == fresh(objects, tree, message)


def test_nothing_else_is_asked_for():
    assert list(inspect.signature(ContextBuilder.context).parameters) == ["self", "tree", "message", "files"]
    assert list(inspect.signature(ContextBuilder).parameters) == ["objects"]


def test_different_changes_of_one_snapshot_have_one_context(objects):
    """The builder that goes on to see what each change made of the snapshot gives the same context as the one that does not."""
    before = {"src/parse.py": b"def parse(): pass", "src/print.py": b"def print(): pass", "README.md": b"# parse and print"}
    tree, message = objects.snapshot(before), "parse faster"
    contexts = []
    for change in ({"src/parse.py": b"parse parse parse"}, {"src/print.py": b"parse parse"}, {"src/new.py": b"parse"}, {}):
        builder = ContextBuilder(objects)
        builder.context(objects.snapshot(before | change), "parse")
        contexts.append(told(builder.context(tree, message)))
    assert all(context == contexts[0] for context in contexts)
    assert [found.path for found in contexts[0][2]] == ["src/parse.py"]


def history(objects, commits, files=60, seed=3):
    """(snapshot, message) of a made-up history, and the files of each snapshot."""
    generator = random.Random(seed)
    vocabulary = [f"word{number}" for number in range(300)]

    def text():
        return " ".join(generator.choices(vocabulary, k=generator.randint(1, 60))).encode()

    state = {f"d{number % 7}/file{number}.py": text() for number in range(files)}
    for _ in range(commits):
        for path in generator.sample(sorted(state), 2):
            if generator.random() < 0.2:
                state[path.replace("file", "moved")] = state.pop(path)
            else:
                state[path] = text()
        yield objects.snapshot(state), " ".join(generator.choices(vocabulary, k=6)), dict(state)


def reference(state, message):
    """Paths and scores that bm25s finds among the texts and paths of ``state``, best first."""
    paths = sorted(state)
    corpus = [terms_of(f"{path}\n{state[path].decode()}") for path in paths]
    retriever = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64", backend="numpy")
    retriever.index(corpus, show_progress=False)
    scores = retriever.get_scores([term for term in terms_of(message) if any(term in terms for terms in corpus)])
    order = np.argsort(-scores.round(9), kind="stable")[:FILES]
    return [(paths[at], scores[at]) for at in order if scores[at] > 0]


def test_files_are_those_of_the_reference_library_along_a_history(objects):
    builder = ContextBuilder(objects)
    for tree, message, state in history(objects, 60):
        found = builder.context(tree, message).files
        expected = reference(state, message)
        assert [each.path for each in found] == [path for path, _ in expected]
        np.testing.assert_allclose([each.score for each in found], [score for _, score in expected], rtol=1e-12)
        assert all(each.content == state[each.path].decode() for each in found)


def test_a_content_is_read_and_counted_once_whatever_its_path(objects, monkeypatch):
    counted = []
    count = terms.Vocabulary.count
    monkeypatch.setattr(terms.Vocabulary, "count", lambda self, text: counted.append(text) or count(self, text))
    builder = ContextBuilder(objects)
    first = {f"src/{number}.py": f"content {number}".encode() for number in range(20)}
    moved = {path.replace("src", "lib"): data for path, data in first.items()}
    for files in (first, first | {"src/3.py": b"changed"}, moved, first):
        builder.context(objects.snapshot(files), "content")
    assert max(objects.reads[oid] for oid in objects.blobs) == 1
    assert len([text for text in counted if text.startswith(("content", "changed"))]) == 21


def test_memory_does_not_grow_with_the_history(objects, monkeypatch):
    monkeypatch.setattr(terms, "SPARE_WORDS", 200)
    monkeypatch.setattr(listing, "SPARE_ENTRIES", 20)
    monkeypatch.setattr(documents, "TERM_BYTES", 5_000)
    monkeypatch.setattr(documents, "TEXT_CHARACTERS", 5_000)
    builder = ContextBuilder(objects)
    for turn in range(300):
        files = {f"d{number}/f{number}": f"word{turn} other{turn}x{number} same".encode() for number in range(10)}
        tree = objects.snapshot(files)
        assert told(builder.context(tree, f"word{turn} other{turn}x3 same")) == fresh(objects, tree, f"word{turn} other{turn}x3 same")
        assert len(builder._vocabulary) < 700
        assert len(builder._folders._folders) < 60
        assert len(builder._files) <= 20
        assert builder._documents._counts._size <= 5_000
        assert builder._documents._texts._size <= 5_000


READMES = ["README.md", "readme.markdown", "ReadMe.rst", "README.adoc", "README.asciidoc", "README.org", "README.txt", "README"]


@pytest.mark.parametrize("first", range(len(READMES)))
def test_the_readme_is_the_first_by_extension(objects, first):
    files = {name: name.encode() for name in READMES[first:]} | {"docs/README.md": b"of the docs"}
    assert ContextBuilder(objects).context(objects.snapshot(files), "").readme == (READMES[first], READMES[first])


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"docs/README.md": b"inner"},
        {"README.md": (LINK, b"docs/x")},
        {"README.md": b"\0\1"},
        {"README.py": b"x"},
        {"README.md": b" \n"},
    ],
)
def test_no_readme(objects, files):
    assert ContextBuilder(objects).context(objects.snapshot(files), "x").readme is None


def test_the_readme_is_not_found_again(objects):
    files = {"README.md": b"parse parse", "a.py": b"parse", "docs/README.md": b"parse"}
    context = ContextBuilder(objects).context(objects.snapshot(files), "parse")
    assert {found.path for found in context.files} == {"a.py", "docs/README.md"}


def test_a_path_finds_its_file_and_equal_scores_go_by_path(objects):
    files = {f"src/{name}.py": b"nothing" for name in ("zeta", "beta", "alpha", "eta", "iota", "kappa", "mu")}
    builder = ContextBuilder(objects)
    tree = objects.snapshot(files)
    assert [found.path for found in builder.context(tree, "fix zeta").files] == ["src/zeta.py"]
    assert [found.path for found in builder.context(tree, "nothing").files] == sorted(files)[:5]
    assert builder.context(tree, "").files == builder.context(tree, "unheard").files == ()


def test_the_empty_snapshot(objects):
    context = ContextBuilder(objects).context(EMPTY_TREE, "Initial commit")
    assert told(context) == (None, [""], ())


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("node_modules/x.js", b"word"),
        ("link", (LINK, b"word")),
        ("sub", (SUBMODULE, b"word")),
        ("web/Cargo.lock", b"word"),
        ("a.py", b"# This file is generated by word. Do not edit.\n"),
        ("a.bin", b"word\0"),
        ("a.js", b"word;" * 1000),
        ("a.py", b""),
        ("a.py", b"word\n" * (MAX_BYTES // 5 + 1)),
    ],
    ids=["vendored", "link", "submodule", "lock file", "generated", "binary", "minified", "empty", "too large"],
)
def test_what_is_not_searched(objects, path, file):
    builder = ContextBuilder(objects)
    tree = objects.snapshot({path: file, "other.py": b"word"})
    assert [found.path for found in builder.context(tree, "word").files] == ["other.py"]
    assert builder._index.documents == 1


NEVER_TOLD = [
    *(f"web/{name}" for name in (*LOCK_FILES, *BUILT_FILES)),
    *(f"web/word{suffix}" for suffix in GENERATED_SUFFIXES),
    *(f"web/{folder}/word.py" for folder in VENDORED_FOLDERS),
]


def test_what_no_target_tells_is_no_context(objects):
    changes = [FileChange("M", path, path, "100644", "100644", "a" * 40, "b" * 40, 0, "", ()) for path in NEVER_TOLD]
    assert {untold(change) for change in changes} == {"vendored", "generated"}
    tree = objects.snapshot(dict.fromkeys(NEVER_TOLD, b"word") | {"web/word.py": b"word"})
    assert [found.path for found in ContextBuilder(objects).context(tree, "word", len(NEVER_TOLD)).files] == ["web/word.py"]


def test_text_in_other_encodings_is_searched():
    assert text_of("a.py", "größe".encode("utf-16")) == "größe"
    assert text_of("a.py", "# Größe, für später\n".encode("cp1252")) == "# Größe, für später\n"


def test_a_missing_file_fails_its_snapshots_and_no_others(objects):
    files = {f"{number}.py": f"word {number}".encode() for number in range(6)}
    whole, broken = objects.snapshot(files), objects.snapshot(files | {"3.py": b"gone"})
    later = objects.snapshot(files | {"3.py": b"gone", "9.py": b"word 9"})
    objects.missing.add(objects.put_blob(b"gone"))
    builder = ContextBuilder(objects)
    for tree in (broken, later, broken):
        with pytest.raises(ObjectError, match="missing"):
            builder.context(tree, "word")
        assert told(builder.context(whole, "word 3")) == fresh(objects, whole, "word 3")
    objects.missing.clear()
    assert told(builder.context(later, "word 9")) == fresh(objects, later, "word 9")


def test_a_missing_folder_fails_its_snapshots_and_no_others(objects):
    whole, broken = objects.snapshot({"a/b.py": b"word"}), objects.snapshot({"a/b.py": b"word", "c/d.py": b"gone"})
    objects.missing.add(objects.snapshot({"d.py": b"gone"}))
    builder = ContextBuilder(objects)
    for _ in range(2):
        assert [found.path for found in builder.context(whole, "word").files] == ["a/b.py"]
        with pytest.raises(ObjectError, match="missing"):
            builder.context(broken, "word")


def test_an_error_of_another_kind_leaves_nothing_half_done(objects, monkeypatch):
    builder = ContextBuilder(objects)
    tree = objects.snapshot({"a.py": b"word", "b.py": b"word word"})
    with monkeypatch.context() as patch:
        patch.setattr("beam_seed.commits.bm25.Index.add", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            builder.context(tree, "word")
    assert told(builder.context(tree, "word")) == fresh(objects, tree, "word")
