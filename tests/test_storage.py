import os

import pytest

from beam_seed import storage


@pytest.fixture
def root(tmp_path):
    # The characters of patterns are ordinary ones in the name of a folder.
    folder = tmp_path / "run [1]*"
    folder.mkdir()
    return folder


def write(path, data=b"x"):
    with storage.open_write(str(path)) as out:
        out.write(data)


def test_a_file_is_written_with_its_folders(root):
    write(root / "a" / "b" / "c.bin", b"\0\xff")
    with storage.open_read(str(root / "a" / "b" / "c.bin")) as file:
        assert file.read() == b"\0\xff"
        file.seek(1)
        assert file.read() == b"\xff"
    assert os.listdir(root / "a" / "b") == ["c.bin"]


def test_a_file_in_the_working_folder(root, monkeypatch):
    monkeypatch.chdir(root)
    write("plain.txt")
    assert os.listdir(root) == ["plain.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_inside_leaves_nothing(root, error):
    path = root / "new.bin"

    def write_half():
        with storage.open_write(str(path)) as out:
            out.write(b"half")
            out.flush()
            assert not path.exists()
            raise error

    with pytest.raises(error):
        write_half()
    assert os.listdir(root) == []
    write(path, b"old")
    with pytest.raises(error):
        write_half_over(path, error)
    assert path.read_bytes() == b"old"
    assert os.listdir(root) == ["new.bin"]


def write_half_over(path, error):
    with storage.open_write(str(path)) as out:
        out.write(b"half")
        raise error


def test_a_file_is_replaced(root):
    write(root / "a", b"first, longer")
    write(root / "a", b"second")
    assert (root / "a").read_bytes() == b"second"


def test_a_writer_that_closes_the_file_itself(root):
    with storage.open_write(str(root / "a")) as out:
        out.write(b"x")
        out.close()
    assert (root / "a").read_bytes() == b"x"


def test_a_file_in_place_of_a_folder_is_refused(root):
    (root / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write(root / "folder")
    assert os.listdir(root) == ["folder"]


def test_matches_are_sorted_and_tell_size_and_time(root):
    for name in ("b.json", "a.json", "a.txt", "deep/c.json", "deep/er/d.json"):
        write(root / name, name.encode())

    def match(pattern):
        return [os.path.relpath(info.path, root) for info in storage.match(storage.join(storage.escape(str(root)), pattern))]

    assert match("*.json") == ["a.json", "b.json"]
    assert match("**.json") == ["a.json", "b.json", "deep/c.json", "deep/er/d.json"]
    assert match("deep/**") == ["deep/c.json", "deep/er/d.json"]
    assert match("none*") == []
    info = storage.match(storage.escape(str(root / "a.txt")))[0]
    assert (info.size, info.modified) == (5, os.path.getmtime(root / "a.txt"))


def test_exists(root):
    assert storage.exists(str(root))
    assert not storage.exists(str(root / "none"))


def test_what_is_local():
    assert storage.is_local("/tmp/x")
    assert storage.is_local("relative/x")
    assert not storage.is_local("gs://bucket/x")


def test_a_missing_file_is_an_error(root):
    with pytest.raises(OSError, match="none"):
        storage.open_read(str(root / "none"))


def test_json_comes_back_and_is_the_same_bytes_whatever_the_order(root):
    storage.write_json(str(root / "a"), {"b": [1, None, "é"], "a": {}})
    storage.write_json(str(root / "b"), {"a": {}, "b": [1, None, "é"]})
    assert (root / "a").read_bytes() == (root / "b").read_bytes()
    assert storage.read_json(str(root / "a")) == {"a": {}, "b": [1, None, "é"]}


def test_json_that_cannot_be_written_leaves_nothing(root):
    with pytest.raises(TypeError):
        storage.write_json(str(root / "a"), {"a": object()})
    assert os.listdir(root) == []


def test_delete_tree(root):
    for name in ("folder/a", "folder/deep/b", "folder2/c", "file"):
        write(root / name)
    storage.delete_tree(str(root / "folder"))
    storage.delete_tree(str(root / "file"))
    storage.delete_tree(str(root / "never there"))
    assert sorted(os.listdir(root)) == ["folder2"]


def test_delete_tree_takes_a_name_and_no_pattern(root):
    for name in ("a1", "a2", "a?", "a*/x"):
        write(root / name)
    storage.delete_tree(str(root / "a?"))
    assert sorted(os.listdir(root)) == ["a*", "a1", "a2"]
    storage.delete_tree(str(root / "a*"))
    assert sorted(os.listdir(root)) == ["a1", "a2"]


def test_delete_tree_does_not_follow_links(root):
    write(root / "target" / "precious")
    (root / "link").symlink_to(root / "target")
    storage.delete_tree(str(root / "link"))
    assert not (root / "link").exists()
    assert (root / "target" / "precious").exists()


def test_scratch_that_cannot_be_deleted_is_left_and_told(root, monkeypatch, caplog):
    write(root / "_work" / "a")
    storage.discard(str(root / "_work"))
    assert not (root / "_work").exists()
    write(root / "_work" / "a")
    monkeypatch.setattr(storage.shutil, "rmtree", refuse)
    storage.discard(str(root / "_work"))
    assert f"{root / '_work'} is left and can be deleted: not now" in caplog.text


def refuse(path):
    raise OSError("not now")
