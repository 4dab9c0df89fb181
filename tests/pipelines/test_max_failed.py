"""Too many failed documents fail a job, with a line that says how many and where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_job

from beam_seed import failures


@pytest.fixture
def notes(tmp_path: Path) -> list[str]:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("\n".join([*(f"n{number} four words of {number}" for number in range(9)), "broken x"]))
    return [f"--input={tmp_path / 'in'}", f"--output={tmp_path / 'out'}", "--workers=1"]


def test_a_few_failures_are_none_of_the_limit(notes: list[str], tmp_path: Path) -> None:
    assert toy_job.main(notes) == 0
    assert (tmp_path / "out" / "manifest.json").exists()


def test_too_many_fail_the_job(
    notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "FEW", 0)
    assert toy_job.main(notes) == 1
    told = capsys.readouterr().err
    assert "not more failed than max_failed_share, 0.05, allows (1 of 10; their errors are in failed/)" in told
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert (tmp_path / "out" / "failed").exists()
    monkeypatch.undo()
    assert toy_job.main(notes) == 0, "it goes on from what is there"


def test_the_limit() -> None:
    assert not failures.too_many(100, 20, 0.0)
    assert failures.too_many(100, 21, 0.2)
    assert not failures.too_many(1000, 50, 0.05)
    assert failures.too_many(1000, 51, 0.05)
    failures.check_failed(1000, 50, 0.05, "out/failed")
    with pytest.raises(RuntimeError, match=r"51 of 1,000 documents failed; expected at most the share 0.05 .* in out/failed"):
        failures.check_failed(1000, 51, 0.05, "out/failed")
