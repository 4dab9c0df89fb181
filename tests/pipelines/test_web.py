"""beam-seed web through its command line: made-up archives, hostile ones among them, to a corpus whose every page is accounted for."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import web_input
import yaml

from beam_seed.fasttext_model.package import write_package
from beam_seed.fasttext_model.training import Line, Settings, train
from beam_seed.web.categories import DEFAULT_TABLE
from beam_seed.web.relevance import KIND, OTHER, RELEVANT, TextFormat
from beam_seed.web.url import canonicalise
from pipelines import cli, web, why


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A relevance model that tells the words of the two kinds of pages apart."""
    text = TextFormat()
    lines = [
        Line(f"h{number}", label, text.line("", web_input.text(kind, f"training {number}")))
        for number in range(60)
        for kind, label in (("code", RELEVANT), ("plain", OTHER))
    ]
    _, data = train(lines, Settings(epochs=10))
    folder = tmp_path_factory.mktemp("model")
    write_package(str(folder), data, KIND, {"text": text._asdict(), "threshold": 0.5}, "# made up\n")
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Nothing is dropped for its score, and everything is sampled: every other reason can be told apart."""
    return write_table(tmp_path_factory.mktemp("table") / "all.yaml", lambda name: {"drop_lowest": 0.0, "sampling_rate": 1.0})


def write_table(path, change, **more):
    value = yaml.safe_load(DEFAULT_TABLE.read_text())
    for name, policy in value["categories"].items():
        for field in ("drop_lowest", "threshold"):
            policy.pop(field, None)
        policy.update(change(name))
    path.write_text(yaml.safe_dump(value | more))
    return path


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    return folder, web_input.make_archives(folder)


@pytest.fixture(scope="module")
def arguments(archives, model, table, scorer):
    return [f"--input={archives[0]}/*.warc.gz", f"--relevance={model}", f"--categories={table}", f"--scorer={scorer}"]


@pytest.fixture(scope="module")
def run(arguments, tmp_path_factory):
    output = tmp_path_factory.mktemp("web") / "output"
    assert web.main([*arguments, f"--output={output}", "--workers=1"]) == 0
    return output


def read(root, dataset):
    # By hand: pyarrow reads folders' names as values otherwise.
    files = sorted(path for path in (root / dataset).glob("*.parquet"))
    return ds.dataset(files).to_table() if files else pa.table({})


def fates(root):
    """(archive, repo, path) -> what became of every capture, from the run's datasets."""
    found = []
    for dataset, outcome in (("corpora/web", "kept"), ("rejected", None), ("failed", "failed")):
        for row in read(root, dataset).to_pylist():
            found.append((Path(row["source"]).name, row["repo"], row["path"], outcome or row["rule"]))
    return Counter(found)


def expected(told):
    found = []
    for capture in told:
        try:
            host, path = canonicalise(capture.url)
        except ValueError:
            host, path = "", capture.url
        found.append((capture.archive, host, path, capture.outcome))
    return Counter(found)


def test_every_capture_has_the_fate_it_must_have(run, archives):
    assert fates(run) == expected(archives[1])


def test_the_books_close(run, archives):
    report = json.loads((run / "report.json").read_text())
    assert report["read"]["files"] == len(archives[1])
    assert all(invariant["holds"] for invariant in report["invariants"])
    assert report["kept"]["web"]["files"] == read(run, "corpora/web").num_rows


def test_rows_of_the_corpus(run, model):
    corpus = {(row["repo"], row["path"]): row for row in read(run, "corpora/web").to_pylist()}
    lesson = corpus["plain.example", "lesson"]
    assert lesson["code_tags"] == 0
    assert lesson["relevance"] >= 0.5
    tagged = corpus["docs.site0.example", "documentation/0"]
    assert tagged["relevance"] is None
    assert "```" in tagged["content"]
    assert "def f_documentation_0(x):\n    return x + 1" in tagged["content"]
    assert (tagged["category"], tagged["categorised_by"]) == ("documentation", "host")
    assert tagged["title"] == "Page documentation-0"
    assert tagged["revision"] == "2024-01-01T00:00:00Z"
    assert tagged["relevance_model"] == json.loads((model / "card.json").read_text())["fingerprint"]
    assert all(0 <= row["quality"] <= 1 for row in corpus.values())
    # The newest capture of an address, and the first of one content.
    assert corpus["again.example", "/"]["url"] == "https://www.again.example/index.html?utm_source=x"
    assert corpus["copy.example", "first"]["cluster_size"] == 2


