"""A fastText model as a folder: the model, a card that says what it was trained on and how well it does, and a fingerprint."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from beam_seed import storage

CARD, MODEL, README = "card.json", "model.bin", "README.md"


class Package(NamedTuple):
    """A checked folder, its model loaded."""

    model: Any  # fastText's
    card: dict[str, Any]
    fingerprint: str  # 32 hex digits, of the model and of all else that decides a verdict


def write_package(location: str, model: bytes, kind: str, decides: Mapping[str, Any], readme: str, **told: Any) -> str:
    """Write a model's folder; returns the fingerprint. ``decides``: what decides a verdict besides the model; ``told``: the rest."""
    found = _fingerprint(model, kind, decides)
    with storage.open_write(storage.join(location, MODEL)) as out:
        out.write(model)
    with storage.open_write(storage.join(location, README)) as out:
        out.write(readme.encode())
    storage.write_json(storage.join(location, CARD), {"kind": kind, "decides": dict(decides), "fingerprint": found, **told})
    return found


@functools.lru_cache(maxsize=4)  # once for each worker process
def open_package(location: str, kind: str) -> Package:
    """The model in folder ``location``, local or on any file system Beam reads.

    Raises FileNotFoundError where a file is missing, ValueError where the folder holds another kind of model or was changed.
    """
    for name in (CARD, MODEL):
        if not storage.exists(storage.join(location, name)):
            raise FileNotFoundError(f"{location} has no {name}; expected a folder that beam-seed train-{kind} wrote")
    with storage.open_read(storage.join(location, MODEL)) as file:
        data = file.read()
    try:
        card = storage.read_json(storage.join(location, CARD))
        told, decides, found_kind = card["fingerprint"], card["decides"], card["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{location}/{CARD} is no card ({type(error).__name__}: {error}); expected kind, decides, fingerprint") from error
    if found_kind != kind:
        raise ValueError(f"{location} holds a model of kind {found_kind!r}; expected {kind!r}, of beam-seed train-{kind}")
    found = _fingerprint(data, kind, decides)
    if told != found:
        raise ValueError(f"{location} has fingerprint {found} but its {CARD} says {told}; a file was changed or cut off: copy it again")
    return Package(_load(data), card, found)


def _fingerprint(model: bytes, kind: str, decides: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps([kind, decides], sort_keys=True).encode())
    digest.update(model)
    return digest.hexdigest()[:32]


def _load(data: bytes) -> Any:
    import fasttext

    with tempfile.TemporaryDirectory() as folder:  # fastText loads from local paths only
        path = Path(folder) / MODEL
        path.write_bytes(data)
        return fasttext.load_model(str(path))
