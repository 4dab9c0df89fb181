"""``beam-seed long-context``: every file of a chosen repository in one sequence, every long file a row, the rest told."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.long_context import publish
from beam_seed.long_context.format import parse_sequence
from pipelines import cli, long_context

GOOD = {f"m{n}.py": "".join(f"import m{k}\n" for k in range(n)) + f"x = '{n}'\n" * 30 for n in range(12)}
BAD = {"index.html": "<p>\n", "a.sql": "select 1;\n", "b.sh": "ls\n"}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two repositories with their rows in two tables, one of low quality, one without scores."""
    folder = tmp_path_factory.mktemp("tables")
    rows = [("good", path, text, 0.9) for path, text in GOOD.items()] + [("bad", path, text, 0.1) for path, text in BAD.items()]
    rows += [(f"fine{n}", "a.py", f"x = {n}\n", 0.8) for n in range(8)]
    for name, part in (("one", rows[::2]), ("two", rows[1::2])):
        columns = dict(zip(("repo", "path", "content", "quality"), zip(*part, strict=True), strict=True))
        pq.write_table(pa.table({column: list(values) for column, values in columns.items()}), folder / f"{name}.parquet", row_group_size=4)
    (folder / "singles").mkdir()
    singles = {
        "id": ["1", "2"],
        "repo": ["x", "x"],
        "path": ["l.py", "s.py"],
        "content": ["y = 1\n" * 500, "y = 1\n"],
        "language": ["Python"] * 2,
    }
    pq.write_table(pa.table(singles), folder / "singles" / "files.parquet")
    return folder


def run(tables, output, *more):
    arguments = [f"--input={tables}", f"--files={tables}/singles", f"--output={output}", "--workers=1", "--min-tokens=900", "--budget=1200"]
    return long_context.main([*arguments, *more])


