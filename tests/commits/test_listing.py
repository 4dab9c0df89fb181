import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.commits import listing
from beam_seed.commits.listing import MAX_DEPTH, Folders, Listing
from beam_seed.commits.paths import quote
from beam_seed.commits.records import EMPTY_TREE, FOLDER, LINK, SUBMODULE, ObjectError, TreeEntry

names = st.sampled_from(["a", "b.py", "c d", "é", 'q"', "s\udcff", "z"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
snapshots = st.dictionaries(paths, st.binary(max_size=2), max_size=12).map(
    lambda files: {path: data for path, data in files.items() if not any(other.startswith(path + "/") for other in files)}
)


def list_plainly(files, levels, indent=""):
    """The listing of {path: anything}, from the paths alone."""
    children = {}
    for path in files:
        name, _, rest = path.partition("/")
        children.setdefault(name, []).append(rest)
    text = ""
    for name in sorted(children, key=lambda name: name + "/" * (children[name] != [""])):
        inner = children[name]
        if inner == [""]:
            text += f"{indent}{quote(name)}\n"
            continue
        label = quote(name)
        while len({path.partition("/")[0] for path in inner}) == 1 and all("/" in path for path in inner):
            label += "/" + quote(inner[0].partition("/")[0])
            inner = [path.partition("/")[2] for path in inner]
        if levels == 0:
            text += f"{indent}{label}/ ({len(inner)} file{'' if len(inner) == 1 else 's'})\n"
        else:
            text += f"{indent}{label}/\n" + list_plainly(inner, levels - 1, indent + "  ")
    return text


def listing_of(objects, files):
    folders = Folders(objects)
    return Listing(folders, folders.snapshot(objects.snapshot(files)))


@settings(deadline=None)
@given(snapshots)
def test_listings_are_those_of_the_paths_at_every_depth(new_objects, files):
    found = listing_of(new_objects(), files)
    for levels, size in enumerate(found.sizes):
        text = found.text(levels)
        assert text == list_plainly(files, levels)
        assert len(text.encode()) == size
    assert found.text(len(found.sizes) - 1) == list_plainly(files, 99)


def test_an_abridged_listing_collapses_the_deepest_levels_first(objects):
    files = dict.fromkeys(("README", "src/main/java/App.java", "src/main/java/util/A.java", "src/main/java/util/B.java"), b"")
    found = listing_of(objects, files)
    assert [found.text(levels) for levels in range(3)] == [
        "README\nsrc/main/java/ (3 files)\n",
        "README\nsrc/main/java/\n  App.java\n  util/ (2 files)\n",
        "README\nsrc/main/java/\n  App.java\n  util/\n    A.java\n    B.java\n",
    ]
    assert len(found.sizes) == 3


def test_links_and_submodules_are_listed(objects):
    found = listing_of(objects, {"link": (LINK, b"target"), "lib": (SUBMODULE, b"1"), "x/sub": (SUBMODULE, b"2")})
    assert found.text(0) == "lib/ (submodule)\nlink\nx/ (1 file)\n"


def test_the_empty_snapshot_has_an_empty_listing(objects):
    found = listing_of(objects, {})
    assert found.sizes == (0,)
    assert found.text(0) == ""


def test_differences_are_those_of_the_paths(objects):
    folders = Folders(objects)
    before = {"a": b"1", "b/c": b"2", "b/d": b"3", "e/f/g": b"4", "h": b"5", "k": b"6"}
    after = {"a": b"1", "b/c": b"changed", "b/d": b"3", "e": b"4", "h/i": b"5", "k": ("100755", b"6")}
    old, new = objects.snapshot(before), objects.snapshot(after)
    folders.snapshot(old)
    folders.snapshot(new)
    difference = folders.difference(old, new)
    assert sorted(path for path, _ in difference.removed) == ["b/c", "e/f/g", "h", "k"]
    assert sorted((path, entry.mode) for path, entry in difference.added) == [
        ("b/c", "100644"),
        ("e", "100644"),
        ("h/i", "100644"),
        ("k", "100755"),
    ]
    assert sorted(path for path, _ in folders.difference(EMPTY_TREE, new).added) == sorted(after)
    assert folders.difference(new, new) == ([], [])


def test_a_tree_is_read_once(objects):
    folders = Folders(objects)
    files = {f"d{number}/f": bytes([number]) for number in range(9)}
    folders.snapshot(objects.snapshot(files))
    folders.snapshot(objects.snapshot(files | {"d3/f": b"new"}))
    assert set(objects.reads.values()) == {1}
    assert len(objects.reads) == 9 + 1 + 2


def test_what_the_snapshot_does_not_need_is_forgotten(objects, monkeypatch):
    monkeypatch.setattr(listing, "SPARE_ENTRIES", 10)
    folders = Folders(objects)
    for number in range(100):
        tree = objects.snapshot({"a/b/c": bytes([number]), "d/e": b""} | {f"{name}": b"" for name in range(30)})
        root = folders.snapshot(tree)
        assert sum(len(folder.entries) for folder in folders._folders.values()) <= 2 * (root.files + root.folders) + 10 + 34
        folders.forget(tree)
        assert folders.difference(EMPTY_TREE, tree).added


def nested(objects, levels, tree=EMPTY_TREE):
    for _ in range(levels):
        tree = objects.put_tree([TreeEntry(FOLDER, "d", tree), TreeEntry("100644", "f", objects.put_blob(b""))])
    return tree


def test_folders_that_are_nested_too_deep_are_refused(objects):
    assert Folders(objects).snapshot(nested(objects, MAX_DEPTH)).height == MAX_DEPTH
    with pytest.raises(ObjectError, match="nested more than 128 deep"):
        Folders(objects).snapshot(nested(objects, 100_000))
    folders, tree = Folders(objects), EMPTY_TREE
    for _ in range(MAX_DEPTH):  # one level more in every commit
        tree = nested(objects, 1, tree)
        folders.snapshot(tree)
    with pytest.raises(ObjectError, match="nested more than 128 deep"):
        folders.snapshot(nested(objects, 1, tree))


@pytest.mark.parametrize("leaf", [[], [TreeEntry("100644", "f", "1" * 40)]], ids=["folders", "files"])
def test_a_few_trees_that_claim_billions_of_entries_are_refused(objects, leaf):
    tree = objects.put_tree(leaf)
    for _ in range(10):
        tree = objects.put_tree([TreeEntry(FOLDER, f"d{number}", tree) for number in range(10)])
    with pytest.raises(ObjectError, match="at most 1000000 are read"):
        Folders(objects).snapshot(tree)


def test_damaged_trees(objects):
    with pytest.raises(ObjectError, match="missing"):
        Folders(objects).snapshot("2" * 40)
    with pytest.raises(ObjectError, match="holds '/'"):
        Folders(objects).snapshot(objects.put_tree([TreeEntry("100644", "a/b", "1" * 40)]))
    twice = objects.put_tree([TreeEntry("100644", "a", "1" * 40), TreeEntry("100644", "a", "2" * 40)])
    assert [entry.id for entry in Folders(objects).snapshot(twice).entries] == ["2" * 40]
