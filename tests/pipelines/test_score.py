"""``beam-seed score``: every row is kept with its score, or told in dropped/, and nothing depends on workers or on what was known."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import oracle
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input
import tiny_scorer

from beam_seed.languages.detect import detect
from beam_seed.quality.scorer import Scorer
from beam_seed.records import make_document
from pipelines import cli, score

# The session's scorer gives most of these texts no points at all; of this one's scores three quarters differ.
SEED = 4
LANGUAGES = {"a.py": "Python", "b.rb": "Ruby"}


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def digests(output: Path) -> dict[str, str]:
    files = [path for path in output.rglob("*") if path.is_file() and "_cache" not in path.parts]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables: one with languages, and one without them but with columns of its own, nulls, and a quality from elsewhere."""
    folder = tmp_path_factory.mktemp("tables")
    # The model sees 60 characters: each text begins somewhere else, so that the scores differ.
    texts = [sample_input.python_source(number)[7 * number : 50 * number + 40] for number in range(40)]
    names = ["a.py" if number % 3 else "b.rb" for number in range(40)]
    first = {"repo": ["r"] * 24, "path": names[:24], "content": texts[:24], "language": [LANGUAGES[name] for name in names[:24]]}
    pq.write_table(pa.table(first), folder / "one.parquet", row_group_size=7)
    second = {"repo": ["r", None] * 8, "path": names[24:], "content": [*texts[24:39], None], "n": list(range(16)), "quality": [7] * 16}
    pq.write_table(pa.table(second), folder / "two.parquet")
    return folder


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_scorer._scorer(tmp_path_factory.mktemp("spread"), SEED)


@pytest.fixture(scope="module")
def expected(tables: Path, scorer: Path) -> list[dict]:
    """Every row with its language, size and score, without Beam."""
    found = []
    for row in rows(tables):
        texts = [row[name] or "" for name in ("repo", "path", "content")]
        language = row.get("language") or detect(*texts[1:]).language
        document = make_document(*texts, language=language)
        found.append({"content": texts[2], "language": language, "size": document.size, "document": document})
    scores = Scorer.load(str(scorer)).score([row["document"] for row in found])
    return [row | {"quality": float(value)} for row, value in zip(found, scores, strict=True)]