def listed(output, dataset):
    return [row for path in sorted((output / dataset).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def corpus(output):
    return listed(output, "corpora/long_context")


@pytest.fixture(scope="module")
def output(tables, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    assert run(tables, output) == 0
    return output


def test_every_file_of_the_chosen_is_there_once_in_order(output):
    rows = [row for row in corpus(output) if row["kind"] == "repository"]
    found = {}
    for row in rows:
        repo, files = parse_sequence(row["content"])
        assert repo == row["repo"]
        assert row["tokens"] <= 1200
        found.setdefault(repo, []).extend(files)
        numbers = [int(path[1:-3]) for path, _ in files if repo == "good"]
        assert numbers == sorted(numbers)  # m5 needs m0 to m4
    assert dict(found.pop("good")) == GOOD
    assert set(found) == {f"fine{n}" for n in range(8)}
    assert {row["parts"] for row in rows if row["repo"] == "good"} == {2}


def test_long_files_are_there_and_short_ones_are_counted(output):
    (row,) = (row for row in corpus(output) if row["kind"] == "file")
    assert (row["id"], row["path"], row["language"]) == ("1", "l.py", "Python")
    assert parse_sequence(row["content"]) == ("x", [("l.py", "y = 1\n" * 500)])
    counts = json.loads((output / "long_context.json").read_text())["counts"]
    assert (counts["files_read"], counts["files_long"], counts["file_rows"]) == (2, 1, 1)


def test_what_is_not_taken_is_told(output):
    rows = listed(output, "rejected")
    assert sorted(row["path"] for row in rows) == sorted([*BAD, "s.py"])
    for row in rows:
        if row["repo"] == "bad":
            assert (row["stage"], row["rule"], row["size"]) == ("choice", "low-quality", len(BAD[row["path"]]))
            assert (row["measured"], row["limit"]) == (pytest.approx(0.1), pytest.approx(0.8, abs=1e-4))
        else:
            assert (row["id"], row["stage"], row["rule"]) == ("2", "length", "too-short")
            assert (row["measured"], row["limit"], json.loads(row["evidence"])["measured in"][:5]) == (6, 900, "bytes")
    counts = json.loads((output / "long_context.json").read_text())["counts"]
    assert counts["rejected"] == {"low-quality": 1}
    assert counts["repository_files_read"] == counts["repository_files"] == 20
    assert counts["languages"]["Python"]["resolved"] == 66


def test_every_file_kept_is_listed_where_it_stands(output):
    sequences = {row["id"]: row for row in corpus(output)}
    rows = listed(output, "documents")
    assert len(rows) == sum(row["files"] for row in sequences.values()) == 21
    for row in rows:
        sequence = sequences[row["sequence"]]
        assert json.loads(sequence["ids"])[row["position"]] == row["id"]
        assert parse_sequence(sequence["content"])[1][row["position"]][0] == row["path"]
        assert all(row[name] == sequence[name] for name in ("kind", "part", "parts", "files"))


def test_the_books_close_and_the_report_shows_them(output):
    report = json.loads((output / "report.json").read_text())
    assert (report["read"]["files"], report["kept"]["long_context"]["files"]) == (25, 21)
    steps = [(step["stage"], step["dropped"]["files"], step["left"]["files"]) for step in report["funnel"]["long_context"]]
    assert steps == [("choice", 3, 22), ("length", 1, 21), ("assembly", 0, 21)]
    assert all(invariant["holds"] for invariant in report["invariants"])
    assert len(report["invariants"]) == 9
    sections = {section["title"]: section for section in report["sections"]}
    assert [sections["Largest repositories"]["rows"][0][at] for at in (0, 1, 3)] == ["good", 12, 2]
    assert sections["Dependencies by language"]["rows"] == [["Python", 20, 0, 66, 66, 66]]
    assert [sum(sections["Repositories"]["plots"][0]["data"][name]) for name in ("kept", "dropped")] == [9, 1]
    page = (output / "report.html").read_text()
    assert all(f">{title}</h2>" in page for title in sections)


def test_why(output, capsys):
    assert cli.main(["why", str(output), "good/m11.py"]) == 0
    told = capsys.readouterr().out
    assert "file of its repository: kept, file " in told
    assert "part 2 of 2 of the repository, in corpora/long_context/repositories-part-" in told
    assert cli.main(["why", str(output), "bad/a.sql"]) == 0
    assert "dropped by choice: low-quality" in capsys.readouterr().out
    assert cli.main(["why", str(output), "s.py"]) == 0
    told = capsys.readouterr().out
    assert "single file: dropped by length: too-short" in told
    assert "measured 6, limit 900" in told
    assert cli.main(["why", str(output), "good/m99.py"]) == 1
    assert "near names: good/m" in capsys.readouterr().err


def test_a_file_given_twice_has_two_stories(tables, output, tmp_path, capsys):
    arguments = [f"--input={tables}/one.parquet", f"--files={tables}/one.parquet", f"--output={tmp_path}", "--workers=1"]
    assert long_context.main(arguments) == 0
    assert cli.main(["why", str(tmp_path), "good/m0.py"]) == 0
    told = capsys.readouterr().out
    assert "file of its repository: kept" in told
    assert "single file: dropped by length" in told


def test_the_same_command_does_nothing_again_and_another_budget_only_what_it_must(tables, tmp_path):
    assert run(tables, tmp_path, "--until=files") == 0
    assert not (tmp_path / "manifest.json").exists()
    assert run(tables, tmp_path) == 0

    def written():
        paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in (".lock", "job.json")]
        return {str(path.relative_to(tmp_path)): path.stat().st_mtime_ns for path in paths}

    first = written()
    assert run(tables, tmp_path) == 0
    assert written() == first
    assert run(tables, tmp_path, "--budget=100000") == 0
    kept = {path for path, when in written().items() if first.get(path) == when}
    assert {path for path in first if "files" in path} == kept
    assert {row["parts"] for row in corpus(tmp_path) if row["repo"] == "good"} == {1}


def test_books_that_do_not_close_are_no_run(tables, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish, "row_count", lambda table: 3)
    assert run(tables, tmp_path) == 1
    assert "every row of the tables is in the books (26 and 25)" in capsys.readouterr().err
    assert not (tmp_path / "manifest.json").exists()
    assert "✗ broken" in (tmp_path / "report.html").read_text()


def digests(output):
    paths = [path for path in output.rglob("*") if path.is_file() and not path.name.startswith("report.")]  # these tell how long it took
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_manifest_names_every_file_and_several_processes_give_the_same(tables, output, tmp_path):
    manifest = json.loads((output / "manifest.json").read_text())
    told = {each["path"]: each["sha256"] for each in manifest["corpora"]["long_context"]}
    assert told == {path: digest for path, digest in digests(output).items() if path.startswith("corpora/")}
    assert run(tables, tmp_path / "again", "--workers=2") == 0
    assert digests(tmp_path / "again") == digests(output)


def test_repositories_without_scores(tables, tmp_path, capsys):
    path = tmp_path / "unscored.parquet"
    pq.write_table(pa.table({"repo": ["u"], "path": ["a.py"], "content": ["x\n"]}), path)
    arguments = [f"--input={path}", "--workers=1", f"--output={tmp_path}/out"]
    assert long_context.main(arguments) == 1
    assert "run beam-seed score" in capsys.readouterr().err
    assert long_context.main([*arguments, "--drop-lowest=0"]) == 0
    assert [row["repo"] for row in corpus(tmp_path / "out")] == ["u"]
    assert long_context.main([*arguments, "--unscored=drop"]) == 0
    assert corpus(tmp_path / "out") == []


def test_orders_in_many_buckets(tables, tmp_path, output):
    orders = {}
    for order in ("path", "random"):
        assert run(tables, tmp_path / order, f"--order={order}", "--budget=100000", "--shard-bytes=300") == 0
        assert len(list((tmp_path / order / "documents").glob("repositories-*"))) > 3
        told = [[(row["repo"], row["path"]) for row in listed(folder, "rejected")] for folder in (output, tmp_path / order)]
        assert sorted(told[0]) == sorted(told[1])
        (row,) = (row for row in corpus(tmp_path / order) if row["repo"] == "good")
        orders[order] = [path for path, _ in parse_sequence(row["content"])[1]]
    assert orders["path"] == sorted(GOOD)
    assert sorted(orders["random"]) == sorted(GOOD) != orders["random"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--output: none given"),
        (["--output={out}"], "--input: none given, and no --files"),
        (["--output={out}", "--files={out}/nothing"], "--files: no Parquet file"),
        (["--output={out}", "--input={tables}", "--tokenizer=/nowhere"], "--tokenizer: '/nowhere/tokenizer.json' is not read"),
        (["--output={out}", "--input={tables}", "--order=up"], "--order: 'up' given; expected one of"),
        (["--output={out}", "--input={tables}", "--budget=0"], "--budget: '0' given"),
    ],
)
def test_what_cannot_be_run(tables, tmp_path, capsys, arguments, told):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["long-context", *(argument.format(out=tmp_path, tables=tables) for argument in arguments)])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
