"""``beam-seed long-context``: every file of a chosen repository in one sequence, every long file a row, the rest told."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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


def corpus(output):
    return [row for path in sorted((output / "corpora/long_context").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


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
    (row,) = pq.read_table(output / "rejected/repositories.parquet").to_pylist()
    assert (row["repo"], row["rule"], row["stage"]) == ("bad", "low-quality", "long_context")
    assert row["measured"] == pytest.approx(0.1)
    assert row["limit"] == pytest.approx(0.8, abs=1e-4)
    counts = json.loads((output / "long_context.json").read_text())["counts"]
    assert counts["rejected"] == {"low-quality": 1}
    assert counts["repository_files_read"] == counts["repository_files"] == 20
    assert counts["languages"]["Python"]["resolved"] == 66
    assert "not taken: low-quality" in (output / "report.txt").read_text()


def digests(output):
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in output.rglob("*") if path.is_file()}


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


def test_orders(tables, tmp_path):
    orders = {}
    for order in ("path", "random"):
        assert run(tables, tmp_path / order, f"--order={order}", "--budget=100000") == 0
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
        (["--output={out}", "--input={tables}", "--tokenizer=/nowhere"], "--tokenizer: '/nowhere' is not read"),
        (["--output={out}", "--input={tables}", "--order=up"], "--order: 'up' given; expected one of"),
        (["--output={out}", "--input={tables}", "--budget=0"], "--budget: '0' given"),
    ],
)
def test_what_cannot_be_run(tables, tmp_path, capsys, arguments, told):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["long-context", *(argument.format(out=tmp_path, tables=tables) for argument in arguments)])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
