"""What the main job makes of the sample, against an answer worked out in plain Python."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import datasets
import duckdb
import oracle
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_seed.records import document_id
from pipelines import cli

VARIANTS = ("file_level", "repo_level")


def rows(run: Path, dataset: str) -> list[dict]:
    found = []
    for path in sorted((run / dataset).glob("*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def names(found: list[dict]) -> set[tuple[str, str]]:
    return {(row["repo"], row["path"]) for row in found}


def passed_rules(run: Path) -> list[oracle.File]:
    """Documents that neither reading, nor language, nor rules rejected, as the oracle's files."""
    gone = {row["id"] for row in rows(run, "rejected") if row["stage"] in ("read", "language", "rules")}
    documents = [row for row in rows(run, "documents") if row["id"] not in gone]
    return [oracle.File(row["repo"], row["path"], row["content"], row["stars"], row["created"]) for row in documents]


@pytest.fixture(scope="module")
def rejected(run: Path) -> list[dict]:
    return rows(run, "rejected")


def test_file_level_keeps_what_plain_python_keeps(run: Path, rejected: list[dict]) -> None:
    expected = oracle.deduplicate_files(passed_rules(run), 0.7)
    later = names([row for row in rejected if row["stage"] in ("syntax", "quality") and row["variant"] in ("both", "file_level")])
    assert names(rows(run, "corpora/file_level")) == expected - later
    assert later < expected


def test_repo_level_keeps_what_plain_python_keeps(run: Path, rejected: list[dict]) -> None:
    files = passed_rules(run)
    kept = oracle.deduplicate_repositories(files, 0.7)
    later = names([row for row in rejected if row["stage"] in ("syntax", "quality") and row["variant"] in ("both", "repo_level")])
    assert names(rows(run, "corpora/repo_level")) == {(file.repo, file.path) for file in files if file.repo in kept} - later
    assert "alpha-copy" in kept, "of two equal repositories the one with more stars is kept"
    assert not kept & {"alpha", "alpha-fork"}


def test_the_lowest_scores_are_dropped(run: Path, rejected: list[dict]) -> None:
    low = {
        (row["repo"], row["path"]): row["measured"] for row in rejected if row["rule"] == "low-quality" and row["variant"] != "repo_level"
    }
    kept = {(row["repo"], row["path"]): row["quality"] for row in rows(run, "corpora/file_level")}
    assert oracle.lowest(low | kept, 0.70) == set(low)
    assert low


def test_every_kind_of_bad_file_is_told(rejected: list[dict], run: Path) -> None:
    told = {row["path"]: row["rule"] for row in rejected if row["repo"] == "bad"}
    assert told["image.png"] == "binary"
    assert told["node_modules/lib/index.js"] == "vendored"
    assert told["unknown.xyz123"] == "unsupported-language"
    assert told["empty.py"] == told["blank.py"] == "empty"
    assert told["generated.py"] == "generated"
    assert told["broken.py"] == "syntax-error"
    assert "unsafe-path" in {row["rule"] for row in rejected if row["repo"] == "beta-1.0"}
    failed = rows(run, "failed")
    assert {"cut", "two"} <= {row["repo"] for row in failed}, "a truncated archive and a line that is not JSON"
    assert all(row["error"] and row["stage"] for row in failed)
    assert ("bad", "latin1.py") in names(rows(run, "documents")), "legacy encodings are decoded"


