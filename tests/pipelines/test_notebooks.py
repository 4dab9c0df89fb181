"""``beam-seed notebooks``: every notebook of the input is rendered or told, nothing else is."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from beam_seed.options import UsageError
from pipelines import cli


def book(text: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": text, "outputs": []}], "nbformat": 4}).encode()


FILES = {"doc/a.ipynb": book("x = 1"), "b.IPYNB": book("y = 2"), "c.ipynb": b"{", "d.py": b"z = 3\n", "e.ipynb": b"\x00\x01\x02" * 400}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    (folder / "tree" / "doc").mkdir(parents=True)
    with tarfile.open(folder / "archive-1.0.tar.gz", "w:gz") as archive:
        for name, data in FILES.items():
            (folder / "tree" / name).write_bytes(data)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return folder


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("workers", [1, 2])
def test_notebooks_are_rendered_or_told(packages: Path, tmp_path: Path, workers: int) -> None:
    output = tmp_path / "out"
    command = ["notebooks", f"--input={packages}", f"--output={output}", f"--workers={workers}"]
    assert cli.main(command) == 0
    found = {(row["repo"], row["path"], row["content"], row["language"]) for row in rows(output / "documents")}
    texts = {"doc/a.ipynb": "# %%\nx = 1\n", "b.IPYNB": "# %%\ny = 2\n"}
    assert found == {(repo, path, text, "Jupyter Notebook") for repo in ("archive-1.0", "tree") for path, text in texts.items()}
    for row in rows(output / "documents"):
        assert row["sha256"] == hashlib.sha256(row["content"].encode()).hexdigest()
        assert row["size"] == len(row["content"])
    told = sorted((row["path"], row["stage"], row["rule"]) for row in rows(output / "rejected"))
    assert told == [("c.ipynb", "notebooks", "invalid-json")] * 2 + [("e.ipynb", "read", "binary")] * 2
    assert json.loads((output / "notebooks.json").read_text()) == {"read": 8, "rendered": 4, "rejected": 4, "failed": 0}
    before = (output / "notebooks.json").read_bytes()
    assert cli.main(command) == 0
    assert (output / "notebooks.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output=x"], "--input"),
        (["--input=/nowhere/at/all", "--output=x"], "--input"),
        (["--input=."], "--output"),
        (["--input=.", "--output=x", "--metadata=/nowhere"], "--metadata"),
    ],
)
def test_wrong_flags_are_named(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        cli.main(["notebooks", *arguments])
    assert told in capsys.readouterr().err
