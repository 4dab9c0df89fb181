"""Sampling against an oracle in plain Python, and what it must not depend on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.labels import sample_transforms
from beam_seed.labels.allocation import Quotas, load_allocation, presets
from beam_seed.labels.sample import Candidate, draw_sample, merge_pools, pools
from beam_seed.labels.sample_transforms import ChooseFiles, SampleFiles
from beam_seed.labels.tables import UnreadableTableError
from beam_seed.languages.registry import LANGUAGES
from beam_seed.records import document_id
from beam_seed.trainer.labels import project_of

EXTENSIONS = {"Python": "py", "Ruby": "rb", "Go": "go"}


def rows(count: int) -> list[dict[str, str]]:
    """Files of three languages in few projects; every seventh is a copy of the one before it."""
    names = list(EXTENSIONS)
    made = []
    for n in range(count):
        language = names[n % 3 if n % 5 else 0]
        content = f"text {n - 1 if n % 7 == 6 else n}\n"
        made.append({"repo": f"project{n % 4}-1.{n % 2}", "path": f"{n}.{EXTENSIONS[language]}", "content": content, "language": language})
    return made


def write(folder: Path, parts: list[list[dict[str, str]]], columns=("repo", "path", "content", "language")) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for n, part in enumerate(parts):
        table = pa.table({name: pa.array([row[name] for row in part], pa.string()) for name in columns})
        pq.write_table(table, folder / f"{n}.parquet", row_group_size=10)
    return sorted(map(str, folder.iterdir()))


def expected(made, quotas: Quotas, seed: int = 0, per_project: int = 0) -> set[tuple[str, str]]:
    """The sample by sorting everything."""

    def drawn(row):
        identity = document_id("", row["repo"], row["path"])
        return hashlib.blake2b(identity.encode(), digest_size=16, key=str(seed).encode()).digest()

    taken, contents, projects, languages = set(), set(), Counter(), Counter()
    for row in sorted(made, key=drawn):
        project = row["language"], project_of(row["repo"])
        if row["content"] in contents or not quotas.of(row["language"]):
            continue  # files that are not asked for do not stand for copies of theirs that are
        contents.add(row["content"])
        if languages[row["language"]] < quotas.of(row["language"]) and not (per_project and projects[project] >= per_project):
            taken.add((row["repo"], row["path"]))
            projects[project] += 1
            languages[row["language"]] += 1
    return taken


def names(table: pa.Table) -> set[tuple[str, str]]:
    return set(zip(table["repo"].to_pylist(), table["path"].to_pylist(), strict=True))


@pytest.mark.parametrize("quotas", [Quotas({}, 12), Quotas({"Python": 30, "Go": 3, "Zig": 5}, 0), Quotas({}, 10_000)])
@pytest.mark.parametrize("per_project", [0, 2])
def test_the_sample_is_the_smallest_draws(tmp_path, quotas, per_project):
    made = rows(200)
    files = write(tmp_path / "in", [made[:90], made[90:]])
    want = expected(made, quotas, 3, per_project)
    table = draw_sample(files, quotas, 3, per_project)
    assert names(table) == want
    assert len(table) == len(want)
    documents = files | SampleFiles(quotas, 3, per_project)
    assert {(document.repo, document.path) for document in documents} == want
    by_path = {row["path"]: row["content"] for row in made}
    assert all(document.content == by_path[document.path] for document in documents)
    assert all(document.sha256 == hashlib.sha256(document.content.encode()).hexdigest() for document in documents)


def test_order_and_partitioning_do_not_matter_and_the_seed_does(tmp_path):
    made = rows(150)
    quotas = Quotas({}, 10)
    one = draw_sample(write(tmp_path / "one", [made]), quotas)
    many = draw_sample(write(tmp_path / "many", [made[n::9][::-1] for n in range(9)]), quotas)
    assert sorted(one.to_pylist(), key=str) == sorted(many.to_pylist(), key=str)
    assert names(draw_sample(write(tmp_path / "one", [made]), quotas, seed=1)) != names(one)


def test_a_language_that_is_not_told_is_detected_and_told_digests_spare_the_text(tmp_path):
    made = rows(60)
    told = draw_sample(write(tmp_path / "told", [made]), Quotas({}, 5))
    detected = draw_sample(write(tmp_path / "detected", [made], ("repo", "path", "content")), Quotas({}, 5))
    assert detected == told
    again = tmp_path / "again"
    again.mkdir()
    pq.write_table(told, again / "0.parquet")
    assert names(draw_sample([str(again / "0.parquet")], Quotas({}, 5))) == names(told)


CANDIDATES = st.builds(
    lambda n, content, project, language: Candidate(bytes([n]) * 16, bytes([content]) * 16, bytes([project]) * 8, language, "f", n),
    st.integers(0, 255),
    st.integers(0, 40),
    st.integers(0, 3),
    st.sampled_from("AB"),
)


@given(st.lists(CANDIDATES, max_size=60, unique_by=lambda each: each.row), st.integers(1, 8), st.integers(0, 3), st.integers(1, 5))
def test_pools_of_parts_merge_to_the_pool_of_the_whole(found, files, per_project, parts):
    quotas = Quotas({}, files)
    whole = pools(found, quotas, per_project)
    split = defaultdict(list)
    for part in range(parts):  # copies of one content are in one part, as the shuffle brings them together
        for language, pool in pools([each for each in found if each.content[0] % parts == part], quotas, per_project).items():
            split[language].append(pool)
    assert {language: merge_pools(each, per_project) for language, each in split.items()} == whole
    merged = {language: merge_pools([merge_pools(each[:1], per_project), *each[1:][::-1]], per_project) for language, each in split.items()}
    assert merged == whole


def test_the_books_of_a_sample_close(tmp_path):
    made = rows(100)
    odd = [
        {"repo": "r", "path": "", "content": "x", "language": "Go"},
        {"repo": "r", "path": "empty.go", "content": "", "language": "Go"},
        {"repo": "r", "path": "none.xyz", "content": "x", "language": ""},
        {"repo": "r", "path": "z.zig", "content": "zig", "language": "Zig"},
    ]
    files = write(tmp_path / "in", [made, odd])
    with beam.Pipeline("FnApiRunner") as pipeline:
        chosen = pipeline | beam.Create(files) | ChooseFiles(Quotas({"Python": 10, "Go": 999, "Zig": 1, "C": 4}, 0))
        chosen.summary | beam.Map(lambda found: (tmp_path / "summary.json").write_text(json.dumps(found)))
    summary = json.loads((tmp_path / "summary.json").read_text())
    passed_over = summary["not_sampled"]
    assert summary["rows"] == 104 == summary["available"] + sum(passed_over.values())
    assert (passed_over["unusable"], passed_over["without_language"]) == (2, 1)
    assert passed_over["not_asked"] == sum(row["language"] == "Ruby" for row in made)
    assert summary["languages"]["C"] == {"asked": 4, "available": 0, "taken": 0}
    assert summary["languages"]["Zig"] == {"asked": 1, "available": 1, "taken": 1}
    assert summary["languages"]["Python"]["taken"] == 10
    go = {row["content"] for row in made if row["language"] == "Go"}
    assert 0 < summary["languages"]["Go"]["taken"] <= len(go)


def test_across_processes(tmp_path, monkeypatch):
    made = rows(120)
    files = write(tmp_path / "in", [made[n::3] for n in range(3)])
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        documents = pipeline | beam.Create(files) | SampleFiles(Quotas({}, 9))
        documents | beam.Map(lambda document: f"{document.repo}\t{document.path}") | beam.io.WriteToText(str(tmp_path / "out"))
    found = {tuple(line.split("\t")) for path in tmp_path.glob("out*") for line in path.read_text().splitlines()}
    assert found == expected(made, Quotas({}, 9))


def test_small_batches_and_shards_change_nothing(tmp_path, monkeypatch):
    files = write(tmp_path / "in", [rows(80)])
    monkeypatch.setattr(sample_transforms, "_BATCH", 7)
    monkeypatch.setattr(sample_transforms, "SHARD_ROWS", 4)
    assert {(each.repo, each.path) for each in files | SampleFiles(Quotas({}, 9))} == expected(rows(80), Quotas({}, 9))


def test_hostile_tables(tmp_path):
    good = Path(write(tmp_path / "in", [rows(50)])[0])
    data = good.read_bytes()
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(data[:40] + b"\xff" * 60 + data[100:])
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(data[: len(data) // 2])
    binary = tmp_path / "binary.parquet"
    pq.write_table(pa.table({"repo": ["r"], "path": ["p"], "content": [b"x"]}), binary)
    digest = tmp_path / "digest.parquet"
    pq.write_table(pa.table({"repo": ["r"], "path": ["p"], "content": ["x"], "language": ["Go"], "sha256": ["?"]}), digest)
    for path, told in ((damaged, "cannot be read"), (cut, "cannot be read"), (binary, "expected text")):
        with pytest.raises(UnreadableTableError, match=told):
            draw_sample([str(path)], Quotas({}, 5))
    with pytest.raises(ValueError, match="expected 64 hex digits"):
        draw_sample([str(digest)], Quotas({}, 5))


def test_the_preset_is_the_recipe_s():
    allocation = load_allocation("seed-coder")
    assert presets() == ["seed-coder"]
    assert sum(allocation.values()) == 222_066
    assert len(allocation) == 21
    assert (allocation["Python"], allocation["Markdown"], allocation["RMarkdown"]) == (26_924, 8_845, 6_875)
    others = [count for name, count in allocation.items() if name not in ("Python", "Markdown", "RMarkdown")]
    assert max(others) - min(others) <= 1
    assert set(allocation) <= {language.name for language in LANGUAGES}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Pyton: 3", "expected 'Python'"),
        ("Python: 0", "above 0"),
        ("Python: many", "above 0"),
        ("Python: true", "above 0"),
        ("- Python", "holds list"),
        ("", "holds NoneType"),
        ("{", "neither YAML nor JSON"),
    ],
)
def test_allocations_that_cannot_be(tmp_path, text, told):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=told):
        load_allocation(str(tmp_path / "a.yaml"))


def test_an_allocation_of_json(tmp_path):
    (tmp_path / "a.json").write_text('{"C++": 3}')
    assert load_allocation(str(tmp_path / "a.json")) == {"C++": 3}
    with pytest.raises(ValueError, match="no allocation 'seed'; expected one of seed-coder"):
        load_allocation("seed")


@pytest.mark.parametrize("values", [{"quotas": Quotas({}, 0)}, {"quotas": Quotas({}, 1), "per_project": -1}])
def test_bad_parameters(values):
    with pytest.raises(ValueError, match="expected"):
        ChooseFiles(**values)