def test_categories_are_told_by_host_markup_and_path(run):
    told = Counter((row["category"], row["categorised_by"]) for row in read(run, "corpora/web").to_pylist())
    pages = web_input.PAGES
    assert told["qa", "host"] == pages
    assert told["e_commerce", "markup"] == pages
    assert told["forum", "markup"] == pages
    assert told["documentation", "host"] == pages
    assert told["other", "default"] >= pages


def test_the_report_shows_the_mix(run):
    report = json.loads((run / "report.json").read_text())
    scores, mix = report["sections"]
    assert len(scores["plots"]) == len(mix["rows"])
    rows = {row[0]: dict(zip(mix["header"], row, strict=True)) for row in mix["rows"]}
    assert rows["qa"]["Pages"] == rows["qa"]["Kept"] == web_input.PAGES
    assert sum(row["Kept"] for row in rows.values()) == report["kept"]["web"]["files"]
    assert abs(sum(row["After"] for row in rows.values()) - 1) < 1e-9
    html = (run / "report.html").read_text()
    assert "The mix of categories" in html
    assert "Scores by category" in html


def test_why_takes_an_address(run, capsys):
    assert why.main([str(run), "http://WWW.near.example/second/?utm_source=feed#x"]) == 0
    told = capsys.readouterr().out
    assert "dropped by near dedup: near-duplicate" in told
    assert "near.example/first" in told
    assert why.main([str(run), "http://gone.example/"]) == 0
    assert "dropped by heuristics: error-page" in capsys.readouterr().out
    assert why.main([str(run), "http://never.example/"]) == 1
    with pytest.raises(SystemExit):
        why.main([str(run), "ftp://never.example/"])


def published(root):
    """Everything a run publishes but its report's times, as bytes."""
    files = [path for path in root.rglob("*") if path.is_file() and not {"_work", "_stages", "_cache"} & set(path.relative_to(root).parts)]
    kept = (path for path in files if path.name not in (".lock", "report.json", "report.html"))
    return {str(path.relative_to(root)): path.read_bytes() for path in kept}


def test_two_processes_give_the_same_bytes(run, arguments, tmp_path):
    local = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    assert web.main([*arguments, f"--output={tmp_path / 'again'}", *local]) == 0
    one, two = published(run), published(tmp_path / "again")
    assert set(one) == set(two)
    assert [name for name in one if one[name] != two[name]] == []


# ---- a biased scorer, and the cure


def biased(run, tmp_path):
    """The run's output up to the scores, with scores that like shops (0.90 and up) and dislike forums (below 0.30)."""
    output = tmp_path / "biased"
    shutil.copytree(run, output)
    base = {"e_commerce": 0.9, "documentation": 0.7, "other": 0.6, "qa": 0.3, "forum": 0.2}
    for number, path in enumerate(sorted((output / "quality").glob("*.parquet"))):
        quality, measures = pq.read_table(path), pq.read_table(output / "measures" / path.name)
        categories = [measures["category"][row].as_py() for row in quality["row"].to_pylist()]
        rows = quality["row"].to_pylist()
        scores = [base.get(name, 0.6) + 0.001 * row + 0.0003 * number for row, name in zip(rows, categories, strict=True)]
        pq.write_table(quality.set_column(1, quality.schema.field("quality"), pa.array(scores, pa.float32())), path)
    return output


def decide(run, arguments, tmp_path, change, **more):
    """Kept pages by category of the biased run under another table."""
    output = biased(run, tmp_path)
    table = write_table(tmp_path / "table.yaml", change, **more)
    assert web.main([*arguments, f"--categories={table}", f"--output={output}", "--workers=1"]) == 0
    assert all(invariant["holds"] for invariant in json.loads((output / "report.json").read_text())["invariants"])
    return output, Counter(row["category"] for row in read(output, "corpora/web").to_pylist())


