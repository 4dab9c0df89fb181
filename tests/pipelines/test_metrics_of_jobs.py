"""What jobs count is what they publish: counters are held against the rows of the datasets.

That the books of every stage close is looked at in every job of this folder's tests (conftest.py).
"""

from __future__ import annotations

from pathlib import Path

import conftest_metrics
import pyarrow.parquet as pq
import pytest

from pipelines import cli

pytestmark = pytest.mark.slow

# Each after those whose output it reads.
JOBS = {
    "score": ["--input={github}", "--drop-lowest=0.3", "--scorer={scorer}"],
    "dedup": ["--input={github}"],
    "sample": ["--input={github}", "--per-language=3"],
    "label": ["--input={sample}"],
    "long-context": ["--input={repositories}", "--files={github}", "--drop-lowest=0", "--min-tokens=10"],
}


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def counted(arguments: list[str], scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict]]:
    """Job -> its output and what it counted."""
    root = tmp_path_factory.mktemp("counted")
    found = {}
    where = {"scorer": scorer, "github": root / "github" / "corpora" / "file_level", "sample": root / "sample"}
    where["repositories"] = root / "github" / "corpora" / "repo_level"
    commands = {"github": arguments} | {job: [each.format(**where) for each in flags] for job, flags in JOBS.items()}
    for job, flags in commands.items():
        assert cli.main([job, *flags, f"--output={root / job}", "--workers=1"]) == 0
        found[job] = root / job, conftest_metrics.COUNTED[-1]
    return found


def parts(counters: dict[str, int]) -> tuple[int, int, int]:
    return counters["kept"], counters["rejected"], counters["failed"]


def test_the_main_job(counted: dict[str, tuple[Path, dict]]) -> None:
    root, told = counted["github"]
    assert set(told) >= {"documents", "measures", "duplicates", "syntax", "scores"}
    for folder, names in (("documents", ["documents"]), ("measures", ["measures"]), ("syntax", ["syntax"]), ("quality", ["scores"])):
        for name in names:
            came = told[name]["kept"] if name == "documents" else told[name]["in"]
            assert came == len(rows(root / folder)), name
    sizes = sum(row["size"] for row in rows(root / "documents"))
    assert told["documents"]["bytes_kept"] == told["measures"]["bytes_in"] == sizes
    early = [
        row for dataset in ("rejected", "failed") for path in (root / dataset).glob("read-*") for row in pq.read_table(path).to_pylist()
    ]
    assert told["documents"]["in"] == told["documents"]["kept"] + len(early)
    for variant in ("file_level", "repo_level"):
        dropped = [row for row in rows(root / "rejected") if row["stage"] != "read" and row["variant"] in (variant, "both")]
        failed = [row for row in rows(root / "failed") if row["stage"] != "read" and row["variant"] in (variant, "both")]
        corpus = rows(root / "corpora" / variant)
        assert parts(told[f"verdicts/{variant}"]) == (len(corpus), len(dropped), len(failed))
        assert told[f"corpora/{variant}"]["bytes_kept"] == sum(row["size"] for row in corpus)
    duplicates = [row for row in rows(root / "rejected") if row["rule"] in ("exact-duplicate", "near-duplicate")]
    assert told["duplicates"]["rejected"] == len(duplicates) > 0


def test_jobs_over_tables(counted: dict[str, tuple[Path, dict]]) -> None:
    root, told = counted["score"]
    dropped = rows(root / "dropped")
    failed = [row for row in dropped if row["error"] is not None]
    assert parts(told["score"]) == (len(rows(root / "kept")), len(dropped) - len(failed), len(failed))
    root, told = counted["dedup"]
    assert parts(told["dedup"]) == (len(rows(root / "kept")), len(rows(root / "dropped")), 0)
    assert told["dedup"]["in"] == len(rows(counted["github"][0] / "corpora" / "file_level"))
    root, told = counted["label"]
    assert parts(told["label"]) == (len(rows(root / "labels")), 0, len(rows(root / "failed")))
    assert told["label"]["in"] == len(rows(counted["sample"][0] / "sample"))
    assert counted["sample"][1]["candidates"]["in"] == counted["score"][1]["score"]["in"]
    root, told = counted["long-context"]
    assert told["long_files"]["kept"] == sum(row["kind"] == "file" for row in rows(root / "corpora" / "long_context"))
    assert told["assemble"]["in"] == len(rows(counted["github"][0] / "corpora" / "repo_level"))
