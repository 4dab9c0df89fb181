"""``gs://`` against an emulator on loopback."""

import hashlib

import pytest

from beam_seed import storage

server_module = pytest.importorskip("gcp_storage_emulator.server")


@pytest.fixture
def root(monkeypatch):
    server = server_module.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    port = server._api._httpd.socket.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    # Else Beam spends twenty seconds looking for credentials.
    monkeypatch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", True)
    yield "gs://bucket/root"
    server.stop()


def write(path, data=b"x"):
    with storage.open_write(path) as out:
        out.write(data)


def names(root, pattern="**"):
    return [info.path.removeprefix(root + "/") for info in storage.match(storage.join(root, pattern))]


def test_objects_are_written_read_and_matched(root):
    for name in ("a.json", "deep/b.json", "deep/er/c.json"):
        write(storage.join(root, name), name.encode())
    with storage.open_read(storage.join(root, "deep/b.json")) as file:
        assert file.read() == b"deep/b.json"
        file.seek(5)
        assert file.read(1) == b"b"
    assert names(root) == ["a.json", "deep/b.json", "deep/er/c.json"]
    assert names(root, "deep/*.json") == ["deep/b.json"]
    assert storage.exists(storage.join(root, "a.json"))
    assert not storage.exists(storage.join(root, "none"))
    storage.write_json(storage.join(root, "a.json"), {"a": 1})
    assert storage.read_json(storage.join(root, "a.json")) == {"a": 1}


def write_half(path, size):
    with storage.open_write(path) as out:
        out.write(b"h" * size)
        raise ValueError("inside")


@pytest.mark.parametrize("size", [10, 40 << 20])  # within the first chunk of an upload, and beyond it
def test_an_exception_inside_leaves_what_was_there(root, size):
    with pytest.raises(ValueError, match="inside"):
        write_half(storage.join(root, "new"), size)
    assert names(root) == []
    write(storage.join(root, "old"), b"old")
    with pytest.raises(ValueError, match="inside"):
        write_half(storage.join(root, "old"), size)
    with storage.open_read(storage.join(root, "old")) as file:
        assert file.read() == b"old"


def test_delete_tree(root):
    for name in ("dir/a", "dir/deep/b", "dir2/c", "dirx", "a*", "ab"):
        write(storage.join(root, name))
    storage.delete_tree(storage.join(root, "dir"))
    storage.delete_tree(storage.join(root, "none"))
    storage.delete_tree(storage.join(root, "a*"))
    assert names(root) == ["ab", "dir2/c", "dirx"]


def test_move_takes_the_place_of_what_is_there(root):
    write(storage.join(root, "new"), b"new")
    write(storage.join(root, "dir/old"), b"old")
    storage.move(storage.join(root, "new"), storage.join(root, "dir/old"))
    assert names(root) == ["dir/old"]
    assert storage.digest(storage.join(root, "dir/old")) == (3, hashlib.sha256(b"new").hexdigest())