def test_one_threshold_keeps_what_the_scorer_likes_and_own_ones_cure_it(run, arguments, tmp_path):
    before = Counter(row["category"] for row in read(run, "corpora/web").to_pylist())
    (tmp_path / "common").mkdir()
    _, common = decide(run, arguments, tmp_path / "common", lambda name: {"threshold": 0.5, "sampling_rate": 1.0})
    assert common == Counter({name: count for name, count in before.items() if name not in ("qa", "forum")})
    (tmp_path / "own").mkdir()
    output, own = decide(run, arguments, tmp_path / "own", lambda name: {"drop_lowest": 0.25, "sampling_rate": 1.0})
    # Scores differ within a category, so that exactly the share goes.
    assert own == Counter({name: count - count // 4 for name, count in before.items()})
    mix = json.loads((output / "report.json").read_text())["sections"][1]
    rows = {row[0]: dict(zip(mix["header"], row, strict=True)) for row in mix["rows"]}
    assert rows["forum"]["Threshold"] < 0.3 < rows["e commerce"]["Threshold"]
    assert rows["forum"]["One threshold"] < rows["forum"]["Before"] < rows["e commerce"]["One threshold"]


def test_rates_solved_for_a_target_mix(run, arguments, tmp_path):
    mix = {"forum": 0.5, "e_commerce": 0.5}
    output, kept = decide(run, arguments, tmp_path, lambda name: {"drop_lowest": 0.0, "sampling_rate": 0.0}, target_mix=mix)
    assert kept == Counter({"forum": web_input.PAGES, "e_commerce": web_input.PAGES})
    dropped = Counter(row["rule"] for row in read(output, "rejected").to_pylist())
    assert dropped["not-sampled"] == read(run, "corpora/web").num_rows - 2 * web_input.PAGES


def test_an_infeasible_mix_is_told(run, arguments, tmp_path, capsys):
    output = biased(run, tmp_path)
    table = write_table(tmp_path / "table.yaml", lambda name: {"drop_lowest": 0.0, "sampling_rate": 1.0}, target_mix={"news": 1.0})
    assert web.main([*arguments, f"--categories={table}", f"--output={output}", "--workers=1"]) == 1
    assert "the target mix wants 1 of news, but no page of it passed" in capsys.readouterr().err
    assert not (output / "manifest.json").exists()


# ---- command lines


def test_a_page_that_holds_a_benchmark_goes_and_nothing_is_read_again(run, arguments, tmp_path, capsys):
    kept = read(run, "corpora/web").to_pylist()
    planted = max(kept, key=lambda row: row["words"])
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"task_id": "T/1", "prompt": planted["content"].upper()}) + "\n")
    output = tmp_path / "output"
    shutil.copytree(run, output)
    before = (output / "_stages" / "scores.json").read_bytes()
    assert web.main([*arguments, f"--benchmarks={tmp_path / 'tasks.jsonl'}", f"--output={output}", "--workers=1"]) == 0
    assert (output / "_stages" / "scores.json").read_bytes() == before
    left = {row["id"] for row in read(output, "corpora/web").to_pylist()}
    gone = {row["id"]: row for row in read(output, "rejected").to_pylist() if row["stage"] == "decontamination"}
    assert planted["id"] in gone
    assert left | set(gone) == {row["id"] for row in kept}
    assert not left & set(gone)
    assert "T/1" in gone[planted["id"]]["evidence"]
    assert all(line["holds"] for line in json.loads((output / "manifest.json").read_text())["invariants"])
    assert "decontamination" in (output / "report.html").read_text().lower()


def test_without_a_model_only_code_tags_tell(archives, table, tmp_path):
    output = tmp_path / "output"
    arguments = [f"--input={archives[0]}/a.warc.gz", f"--categories={table}", "--score=false", f"--output={output}", "--workers=1"]
    assert web.main(arguments) == 0
    rules = {(row["repo"], row["rule"]) for row in read(output, "rejected").to_pylist()}
    assert {("plain.example", "no-code-tags"), ("short.example", "too-few-words")} <= rules
    assert {row["quality"] for row in read(output, "corpora/web").to_pylist()} == {None}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "argument --output: none given"),
        (["--output=x"], "argument --input: none given"),
        (["--output=x", "--input=nowhere/*.warc.gz"], "argument --input: no file matches"),
        (["--output=x", "--input=FILE", "--relevance=nowhere"], "argument --relevance: nowhere has no card.json"),
        (["--output=x", "--input=FILE", "--category-model=nowhere"], "argument --category-model: nowhere has no card.json"),
        (["--output=x", "--input=FILE", "--categories=nowhere.yaml"], "argument --categories: [Errno 2]"),
        (["--output=x", "--input=FILE", "--near-threshold=2"], "argument --near-threshold: '2' given"),
        (["--output=x", "--input=FILE", "--nonsense=1"], "--nonsense"),
    ],
)
def test_command_lines_that_cannot_be_run(arguments, told, archives, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    given = [argument.replace("FILE", str(archives[0] / "a.warc.gz")) for argument in arguments]
    with pytest.raises(SystemExit):
        cli.main(["web", *given])
    assert told in capsys.readouterr().err