def test_the_books_close(run: Path, rejected: list[dict]) -> None:
    read = {row["id"] for dataset in ("documents", "rejected", "failed") for row in rows(run, dataset)}
    for variant in VARIANTS:
        kept = [row["id"] for row in rows(run, f"corpora/{variant}")]
        dropped = [row["id"] for row in [*rejected, *rows(run, "failed")] if row["variant"] in (variant, "both")]
        assert sorted(kept + dropped) == sorted(read)
    assert all(invariant["holds"] for invariant in json.loads((run / "manifest.json").read_text())["invariants"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_provenance_is_complete(run: Path, variant: str) -> None:
    scorers = set()
    for row in rows(run, f"corpora/{variant}"):
        assert row["id"] == document_id(row["source"], row["repo"], row["path"])
        assert row["sha256"] == hashlib.sha256(row["content"].encode()).hexdigest()
        assert row["size"] == len(row["content"].encode())
        assert row["language"]
        assert row["cluster_size"] >= 1
        assert 0 <= row["quality"] <= 1
        scorers.add(row["scorer"])
    assert scorers == {json.loads((run / "manifest.json").read_text())["scorer"]}


def test_every_dropped_duplicate_names_a_kept_twin_that_is_as_similar(run: Path, rejected: list[dict]) -> None:
    texts = {row["id"]: row["content"] for row in rows(run, "documents")}
    after_dedup = {(file.repo, file.path) for file in passed_rules(run)} - names(
        [row for row in rejected if row["stage"] in ("exact_dedup", "near_dedup") and row["variant"] == "file_level"]
    )
    twins = [row for row in rejected if row["rule"] in ("exact-duplicate", "near-duplicate")]
    assert {row["rule"] for row in twins} == {"exact-duplicate", "near-duplicate"}
    for row in twins:
        kept = json.loads(row["evidence"])["kept"]
        assert (kept["repo"], kept["path"]) in after_dedup
        similarity = oracle.jaccard(oracle.shingles(texts[row["id"]]), oracle.shingles(texts[kept["id"]]))
        assert similarity >= 0.7
        if row["rule"] == "near-duplicate":
            assert row["measured"] == pytest.approx(similarity, abs=1e-12)


def test_cluster_sizes_add_up(run: Path, rejected: list[dict]) -> None:
    duplicates = [row for row in rejected if row["rule"] in ("exact-duplicate", "near-duplicate")]
    clusters: dict[str, int] = {}
    for row in duplicates:
        cluster = json.loads(row["evidence"])["cluster"]
        clusters[cluster] = clusters.get(cluster, 1) + 1
    for row in rows(run, "corpora/file_level"):
        assert row["cluster_size"] == clusters.get(row["cluster_id"], 1)


def test_a_copy_of_a_dropped_near_duplicate_tells_both(run: Path, rejected: list[dict]) -> None:
    (row,) = [row for row in rejected if row["path"] == "copy_of_a_near_copy.py" and row["variant"] == "file_level"]
    told = json.loads(row["evidence"])
    assert row["rule"] == "exact-duplicate"
    assert (told["via"]["repo"], told["via"]["path"]) == ("alpha-fork", "pkg/module_0.py")
    assert (told["kept"]["repo"], told["kept"]["path"]) == ("alpha-copy", "pkg/module_0.py")
    assert 0.7 <= told["via"]["similarity_to_kept"] < 1


def test_repositories_stay_together(run: Path) -> None:
    seen: list[str] = []
    for row in rows(run, "corpora/repo_level"):
        if not seen or seen[-1] != row["repo"]:
            seen.append(row["repo"])
    assert len(seen) == len(set(seen))
    assert "owner/delta" in seen, "rows of one repository that were scattered over two tables"


def test_other_libraries_read_the_corpora(run: Path, tmp_path: Path) -> None:
    pattern = str(run / "corpora" / "file_level" / "*.parquet")
    expected = len(rows(run, "corpora/file_level"))
    assert duckdb.sql(f"select count(*) from '{pattern}'").fetchall() == [(expected,)]
    assert len(datasets.load_dataset("parquet", data_files=pattern, cache_dir=str(tmp_path), split="train")) == expected
    assert len(pd.read_parquet(run / "corpora" / "file_level")) == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_schema_and_statistics_lie_beside_the_corpus(run: Path, variant: str) -> None:
    folder = run / "corpora" / variant / "_statistics"
    schema = text_format.Parse((folder / "schema.pbtxt").read_text(), schema_pb2.Schema())
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString((folder / "statistics.pb").read_bytes())
    table = pq.read_table(next(folder.parent.glob("*.parquet")))
    assert {feature.name for feature in schema.feature} == set(table.column_names)
    assert statistics.datasets[0].num_examples == len(table)
    size = next(feature for feature in statistics.datasets[0].features if feature.path.step[0] == "size")
    assert size.num_stats.mean == pytest.approx(pc.mean(table["size"]).as_py())


def test_the_report_shows_the_funnel(run: Path) -> None:
    html = (run / "report.html").read_text()
    for word in ("near-duplicate", "syntax-error", "low-quality", "alpha-copy", "<svg"):
        assert word in html
    assert "http://" not in html.replace("http://www.w3.org", ""), "self-contained"


def test_why_tells_the_whole_story(run: Path, rejected: list[dict], capsys: pytest.CaptureFixture[str]) -> None:
    row = next(row for row in rejected if row["rule"] == "near-duplicate")
    assert cli.main(["why", str(run), f"{row['repo']}/{row['path']}"]) == 0
    told = capsys.readouterr().out
    kept = json.loads(row["evidence"])["kept"]
    assert "near-duplicate" in told
    assert kept["path"] in told
    assert f"{row['measured']:.4g}" in told
    assert cli.main(["why", str(run), "alpha/pkg/modul_0.py"]) == 1
    assert "pkg/module_0.py" in capsys.readouterr().err
