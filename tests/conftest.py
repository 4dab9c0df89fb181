"""What tests of several folders share."""

import pytest


@pytest.fixture
def emulated_bucket(monkeypatch):
    """``gs://bucket``, empty, on an emulator on loopback."""
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    port = server._api._httpd.socket.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    # Else Beam spends twenty seconds looking for credentials.
    monkeypatch.setattr("apache_beam.internal.gcp.auth._Credentials._credentials_init", True)
    yield "gs://bucket"
    server.stop()
