"""``beam-seed shards``: what went in comes out, once for each copy, byte for byte, in equal shards, whatever the workers."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_seed.mixture.plan import copies
from beam_seed.shards.format import SEQUENCES
from beam_seed.shards.read import documents_of, read_documents
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.special_tokens import CHANGE, END, FILE, FIM_MIDDLE, FIM_SUFFIX, PADDING, PATHS, REPO
from beam_seed.statistics import schema
from beam_seed.statistics.validate import validate
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines import cli, shards

LENGTH = 64
HOSTILE = [
    "",
    "\0\0\r\n\r",
    f"{FIM_SUFFIX}{FIM_MIDDLE}{END}{PADDING} <[\\end]> <[\\\\x]> <|endoftext|>",
    "x" * 5000,  # one line, many sequences
    "é漢字🙂\u2028\ufeff" * 9,
    "\n" * 300,
]
STAGE = f"""
sequence_length: {LENGTH}
fim_rate: 0.5
fim_spm: 0.6
seed: 3
sources:
  code: {{epochs: 1.5}}
  commits: {{text: [prompt, target], formatted: true, epochs: 1}}
"""


def source_text(number: int) -> str:
    return "".join(f"def f{number}_{line}(x):\n    return x * {line}\n" for line in range(number % 9))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    texts = [*HOSTILE, *map(source_text, range(120))]
    code = {
        "id": [f"{number:032x}" for number in range(len(texts))],
        "repo": [f"owner{number % 3}/repo{number % 7}" for number in range(len(texts))],
        "path": [f"src/f{number}.py" for number in range(len(texts))],
        "language": ["Python" if number % 2 else "" for number in range(len(texts))],
        "content": texts,
        "license": ["MIT"] * len(texts),
    }
    (root / "code").mkdir()
    table = pa.table(code)
    pq.write_table(table.slice(0, 70), root / "code" / "a.parquet", row_group_size=16)
    pq.write_table(table.slice(70), root / "code" / "b.parquet")
    commits = {
        "repo": ["owner1/repo1", "owner2/repo9", None],
        "path": ["c0", "c1", "c2"],
        "prompt": [f"{REPO}owner1/repo1\n{FILE}a.py\nx = 1\n", f"{REPO}owner2/repo9\n", None],
        "target": [f"{PATHS}\nM\ta.py\n{CHANGE}a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", "say <[\\end]>", None],
    }
    pq.write_table(pa.table(commits), root / "commits.parquet")
    return root


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([source_text(8)] * 9, 320).save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def arguments(corpora: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    stage = tmp_path_factory.mktemp("stage") / "stage.yaml"
    stage.write_text(STAGE)
    sources = [f"--source=code={corpora / 'code'}", f"--source=commits={corpora / 'commits.parquet'}"]
    return ["shards", f"--stage={stage}", *sources, f"--tokenizer={tokenizer}", "--shards=3", "--group-tokens=2500"]


@pytest.fixture(scope="module")
def run(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    assert cli.main([*arguments, f"--output={output}", "--workers=1"]) == 0
    return output


def rows(root: Path) -> list[dict]:
    return [row for path in sorted((root / "shards").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def manifest(root: Path) -> dict:
    return json.loads((root / "manifest.json").read_text())


def expected(corpora: Path) -> Counter:
    """(source, path, content) of every copy, by the tables themselves."""
    found: Counter = Counter()
    for path in sorted((corpora / "code").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            found["code", row["path"], row["content"]] += copies(3, "code", row["id"], 1.5)
    for row in pq.read_table(corpora / "commits.parquet").to_pylist():
        if row["prompt"] is not None:
            found["commits", row["path"], row["prompt"] + row["target"]] += 1
    return found


def test_documents_come_back_byte_for_byte(run: Path, corpora: Path) -> None:
    found = list(read_documents(str(run)))
    assert Counter((document.source, document.path, document.content) for document in found) == expected(corpora)
    assert all(document.sha256 == hashlib.sha256(document.content.encode()).digest() for document in found)
    forms = Counter(document.form for document in found)
    assert min(forms["spm"], forms["psm"], forms["plain"]) > 15
    assert forms["formatted"] == 2
    # The copies of a document are cut anew in each epoch.
    names = Counter((document.source, document.id, document.epoch) for document in found)
    assert set(names.values()) == {1}


def test_they_stream_through_hugging_face_datasets(run: Path, corpora: Path) -> None:
    files = [str(path) for path in sorted((run / "shards").glob("*.parquet"))]
    streamed = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    found = documents_of(streamed, ShardTokenizer.load(str(run / "tokenizer")))
    assert Counter((document.source, document.path, document.content) for document in found) == expected(corpora)


def test_sequences_are_as_the_format_says(run: Path) -> None:
    told = manifest(run)
    tables = [pq.read_table(run / shard["path"]) for shard in told["shards"]]
    assert all(table.schema == SEQUENCES for table in tables)
    sizes = [shard["sequences"] for shard in told["shards"]]
    assert [len(table) for table in tables] == sizes
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == told["sequences"]
    text, sources, documents = 0, Counter(), Counter()
    seen = rows(run)
    assert len({row["id"] for row in seen}) == len(seen)
    for row in seen:
        assert len(row["tokens"]) == LENGTH
        held = sum(piece["length"] for piece in row["pieces"])
        assert 0 < held <= LENGTH
        assert row["tokens"][held:] == [told["padding"]] * (LENGTH - held)
        assert told["padding"] not in row["tokens"][:held]
        place = 0
        for piece in row["pieces"]:
            place += piece["length"]
            ends = [token == told["end"] for token in row["tokens"][place - piece["length"] : place]]
            # END is the last token of a document's last piece, and nowhere else.
            assert ends == [False] * (piece["length"] - 1) + [piece["start"] + piece["length"] == piece["total"]]
            documents[piece["source"]] += piece["start"] == 0
            sources[piece["source"]] += piece["length"]
        text += held
        assert max(row["tokens"]) < told["vocabulary"]
    assert told["tokens"] == {"text": text, "padding": len(seen) * LENGTH - text}
    assert {name: (each["documents"], each["tokens"]) for name, each in told["by_source"].items()} == {
        name: (documents[name], sources[name]) for name in sources
    }
    assert sum(each["tokens"] for each in told["by_language"].values()) == text
    assert "unknown" in told["by_language"]
    for shard in told["shards"]:
        data = (run / shard["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["size"], shard["sha256"])
    assert told["skipped"] == {"code": {}, "commits": {"no-text": 1}}
    assert told["tokens"]["padding"] / (len(seen) * LENGTH) < 0.05
    assert not (run / "_work").exists()


def test_the_shuffle_is_global(run: Path) -> None:
    # Long documents are cut into sequences that would follow each other: after the shuffle their pieces lie all over.
    positions = {
        (piece["id"], piece["epoch"], piece["start"]): n
        for n, row in enumerate(rows(run))
        for piece in row["pieces"]
        if piece["total"] > 4000
    }
    inverted = [positions[key] for key in sorted(positions)]
    assert len(inverted) > 50
    rising = sum(a < b for a, b in itertools.pairwise(inverted)) / (len(inverted) - 1)
    assert 0.3 < rising < 0.7
    shards_ = {position * 3 // manifest(run)["sequences"] for position in inverted}
    assert shards_ == {0, 1, 2}


def digests(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def test_workers_change_nothing(run: Path, arguments: list[str], tmp_path: Path) -> None:
    assert cli.main([*arguments, f"--output={tmp_path}", "--workers=2"]) == 0
    assert digests(tmp_path) == digests(run)


def test_another_seed_is_another_order_of_the_same(run: Path, arguments: list[str], corpora: Path, tmp_path: Path) -> None:
    stage = tmp_path / "other.yaml"
    stage.write_text(STAGE.replace("seed: 3", "seed: 4").replace("1.5", "1"))
    output = tmp_path / "out"
    assert cli.main([*arguments, f"--stage={stage}", "--shards=500", f"--output={output}", "--workers=1"]) == 0
    assert {document.content for document in read_documents(str(output))} == {content for _, _, content in expected(corpora)}
    # More shards than sequences: a shard for each sequence.
    assert {shard["sequences"] for shard in manifest(output)["shards"]} == {1}


def test_statistics_are_those_of_the_documents(run: Path, corpora: Path) -> None:
    statistics = text_format.Parse((run / "statistics.pbtxt").read_text(), statistics_pb2.DatasetFeatureStatisticsList())
    assert validate(statistics, schema.from_text((run / "schema.pbtxt").read_text())) == []
    (dataset,) = statistics.datasets
    assert dataset.num_examples == sum(expected(corpora).values())
    features = {feature.path.step[0]: feature for feature in dataset.features}
    assert {value.value for value in features["source"].string_stats.top_values} == {"code", "commits"}
    assert features["language"].string_stats.common_stats.num_missing > 0
    tokens = features["tokens"].num_stats
    assert round(tokens.mean * dataset.num_examples) == manifest(run)["tokens"]["text"]


def test_rows_of_one_id_are_taken_once_and_odd_rows_are_told(tokenizer: Path, tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")])
    content = pa.chunked_array([pa.array(["first", "second", None]), bad])
    pq.write_table(pa.table({"id": ["a", "a", "b", "c"], "content": content}), tmp_path / "t.parquet")
    pq.write_table(pa.table({"text": ["no name"] * 2 + ["other"]}), tmp_path / "u.parquet")
    stage = tmp_path / "s.yaml"
    stage.write_text("sequence_length: 8\nsources:\n  code: {epochs: 1}\n  more: {epochs: 1, text: text}\n")
    command = [f"--stage={stage}", f"--source=code={tmp_path / 't.parquet'}", f"--source=more={tmp_path / 'u.parquet'}"]
    assert shards.main([*command, f"--tokenizer={tokenizer}", f"--output={tmp_path / 'out'}", "--workers=1"]) == 0
    assert sorted(document.content for document in read_documents(str(tmp_path / "out"))) == ["first", "no name", "other"]
    assert manifest(tmp_path / "out")["skipped"] == {"code": {"no-text": 1, "not-utf8": 1, "same-id": 1}, "more": {"same-id": 1}}


def test_weights_come_out_as_shares(tokenizer: Path, tmp_path: Path) -> None:
    for name, count in (("a", 400), ("b", 900)):
        texts = [f"{name} = {number}\n" * (number % 5 + 3) for number in range(count)]
        table = pa.table({"path": [f"{number}" for number in range(count)], "content": texts})
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=50)
    stage = tmp_path / "s.yaml"
    stage.write_text(
        f"sequence_length: 128\ntokens: 60000\nsources:\n"
        f"  a: {{weight: 3, input: {tmp_path}/a.parquet}}\n  b: {{weight: 1, input: {tmp_path}/b.parquet}}\n"
    )
    assert shards.main([f"--stage={stage}", f"--tokenizer={tokenizer}", f"--output={tmp_path / 'out'}", "--workers=1"]) == 0
    told = manifest(tmp_path / "out")
    assert abs(told["by_source"]["a"]["tokens"] / told["tokens"]["text"] - 0.75) < 0.04
    assert abs(told["tokens"]["text"] / 60000 - 1) < 0.1
    assert told["factors"]["a"] > 1 > told["factors"]["b"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("--stage=nothing", "argument --stage: no stage 'nothing'; expected one of"),
        ("--source=code", "argument --source: 'code' given; expected NAME=PATH"),
        ("--source=web=x", "argument --stage: .* has no source 'web'; found code, commits"),
        ("--source=code=/nowhere/x.parquet", "no Parquet file at '/nowhere/x.parquet'"),
        ("--tokenizer=/nowhere", "argument --tokenizer: no /nowhere/tokenizer.json"),
        ("--tombstones=/nowhere", "argument --tombstones: "),
        ("--output=", "argument --output: none given"),
        ("--shards=0", "argument --shards: '0' given; expected a number above 0"),
    ],
)
def test_command_lines_that_cannot_be_run(
    arguments: list[str], tmp_path: Path, changed: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*arguments, f"--output={tmp_path}", changed]
    if changed == "--output=":
        command = [each for each in command if not each.startswith("--output")]
    with pytest.raises(SystemExit):
        cli.main(command)
    assert re.search(message, capsys.readouterr().err)


def test_a_column_that_is_missing_is_named(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "t.parquet")
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--without=commits", f"--source=code={tmp_path / 't.parquet'}", f"--output={tmp_path / 'out'}"])
    assert "source 'code'" in (told := capsys.readouterr().err)
    assert "column 'content' is missing; found text; expected text" in told


def test_drift_from_another_run_is_told_and_can_fail(
    run: Path, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*arguments, f"--baseline={run}", "--workers=1"]
    assert cli.main([*command, f"--output={tmp_path / 'same'}", "--fail-on-drift"]) == 0
    assert manifest(tmp_path / "same")["drift"] == "none"
    other = [*command, "--without=commits", f"--output={tmp_path / 'other'}", "--drift-limit=0.005"]
    assert cli.main([*other, "--fail-on-drift"]) == 1
    assert "the documents are not like those of" in capsys.readouterr().err
    assert not (tmp_path / "other" / "manifest.json").exists()
    assert cli.main(other) == 0
    assert manifest(tmp_path / "other")["drift"] == "found"
    told = json.loads((tmp_path / "other" / "drift.json").read_text())
    assert "source" in {column["column"] for column in told["columns"] if column["over"]}
    page = (tmp_path / "other" / "drift.html").read_text()
    assert "commits" in page
    assert "L-infinity" in page
    with pytest.raises(SystemExit):
        cli.main([*arguments, f"--baseline={tmp_path}", f"--output={tmp_path / 'x'}"])
    assert "argument --baseline: no " in capsys.readouterr().err
