"""Helpers shared by the tests of reading: records by kind, and the invariant that each member is accounted for once."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from beam_seed.records import Document, Failed, Judgement, Rejected
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits
from beam_seed.sources.units import list_units


class Records(list):
    """The records of one unit with their checks."""

    @property
    def documents(self) -> dict[str, Document]:
        return {record.path: record for record in self if isinstance(record, Document)}

    @property
    def rules(self) -> list[tuple[str, str]]:
        return [(record.path, record.rule) for record in self if isinstance(record, Rejected)]

    @property
    def failures(self) -> list[tuple[str, str]]:
        return [(record.path, record.error) for record in self if isinstance(record, Failed)]

    @property
    def contents(self) -> dict[str, str]:
        return {path: document.content for path, document in self.documents.items()}


def check_records(records: Iterable[Judgement], ordered: bool = True, unique: bool = True) -> Records:
    """What holds of any records: unique ids, in order of path, valid Unicode, sizes and digests of the content."""
    checked = Records(records)
    paths = [record.path.encode() for record in checked]
    assert not ordered or paths == sorted(paths)
    assert not unique or len({record.id for record in checked}) == len(checked)
    for record in checked:
        for value in record:
            if isinstance(value, str):
                value.encode()
        if isinstance(record, Document):
            assert record.size == len(record.content.encode())
            assert record.sha256 == hashlib.sha256(record.content.encode()).hexdigest()
        else:
            assert record.stage == "read"
    return checked


@pytest.fixture
def records_of() -> Callable[..., Records]:
    """Collects records and checks what holds of any."""
    return check_records


@pytest.fixture
def read_path() -> Callable[..., Records]:
    """Reads an input that is one unit, and checks what holds of any records."""

    def read(path: Path, limits: Limits | None = None) -> Records:
        (unit,) = list_units(str(path))
        return check_records(read_unit(unit, limits))

    return read


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., bytes]:
    """Runs git in a folder, without the machine's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "a"), ("EMAIL", "a@b.c"))},
        "GIT_ALLOW_PROTOCOL": "file",
    }

    def run(folder: Path, *arguments: str | bytes, stdin: bytes = b"") -> bytes:
        command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=True).stdout

    return run
