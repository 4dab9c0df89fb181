"""What tests of several folders share."""

import hashlib
import time
from collections import Counter
from functools import partial

import pytest


class Faults:
    """What a share of the requests to the bucket meets. Which ones depends on the seed, the request and how often it was made."""

    KINDS = ("busy", "unavailable", "reset", "answer lost", "cut off", "slow")

    def __init__(self):
        self.share = 0.0
        self.seed = 0
        self.kinds = self.KINDS
        self.injected = Counter()  # (kind, method)
        self._seen = Counter()

    def next(self, method, path):
        """The fault that this request meets, or ''."""
        # An upload's id is drawn at random.
        name = f"{method} {path.partition('upload_id=')[0]}"
        self._seen[name] += 1
        draw = hashlib.sha256(f"{self.seed} {name} {self._seen[name]}".encode()).digest()
        if int.from_bytes(draw[:4]) >= self.share * 2**32:
            return ""
        kind = self.kinds[draw[4] % len(self.kinds)]
        self.injected[kind, method] += 1
        return kind


def _faulty(handler, faults):
    """The emulator's class of handlers, with faults."""
    finished = {}

    class Lost:
        """Takes an answer of which nothing leaves, or its head and half of its body."""

        def __init__(self, file, half):
            self._file, self._half = file, half
            self.whole = b""

        def write(self, data):
            if self._half:
                self._file.write(data[: len(data) // 2] if b"\r\n\r\n" in self.whole else data)
            self.whole += data

        def __getattr__(self, name):
            return getattr(self._file, name)

    class Faulty(handler):
        def _answer(self, method, answer):
            if self.path in finished:
                # As Cloud Storage does, and the emulator does not: an upload that is over tells so again.
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.wfile.write(finished[self.path])
                self.close_connection = True
                return
            kind = faults.next(method, self.path)
            if kind in ("busy", "unavailable", "reset"):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.close_connection = True
                if kind != "reset":
                    self.send_error(429 if kind == "busy" else 503)
                return
            if kind == "slow":
                time.sleep(0.05)
            if kind in ("answer lost", "cut off"):
                self.wfile = Lost(self.wfile, half=kind == "cut off")
                self.close_connection = True
            answer()
            if isinstance(self.wfile, Lost) and "upload_id=" in self.path and b" 200 " in self.wfile.whole.partition(b"\r\n")[0]:
                finished[self.path] = self.wfile.whole

        def do_GET(self):  # noqa: N802
            self._answer("GET", super().do_GET)

        def do_POST(self):  # noqa: N802
            self._answer("POST", super().do_POST)

        def do_PUT(self):  # noqa: N802
            self._answer("PUT", super().do_PUT)

        def do_DELETE(self):  # noqa: N802
            self._answer("DELETE", super().do_DELETE)

        def do_PATCH(self):  # noqa: N802
            self._answer("PATCH", super().do_PATCH)

    return Faulty


@pytest.fixture
def bucket_faults():
    """Set ``share``, and that share of the requests to ``emulated_bucket`` meets a fault."""
    return Faults()


@pytest.fixture
def emulated_bucket(monkeypatch, tmp_path, bucket_faults):
    """``gs://bucket``, empty, on an emulator on loopback."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    httpd = server._api._httpd
    httpd.RequestHandlerClass = partial(_faulty(emulator.RequestHandler, bucket_faults), server._storage)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{httpd.socket.getsockname()[1]}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "_home_cache"))  # scorers are copied to it
    # Else Beam spends twenty seconds looking for credentials.
    monkeypatch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", True)
    yield "gs://bucket"
    server.stop()
