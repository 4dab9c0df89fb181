"""Scoring in the main job is incremental: only what no earlier run scored is scored."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sample_input
import tiny_scorer

from beam_seed.quality.scorer import Scorer
from pipelines import github


def counted(arguments: list[str], caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Run the main job; what its log tells of the scores."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert github.main(["--workers=1", *arguments]) == 0
    told = [record.fields["counters"] for record in caplog.records if getattr(record, "fields", {}).get("stage") == "scores"]
    return {"scored": told[-1]["kept"] - told[-1].get("reused", 0), "reused": told[-1].get("reused", 0)} if told else {}


def qualities(output: Path) -> dict[str, float]:
    rows = [row for path in (output / "corpora" / "file_level").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return {f"{row['repo']}/{row['path']}": row["quality"] for row in rows}


@pytest.fixture
def grown(tmp_path: Path) -> list[str]:
    for number in range(10):
        sample_input.write(tmp_path / "in" / f"r{number}", {f"m{n}.py": sample_input.python_source(number * 10 + n) for n in range(4)})
    return [f"--input={tmp_path / 'in'}", "--drop-lowest=0"]


def test_a_grown_corpus_is_scored_where_it_is_new(grown: list[str], scorer: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    arguments = [*grown, f"--scorer={scorer}"]
    assert counted([*arguments, f"--output={tmp_path / 'out'}"], caplog) == {"scored": 40, "reused": 0}
    sample_input.write(tmp_path / "in" / "new", {f"m{n}.py": sample_input.python_source(1000 + n) for n in range(4)})
    assert counted([*arguments, f"--output={tmp_path / 'out'}"], caplog) == {"scored": 4, "reused": 40}
    anew = [f"--output={tmp_path / 'anew'}", f"--cache={tmp_path / 'none'}"]
    assert counted([*arguments, *anew], caplog) == {"scored": 44, "reused": 0}
    assert qualities(tmp_path / "out") == qualities(tmp_path / "anew")
    shared = [f"--output={tmp_path / 'other'}", f"--cache={tmp_path / 'out' / '_cache'}", "--shard-bytes=3000", "--partitions=3"]
    assert counted([*arguments, *shared], caplog) == {"scored": 0, "reused": 44}
    assert qualities(tmp_path / "other") == qualities(tmp_path / "anew")


def test_another_model_scores_again(grown: list[str], scorer: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = tiny_scorer._scorer(tmp_path / "other-model", seed=5)
    output = f"--output={tmp_path / 'out'}"
    assert counted([*grown, output, f"--scorer={scorer}"], caplog) == {"scored": 40, "reused": 0}
    assert counted([*grown, output, f"--scorer={other}"], caplog) == {"scored": 40, "reused": 0}
    model = Scorer.load(str(other))
    document = tiny_scorer._document(sample_input.python_source(31), path="m1.py")
    assert qualities(tmp_path / "out")["r3/m1.py"] == float(model.score([document])[0])
    assert counted([*grown, output, f"--scorer={scorer}"], caplog) == {"scored": 0, "reused": 40}


def test_a_damaged_cache_costs_time_and_nothing_else(
    grown: list[str], scorer: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = [*grown, f"--scorer={scorer}", f"--cache={tmp_path / 'cache'}"]
    counted([*arguments, f"--output={tmp_path / 'one'}"], caplog)
    for path in (tmp_path / "cache").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-9])
    assert counted([*arguments, f"--output={tmp_path / 'two'}"], caplog) == {"scored": 40, "reused": 0}
    assert qualities(tmp_path / "one") == qualities(tmp_path / "two")
