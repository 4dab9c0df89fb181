"""Keys of endpoints: read where they are needed, from the environment or Secret Manager, and told nowhere."""

from __future__ import annotations

import os
import re

DEFAULT_KEY = "OPENAI_API_KEY"

_PRINTABLE = re.compile(r"[!-~]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


def check_variable(name: str) -> None:
    """Raise ValueError, without repeating it, where ``name`` may be a key that was given instead of a variable's name."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError("api_key_env is no name of an environment variable in capitals; expected a name such as OPENAI_API_KEY, not a key")


class MissingKeyError(ValueError):
    """There is no key where one should be."""


def read_key(env: str, secret: str = "") -> str:
    """The key in Secret Manager's version ``secret``, else in the environment variable ``env``.

    '' where only the default variable is named and it is not set: servers of one's own often want no key. Raises MissingKeyError where
    another variable is not set, or where what is there can be no key.
    """
    key = _secret(secret) if secret else os.environ.get(env, "").strip()
    where = f"secret {secret!r}" if secret else f"environment variable {env!r}"
    if not key and (secret or env != DEFAULT_KEY):
        raise MissingKeyError(f"{where} holds no key; expected it to be set where the workers run")
    if key and not _PRINTABLE.fullmatch(key):
        raise MissingKeyError(f"{where} holds spaces or other characters that no key has")
    return key


def _secret(name: str) -> str:
    from google.cloud import secretmanager

    client = secretmanager.SecretManagerServiceClient()
    return str(client.access_secret_version(name=name).payload.data.decode()).strip()
