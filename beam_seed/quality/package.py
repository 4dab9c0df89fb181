"""A scorer as a directory: what it holds, where it comes from, and the fingerprint that names it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from beam_seed.records import Document

DEFAULT_SCORER = Path(__file__).parent / "default_scorer"

CARD = "scorer.json"
REQUIRED = ("config.json", CARD, "tokenizer.json")

_PREFIX_FIELDS = {"language": "Python", "path": "src/a.py"}  # what a prefix may name, with values to try it out


class InputFormat(NamedTuple):
    """How a document becomes the model's input: ``prefix`` (with ``{language}`` and ``{path}`` filled in), then the content."""

    prefix: str
    max_characters: int  # of the content; the rest is not read, so that a huge file costs no more than a long one
    max_length: int  # tokens, special tokens included; the rest is cut off
    pieces: int = 1  # that longer content is represented by: 1 = its head, else pieces from its start to its end

    def prefix_of(self, language: str, path: str) -> str:
        """The prefix of a document of this language at this path."""
        return self.prefix.format_map({"language": language, "path": path})

    def text(self, document: Document) -> str:
        """What the tokenizer gets of ``document``."""
        return self.prefix_of(document.language, document.path) + excerpt(document.content, self.max_characters, self.pieces)


def excerpt(content: str, max_characters: int, pieces: int) -> str:
    """``content`` if it is short enough, else ``pieces`` pieces of it, evenly spaced, that begin with a line where one is near."""
    if len(content) <= max_characters or pieces == 1:
        return content[:max_characters]
    size = max_characters // pieces
    starts = [(len(content) - size) * number // (pieces - 1) for number in range(pieces)]
    begins = [(start and 1 + content.find("\n", start - 1, start + size // 2)) or start for start in starts]
    return "\n".join(content[begin : begin + size] for begin in begins)


class Package(NamedTuple):
    """A checked scorer directory on this machine."""

    directory: Path
    card: dict[str, Any]  # scorer.json: the input format, what the model was trained on, how well it does
    input: InputFormat
    fingerprint: str  # 32 hex digits, of all that decides a score


def open_package(location: str) -> Package:
    """The scorer at ``location``: a directory, a ``gs://`` prefix, or '' for the one that is shipped.

    Raises FileNotFoundError where a file is missing, ValueError where one does not hold what it should.
    """
    directory = Path(_download(location) if location.startswith("gs://") else location or DEFAULT_SCORER)
    missing = [name for name in REQUIRED if not (directory / name).is_file()]
    if missing or not _weights(directory):
        raise FileNotFoundError(
            f"{directory} has no {' and no '.join(missing or ['*.safetensors'])}; expected a scorer directory with "
            f"{', '.join(REQUIRED)} and model.safetensors, such as beam_seed.trainer.scorer writes"
        )
    card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    form = _input_format(card, directory / CARD)
    found = fingerprint(directory, form)
    if card.get("fingerprint", found) != found:
        raise ValueError(
            f"{directory} has fingerprint {found} but its {CARD} says {card['fingerprint']}; a file was changed or cut off: copy it again"
        )
    return Package(directory, card, form, found)


def write_card(directory: Path, form: InputFormat, **card: Any) -> str:
    """Write scorer.json beside the model and tokenizer in ``directory``, fingerprint included; returns the fingerprint."""
    found = fingerprint(directory, form)
    text = json.dumps({"input": form._asdict(), "fingerprint": found, **card}, indent=1, sort_keys=True, ensure_ascii=False)
    (directory / CARD).write_text(text + "\n", encoding="utf-8")
    return found


def fingerprint(directory: Path, form: InputFormat) -> str:
    """Digest of the input format and of every file that decides a score (configuration, tokenizer, weights), by name and content."""
    # Fields at their defaults are left out, so that a field added one day leaves older scorers their fingerprints.
    given = {name: value for name, value in form._asdict().items() if value != InputFormat._field_defaults.get(name)}
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    for path in sorted([directory / "config.json", directory / "tokenizer.json", *_weights(directory)]):
        with path.open("rb") as file:
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def _weights(directory: Path) -> list[Path]:
    return sorted([*directory.glob("*.safetensors"), *directory.glob("*.safetensors.index.json")])


def _input_format(card: dict[str, Any], path: Path) -> InputFormat:
    try:
        form = InputFormat(**card["input"])
        form.prefix.format_map(_PREFIX_FIELDS)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{path} describes no input ({type(error).__name__}: {error}); expected "
            '{"input": {"prefix": text with {language} and {path}, "max_characters": number, "max_length": number}}'
        ) from error
    if form.max_length < 1 or form.max_characters < 1:
        raise ValueError(
            f"{path} has max_length {form.max_length} and max_characters {form.max_characters}; expected both to be at least 1"
        )
    return form


def _download(url: str) -> Path:
    """Copy the files below ``url`` once; a second call with unchanged objects finds them in the cache.

    transformers reads local directories only. The cache is keyed by the objects' names and checksums, so a changed model is another entry.
    """
    from google.cloud import storage

    bucket, _, prefix = url.removeprefix("gs://").partition("/")
    prefix = prefix.rstrip("/") + "/"
    blobs = [blob for blob in storage.Client().list_blobs(bucket, prefix=prefix) if _wanted(blob.name.removeprefix(prefix))]
    identity = [[blob.name, blob.size, blob.md5_hash or blob.crc32c] for blob in sorted(blobs, key=lambda blob: blob.name)]
    key = hashlib.sha256(json.dumps([bucket, identity]).encode()).hexdigest()[:32]
    target = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beam_seed" / "scorers" / key
    if not target.is_dir():
        _fill(target, ((blob.name.removeprefix(prefix), blob) for blob in blobs))
    return target


def _wanted(name: str) -> bool:
    return name in REQUIRED or ("/" not in name and name.endswith((".safetensors", ".safetensors.index.json")))


def _fill(target: Path, blobs: Iterable[tuple[str, Any]]) -> None:
    # Several worker processes may do this at once: each fills its own folder, and the first rename wins.
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(dir=target.parent)
    try:
        for name, blob in blobs:
            blob.download_to_filename(os.path.join(folder, name))
        os.rename(folder, target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
