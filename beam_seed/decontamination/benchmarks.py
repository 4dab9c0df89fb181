"""Benchmarks as they are published: JSON lines, JSON, CSV, Parquet, or plain files; compressed too.

A benchmark is named as ``PATH`` or ``PATH:field+field``; PATH is a file, a glob or a folder. A table (``.jsonl``, ``.json``, ``.csv``,
``.parquet``) is a benchmark of one item a row, called after its file; any other file is one item of a benchmark called after its folder.
Without fields, all texts of a row are taken, however deeply they are nested, but its name; with fields, those alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from beam_seed import storage
from beam_seed.decontamination.index import Item
from beam_seed.sources.decode import NoText, decode
from beam_seed.sources.decompress import unpack
from beam_seed.sources.repository import Limits

NAMES = ("task_id", "id", "question_id", "instance_id", "name")  # columns that name an item, the first that a row has; else its number

_PACKED = (".gz", ".bz2", ".xz", ".zst")
_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
# A benchmark is held in memory, several times over; LiveCodeBench with its hidden tests, the largest we know, has some gigabytes.
_LIMITS = Limits(unpacked_bytes=8 << 30)


class Benchmark(NamedTuple):
    """One file of a benchmark, and which fields of its rows are taken (none named: all)."""

    name: str
    path: str
    item: str = ""  # of a plain file; '' of a table
    fields: tuple[str, ...] = ()


class BenchmarkError(ValueError):
    """A benchmark that cannot be found or read; the message says what was expected."""


def find_benchmarks(specifications: Sequence[str]) -> list[Benchmark]:
    """The files that each ``PATH[:field+field]`` names, in order of their names. Raises BenchmarkError."""
    found = sorted({benchmark for specification in specifications for benchmark in _find(specification)})
    tables = [benchmark.name for benchmark in found if not benchmark.item]
    # Many are published as FOLDER/test.jsonl: the folder then tells them apart.
    named = [
        each if each.item or tables.count(each.name) < 2 else each._replace(name=f"{_folder(each.path)}/{each.name}") for each in found
    ]
    places = [(each.name, each.item) for each in named]
    for each in named:
        if places.count((each.name, each.item)) > 1:
            raise BenchmarkError(f"two benchmarks are called {each.name!r}, one of them {each.path}; expected each file once, names apart")
    return sorted(named)


def _find(specification: str) -> Iterator[Benchmark]:
    path, fields = specification.rstrip("/"), ""
    found = _files(path)
    if not found and ":" in path.rpartition("/")[2]:  # not the one of gs://
        path, _, fields = path.rpartition(":")
        path = path.rstrip("/")
        found = _files(path)
    folder = not found
    found = found or _files(storage.join(path, "**"))
    if not found:
        raise BenchmarkError(f"no file at {specification!r}; expected PATH or PATH:field+field, PATH a file, a glob or a folder")
    for info in found:
        base, kind = _kind(info.path)
        if kind in _TABLES:
            yield Benchmark(base, info.path, "", tuple(filter(None, fields.split("+"))))
        else:
            inside = info.path[len(path) + 1 :] if folder else info.path.rpartition("/")[2]
            yield Benchmark(path.rpartition("/")[2] if folder else _folder(info.path), info.path, inside)


def _files(pattern: str) -> list[storage.FileInfo]:
    return [info for info in storage.match(pattern) if not (storage.is_local(info.path) and os.path.isdir(info.path))]


def _folder(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _kind(path: str) -> tuple[str, str]:
    """(name without endings, ending) of a file, that of its compression left out."""
    name = path.rpartition("/")[2]
    name = next((name.removesuffix(ending) for ending in _PACKED if name.endswith(ending)), name)
    base, dot, ending = name.rpartition(".")
    return base, dot + ending.lower()


def fingerprint(benchmarks: Sequence[Benchmark]) -> str:
    """A digest of names, fields and contents: 64 hex digits; '' of none."""
    digest = hashlib.sha256()
    for each in benchmarks:
        content = hashlib.sha256()
        with storage.open_read(each.path) as file:
            while chunk := file.read(1 << 20):
                content.update(chunk)
        digest.update(json.dumps([each.name, each.item, each.fields, content.hexdigest()]).encode())
    return digest.hexdigest() if benchmarks else ""


def read_benchmark(benchmark: Benchmark) -> Iterator[Item]:
    """The fields of a benchmark's items. Raises BenchmarkError where it cannot be read, or where no row has a field that is named."""
    try:
        data = _read(benchmark.path)
        if benchmark.item:
            text = decode(data)
            if not isinstance(text, NoText):  # a picture among a benchmark's files has no words
                yield Item(benchmark.name, benchmark.item, text.content)
            return
        yield from _items(benchmark, list(_rows(data, _kind(benchmark.path)[1])))
    except BenchmarkError:
        raise
    except (ValueError, OSError, EOFError, csv.Error, pa.ArrowException, RecursionError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise BenchmarkError(f"{benchmark.path} cannot be read as a benchmark: {told}; expected JSON lines, JSON, CSV or Parquet") from None


def _read(path: str) -> bytes:
    size = storage.match(storage.escape(path))[0].size
    with storage.open_read(path) as file:
        return b"".join(unpack(file, _LIMITS, size))


def _rows(data: bytes, kind: str) -> Iterator[Any]:
    if kind == ".parquet":
        yield from pq.read_table(pa.BufferReader(data)).to_pylist()
    elif kind == ".csv":
        csv.field_size_limit(1 << 30)  # a field of a benchmark may be a file
        yield from csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    else:
        text = data.decode("utf-8-sig")
        try:
            yield from (json.loads(line) for line in text.split("\n") if line.strip())
        except json.JSONDecodeError:
            if kind != ".json":
                raise
            value = json.loads(text)
            yield from value if isinstance(value, list) else [value]


def _items(benchmark: Benchmark, rows: list[Any]) -> Iterator[Item]:
    if rows and (len(rows) == 1 and isinstance(rows[0], list)):  # a JSON list on one line
        rows = rows[0]
    if missing := [name for name in benchmark.fields if not any(isinstance(row, dict) and name in row for row in rows)]:
        known = sorted(rows[0]) if rows and isinstance(rows[0], dict) else []
        raise BenchmarkError(f"{benchmark.path} has no field {missing[0]!r}; found {known}; expected PATH:field+field of these")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BenchmarkError(f"row {number} of {benchmark.path} is a {type(row).__name__}; expected an object of named fields")
        naming = next((name for name in NAMES if isinstance(row.get(name), str | int)), "")
        taken = benchmark.fields or [name for name in row if name != naming]
        texts = [text for name in taken for text in _texts(row.get(name))]
        for text in texts or [""]:  # an item without text is counted too
            yield Item(benchmark.name, str(row[naming]) if naming else str(number), text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
