"""The failure drill, its model: one that fails on some batches. What it cannot score is told, and scored later is only that."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sample_input
from tokenizers import Tokenizer

from beam_seed.quality import transforms
from beam_seed.quality.scorer import Scorer
from pipelines import cli

FILES = 120
WORSE, WORST = "~", "^"  # in the first line of one file, and of five others
BATCH = 8

Fall = Callable[[Collection[str]], list[bool]]


def text(number: int) -> str:
    mark = {7: WORSE, **dict.fromkeys((12, 31, 55, 56, 99), WORST)}.get(number, "-")
    return f"# {mark}\n{sample_input.python_source(number)}"


@pytest.fixture
def fall_ill(scorer: Path, monkeypatch: pytest.MonkeyPatch) -> Fall:
    """Let the model fail from now on where a batch has one of these marks; returns, for each whole batch, whether it did."""
    tokenizer = Tokenizer.from_file(str(scorer / "tokenizer.json"))
    monkeypatch.setattr(transforms._EncodeAndBatch, "MAX_WAITING", BATCH)
    score_tokens = Scorer.score_tokens

    def fall(marks: Collection[str]) -> list[bool]:
        ids = {tokenizer.token_to_id(mark) for mark in marks}
        fates: list[bool] = []

        def score(self: Scorer, batch):
            fails = any(ids & {*tokens.tolist()} for tokens in batch)
            if len(batch) == BATCH:
                fates.append(fails)
            if fails:
                raise RuntimeError("the device was lost")
            return score_tokens(self, batch)

        monkeypatch.setattr(Scorer, "score_tokens", score)
        return fates

    return fall


def make(command: str, folder: Path) -> str:
    if command == "github":
        for number in range(FILES):
            sample_input.write(folder / f"r{number % 10}", {f"m{number}.py": text(number)})
        return str(folder)
    folder.mkdir()
    columns = {"repo": ["r"] * FILES, "path": [f"m{n}.py" for n in range(FILES)], "content": [*map(text, range(FILES))]}
    pq.write_table(pa.table(columns), folder / "a.parquet", row_group_size=30)
    return str(folder)


def rows(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def published(output: Path) -> dict[str, bytes]:
    """Every file but what says when and how fast a run was."""
    files = {str(path.relative_to(output)): path for path in output.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not re.match(r"_|\.|report", name)}


def failed_in(command: str, output: Path) -> list[dict]:
    if command == "github":
        return rows(output / "failed")
    return [row for row in rows(output / "dropped") if row["error"]]


def assert_nothing_is_lost(command: str, output: Path) -> None:
    if command == "github":
        gone = [row for name in ("rejected", "failed") for row in rows(output / name) if row["variant"] in ("file_level", "both")]
        kept = rows(output / "corpora" / "file_level")
    else:
        gone, kept = rows(output / "dropped"), rows(output / "kept")
    assert sorted(row["path"] for row in [*gone, *kept]) == sorted(f"m{n}.py" for n in range(FILES))


@pytest.mark.parametrize("command", ["score", pytest.param("github", marks=pytest.mark.slow)])
def test_a_model_that_fails_on_some_batches(
    command: str, scorer: Path, fall_ill: Fall, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [command, f"--input={make(command, tmp_path / 'in')}", f"--scorer={scorer}", "--workers=1"]
    record = {"github": "manifest.json", "score": "scores.json"}[command]

    def run(name: str, *more: str) -> dict[str, int]:
        """Counters of the stage ``scores`` of a run that succeeds."""
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert cli.main([*told, f"--output={tmp_path / name}", *more]) == 0
        (line,) = [message for message in caplog.messages if ": scores: " in message]
        return {unit: int(count) for count, unit in re.findall(r"(\d+) (\w+)", line.rpartition(": ")[2])}

    assert run("clean") == {"in": FILES, "kept": FILES}

    # One batch of fifteen has one file that is too much, less than one file of a hundred: its neighbours are scored.
    fates = fall_ill([WORSE])
    assert run("few") == {"in": FILES, "kept": FILES - 1, "failed": 1}
    assert 0.05 < sum(fates) / len(fates) < 0.1
    (failed,) = failed_in(command, tmp_path / "few")
    assert (failed["path"], failed["error"]) == ("m7.py", "RuntimeError: the device was lost")
    assert_nothing_is_lost(command, tmp_path / "few")
    # Where the rest is known, what fails again is all that is scored, and no more of the whole than before.
    cache = f"--cache={tmp_path / 'few' / '_cache'}"
    assert run("again", cache) == {"in": FILES, "kept": FILES - 1, "failed": 1, "reused": FILES - 1}
    assert published(tmp_path / "again") == published(tmp_path / "few")
    fall_ill([])
    assert run("healed", cache) == {"in": FILES, "kept": FILES, "reused": FILES - 1}
    assert published(tmp_path / "healed") == published(tmp_path / "clean")

    # One file of twenty is more than a job may lose.
    fall_ill([WORSE, WORST])
    capsys.readouterr()
    assert cli.main([*told, f"--output={tmp_path / 'out'}"]) == 1
    unscored = tmp_path / "out" / "_work" / "unscored"
    error = f"6 of {FILES} documents could not be scored; expected at most the share 0.01. One error: RuntimeError: the device was lost"
    assert f"{error}; all are in {unscored}" in capsys.readouterr().err
    assert {row["path"] for row in rows(unscored)} == {f"m{n}.py" for n in range(FILES) if text(n)[2] != "-"}
    assert {row["error"] for row in rows(unscored)} == {"RuntimeError: the device was lost"}
    assert not (tmp_path / "out" / record).exists()
    fall_ill([])
    assert run("out") == {"in": FILES, "kept": FILES, "reused": FILES - 6}
    assert published(tmp_path / "out") == published(tmp_path / "clean")
    assert not unscored.exists()
    assert json.loads((tmp_path / "out" / record).read_text())
