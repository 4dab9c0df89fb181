"""The licence a repository's own packaging metadata declares: a fallback where nobody else tells."""

from __future__ import annotations

import email.parser
import json
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

MAX_METADATA_BYTES = 256 << 10  # a package's description may be its README; its licence stands above it
_MAX_NAME = 100  # longer 'License' fields are the licence's text, not its name


def metadata_paths(paths: Iterable[str]) -> list[str]:
    """Those of a repository's paths that declare its licence, the most authoritative first."""
    found = [(rank, path) for path in paths if (rank := _rank(path)) is not None]
    return [path for _, path in sorted(found)]


def _rank(path: str) -> int | None:
    folder, _, name = path.rpartition("/")
    if name not in _PARSERS:
        return None
    # METADATA lies in the *.dist-info folder of a wheel, the others at the top.
    top = folder.endswith(".dist-info") and "/" not in folder if name == "METADATA" and folder else not folder
    return list(_PARSERS).index(name) if top else None


def declared_license(path: str, data: bytes) -> str:
    """Licence declared by one of ``metadata_paths``: an SPDX expression or a name; '' where it declares none that can be read."""
    try:
        found = _PARSERS[path.rpartition("/")[2]](data)
    except (ValueError, RecursionError, TypeError, AttributeError):
        return ""
    line = " ".join(found.split()) if isinstance(found, str) else ""
    return line if len(line) <= _MAX_NAME and line.upper() not in ("UNKNOWN", "UNLICENSED", "NONE") else ""


def _core_metadata(data: bytes) -> str:
    # Core metadata specification: License-Expression (2.4) replaces License, which replaced the classifiers.
    message = email.parser.BytesHeaderParser().parsebytes(data)
    named = message.get("License-Expression") or message.get("License") or ""
    if named and len(named) <= _MAX_NAME and "\n" not in named.strip() and named.strip().upper() != "UNKNOWN":
        return str(named)
    classifiers = [value for value in message.get_all("Classifier", []) if value.startswith("License ::")]
    return str(classifiers[0]).rpartition("::")[2] if len(classifiers) == 1 else ""


def _package_json(data: bytes) -> Any:
    value = json.loads(data)["license"] if b'"license"' in data else ""
    return value.get("type", "") if isinstance(value, dict) else value


def _cargo_toml(data: bytes) -> Any:
    return tomllib.loads(data.decode()).get("package", {}).get("license", "")


def _pyproject_toml(data: bytes) -> Any:
    value = tomllib.loads(data.decode()).get("project", {}).get("license", "")
    return value.get("text", "") if isinstance(value, dict) else value


_PARSERS: dict[str, Callable[[bytes], Any]] = {
    "METADATA": _core_metadata,
    "PKG-INFO": _core_metadata,
    "pyproject.toml": _pyproject_toml,
    "package.json": _package_json,
    "Cargo.toml": _cargo_toml,
}
