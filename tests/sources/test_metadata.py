"""Repository metadata: formats, names, errors."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.sources.metadata import MetadataIndex, RepoMetadata, load_metadata

ROWS = [
    {"repo": "a/x", "stars": 5, "forks": 1, "license": "MIT", "created_at": "2020-01-01"},
    {"repo": "b/y", "stars": None, "forks": None, "license": None, "created_at": None},
]
ENTRIES = {"a/x": RepoMetadata("a/x", 5, 1, "MIT", "2020-01-01"), "b/y": RepoMetadata("b/y", None, None, "", "")}


@pytest.mark.parametrize("name", ["m.jsonl", "m.json.gz", "m.csv", "m.parquet"])
def test_every_format(tmp_path: Path, name: str) -> None:
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    path = tmp_path / name
    if name == "m.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif name == "m.csv":
        path.write_text("repo,stars,forks,license,created_at\na/x,5,1,MIT,2020-01-01\nb/y,,,,\n")
    else:
        path.write_bytes(gzip.compress(lines) if name.endswith("gz") else lines)
    assert load_metadata(str(path)) == ENTRIES


def test_as_the_forge_writes_it(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "name": "x",
        "full_name": "a/x",
        "stargazers_count": 3,
        "forks_count": 2,
        "license": {"spdx_id": "MIT", "name": "MIT License"},
    }
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    assert load_metadata(str(tmp_path / "m.jsonl")) == {"a/x": RepoMetadata("a/x", 3, 2, "MIT", "")}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{bad", "line 2: JSONDecodeError.*expected one JSON object per line"),
        ("[]", "line 2: expected a JSON object, found list"),
        ('{"stars": 1}', "line 2: no repository name; expected one of full_name, repo, repo_name, name, found stars"),
        ('{"repo": "q", "stars": "many"}', "line 2: stars is 'many', expected a count"),
        ('{"repo": "q", "license": 5}', "line 2: license is int, expected text"),
        ('{"repo": "a/x"}', "line 2: 'a/x' is there twice; keep one line per repository"),
    ],
)
def test_malformed_lines_are_errors(tmp_path: Path, line: str, error: str) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + line)
    with pytest.raises(ValueError, match=error):
        load_metadata(str(tmp_path / "m.jsonl"))


def test_how_names_match() -> None:
    entries = {name: RepoMetadata(name, index, None, "", "") for index, name in enumerate(["a/X", "b/y", "c/y", "d/z", "z"])}
    index = MetadataIndex(entries)
    found = {
        name: known and known.repo for name in ["a/X", "x", "other/X", "y", "b/y", "z", "Z", "nothing", ""] for known in [index.find(name)]
    }
    assert found == {"a/X": "a/X", "x": "a/X", "other/X": None, "y": None, "b/y": "b/y", "z": "z", "Z": None, "nothing": None, "": None}
