"""``gs://`` against a small server on loopback that speaks the two calls of the storage API we make."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from beam_seed.quality.package import open_package


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    objects: dict[str, bytes] = {}
    downloads: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlparse(self.path)
            if url.path == "/storage/v1/b/bucket/o":
                prefix = parse_qs(url.query)["prefix"][0]
                items = [self.describe(name) for name in sorted(objects) if name.startswith(prefix)]
                return self.answer(json.dumps({"items": items}).encode(), "application/json")
            name = unquote(url.path.rsplit("/o/", 1)[1])
            downloads.append(name)
            return self.answer(objects[name], "application/octet-stream")

        def describe(self, name):
            md5 = base64.b64encode(hashlib.md5(objects[name]).digest()).decode()
            link = f"http://{self.headers['Host']}/download/storage/v1/b/bucket/o/{name.replace('/', '%2F')}?alt=media"
            return {"name": name, "bucket": "bucket", "size": str(len(objects[name])), "md5Hash": md5, "mediaLink": link}

        def answer(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield objects, downloads
    server.shutdown()
    server.server_close()


def fill(objects, directory):
    objects |= {f"models/a/{path.name}": path.read_bytes() for path in directory.iterdir()}
    objects["models/a/notes/big.safetensors"] = objects["models/a/README.md"] = objects["models/ab/config.json"] = b"not ours"


@pytest.mark.parametrize("url", ["gs://bucket/models/a", "gs://bucket/models/a/"])
def test_a_scorer_is_copied_once(bucket, scorer_directory, url):
    objects, downloads = bucket
    fill(objects, scorer_directory)
    package = open_package(url)
    assert package.fingerprint == open_package(str(scorer_directory)).fingerprint
    assert len(downloads) == 4
    assert open_package(url).directory == package.directory
    assert len(downloads) == 4
    assert [path.name for path in package.directory.parent.iterdir()] == [package.directory.name]


def test_a_changed_scorer_is_copied_again(bucket, scorer_directory, tmp_path, make_scorer):
    objects, _ = bucket
    fill(objects, scorer_directory)
    before = open_package("gs://bucket/models/a")
    other = tmp_path / "other"
    other.mkdir()
    fill(objects, make_scorer(other, seed=5))
    after = open_package("gs://bucket/models/a")
    assert after.fingerprint == open_package(str(other)).fingerprint != before.fingerprint


def test_nothing_there(bucket):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        open_package("gs://bucket/models/none")


def test_a_copy_that_breaks_off_leaves_nothing_behind(bucket, scorer_directory, tmp_path, monkeypatch):
    objects, _ = bucket
    fill(objects, scorer_directory)

    def cut_off(blob, name):
        raise OSError("cut off")

    monkeypatch.setattr("google.cloud.storage.Blob.download_to_filename", cut_off)
    with pytest.raises(OSError, match="cut off"):
        open_package("gs://bucket/models/a")
    assert list((tmp_path / "cache" / "beam_seed" / "scorers").iterdir()) == []
