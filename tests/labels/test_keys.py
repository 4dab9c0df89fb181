"""Where keys come from; Secret Manager is a gRPC server on loopback that speaks its protocol."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from beam_seed.labels.keys import DEFAULT_KEY, MissingKeyError, read_key

VERSION = "projects/p/secrets/s/versions/1"


@pytest.fixture
def secrets(monkeypatch):
    held = {VERSION: b"sk-from-secret\n"}

    def access(request, context):
        if request.name not in held:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} not found")
        return secretmanager.AccessSecretVersionResponse(name=request.name, payload={"data": held[request.name]})

    handler = grpc.unary_unary_rpc_method_handler(
        access,
        secretmanager.AccessSecretVersionRequest.deserialize,
        secretmanager.AccessSecretVersionResponse.serialize,
    )
    service = "google.cloud.secretmanager.v1.SecretManagerService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"AccessSecretVersion": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    make = secretmanager.SecretManagerServiceClient
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    transport = SecretManagerServiceGrpcTransport(channel=channel)
    monkeypatch.setattr(secretmanager, "SecretManagerServiceClient", lambda: make(transport=transport))
    yield held
    channel.close()
    server.stop(None)


def test_a_secret_goes_before_the_environment(secrets, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-from-environment")
    assert read_key("MY_KEY") == "sk-from-environment"
    assert read_key("MY_KEY", VERSION) == "sk-from-secret"


def test_a_secret_that_is_not_there(secrets):
    with pytest.raises(Exception, match="not found"):
        read_key("MY_KEY", "projects/p/secrets/s/versions/2")


def test_the_default_variable_may_be_missing_and_no_other(monkeypatch):
    monkeypatch.delenv(DEFAULT_KEY, raising=False)
    assert read_key(DEFAULT_KEY) == ""
    with pytest.raises(MissingKeyError, match="'MY_OTHER_KEY' holds no key"):
        read_key("MY_OTHER_KEY")


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\r\nX: y", "sk-é"])
def test_what_can_be_no_key_is_refused_without_being_told(monkeypatch, key):
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(MissingKeyError, match="no key has") as raised:
        read_key("MY_KEY")
    assert "sk-" not in str(raised.value)