@pytest.fixture(scope="module")
def run(tables: Path, scorer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("scored")
    command = ["score", f"--input={tables}", f"--output={output}", f"--scorer={scorer}", "--drop-lowest=0.4", "--workers=1"]
    assert cli.main(command) == 0
    return output


def test_rows_are_kept_or_told_by_their_scores(run: Path, expected: list[dict]) -> None:
    low = oracle.lowest({(str(n), ""): row["quality"] for n, row in enumerate(expected)}, 0.4)
    wanted = {False: [], True: []}
    for number, row in enumerate(expected):
        wanted[(str(number), "") in low].append(row)
    kept, dropped = rows(run / "kept"), rows(run / "dropped")
    assert [(row["content"] or "", row["quality"]) for row in kept] == [(row["content"], row["quality"]) for row in wanted[False]]
    assert [(row["language"], row["size"], row["measured"]) for row in dropped] == [
        (row["language"], row["size"], row["quality"]) for row in wanted[True]
    ]
    assert {row["rule"] for row in dropped} == {"low-quality"}
    assert all(row["measured"] < row["limit"] for row in dropped)
    told = json.loads((run / "scores.json").read_text())
    assert told["counts"]["read_files"] == 40
    assert told["counts"]["kept_files"] == len(kept) == 40 - len(dropped)
    assert {row["scorer"] for row in kept} == {told["scorer"]}


def test_columns_of_the_input_stay(run: Path, tables: Path) -> None:
    second = pq.read_table(run / "kept" / "part-00001-of-00002.parquet")
    assert second.column_names == ["repo", "path", "content", "n", "quality", "scorer"]
    numbers = {row["content"]: row["n"] for row in pq.read_table(tables / "two.parquet").to_pylist()}
    assert all(numbers[row["content"]] == row["n"] for row in second.to_pylist())


def test_workers_change_nothing(run: Path, tables: Path, scorer: Path, tmp_path: Path) -> None:
    command = [f"--input={tables / 'two.parquet'}", f"--input={tables / 'one.parquet'}", f"--scorer={scorer}", "--drop-lowest=0.4"]
    assert score.main([*command, f"--output={tmp_path}", "--workers=2"]) == 0
    assert digests(tmp_path) == digests(run)


def test_what_is_known_is_not_scored_again(run: Path, tables: Path, scorer: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = [f"--input={tables}", f"--scorer={scorer}", "--drop-lowest=0.4", "--workers=1", f"--cache={run / '_cache'}"]
    with caplog.at_level(logging.INFO):
        assert score.main([*command, f"--output={tmp_path}"]) == 0
    assert "beam-seed score: scores: 40 in, 40 kept, 40 reused" in [record.getMessage() for record in caplog.records]
    assert digests(tmp_path) == digests(run)


@pytest.mark.parametrize("by", ["files", "bytes"])
def test_shares_within_languages(tables: Path, scorer: Path, expected: list[dict], tmp_path: Path, run: Path, by: str) -> None:
    command = [f"--input={tables}", f"--scorer={scorer}", "--drop-lowest=0.5", "--workers=1", f"--cache={run / '_cache'}"]
    assert score.main([*command, f"--output={tmp_path}", f"--drop-by={by}", "--drop-per=language"]) == 0
    dropped = rows(tmp_path / "dropped")
    for language in LANGUAGES.values():
        scores = sorted((row["quality"], row["size"] if by == "bytes" else 1) for row in expected if row["language"] == language)
        mass = sum(weight for _, weight in scores)
        gone = [row for row in dropped if row["language"] == language]
        assert gone
        assert sum(row["size"] if by == "bytes" else 1 for row in gone) <= mass / 2
        # One step further would have been too much: everything up to and including the limit weighs more than the share.
        limit = gone[0]["limit"]
        assert sum(weight for quality, weight in scores if quality < limit + 1 / 65536) > mass / 2


def test_a_document_that_cannot_be_scored_is_told(tmp_path: Path) -> None:
    poisoned = sample_poisoned(tmp_path / "scorer")
    texts = [f"x = {number}\n" for number in range(200)] + ["wow!"]
    table = pa.table({"repo": ["r"] * 201, "path": ["a.py"] * 201, "content": texts})
    pq.write_table(table, tmp_path / "t.parquet")
    command = [
        f"--input={tmp_path / 't.parquet'}",
        f"--scorer={poisoned}",
        f"--output={tmp_path / 'out'}",
        "--workers=1",
        "--drop-lowest=0",
    ]
    assert score.main(command) == 0
    (failed,) = rows(tmp_path / "out" / "dropped")
    assert (failed["row"], failed["rule"]) == (200, None)
    assert "finite" in failed["error"]
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["counts"]["failed_files"] == 1


def sample_poisoned(directory: Path) -> Path:
    """A scorer whose output is NaN for every text with a '!'."""
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer

    from beam_seed.quality.package import InputFormat, write_card

    tiny_scorer._scorer(directory)
    weights = load_file(directory / "model.safetensors")
    mark = Tokenizer.from_file(str(directory / "tokenizer.json")).token_to_id("!")
    weights["model.embed_tokens.weight"][mark] = float("nan")
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    write_card(directory, InputFormat("{language} ", 60, 48))
    return directory


@pytest.mark.parametrize(
    ("damage", "told"), [("none", "no Parquet file at"), ("text", "cannot be read"), ("columns", "lacks column 'repo'")]
)
def test_input_that_cannot_be_read_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, told: str) -> None:
    if damage == "text":
        (tmp_path / "t.parquet").write_text("PAR1 and nothing else")
    elif damage == "columns":
        pq.write_table(pa.table({"path": ["a"], "content": ["b"]}), tmp_path / "t.parquet")
    with pytest.raises(SystemExit) as stopped:
        score.main([f"--input={tmp_path}", f"--output={tmp_path / 'out'}"])
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
