import json
from pathlib import Path

import pytest

from beam_seed.estimate.model import GB, SERVICE_OVERHEAD, SHUFFLE_BYTES, Prices, Sample, estimate, rates
from pipelines import estimate as command

PRICES = Prices("USD", 1.0, 0.5, 2.0, 10.0, 0.0, 0.0, 3.0, 4.0, 8.0)  # a core hour is 2


def sample(size: int, seconds: float, **more: float) -> Sample:
    return Sample(size, size // 1000, 2, {"measures": seconds, **more}, size // 2)


def test_one_run_is_scaled_as_a_whole():
    found = estimate([sample(10**9, 1800)], 10**12, PRICES)
    (stage,) = found.stages
    assert stage.core_hours == (500, 1000, 1000 * SERVICE_OVERHEAD)
    assert stage.money.expected == 2000
    assert found.shuffle_gb == 10**9 * SHUFFLE_BYTES / GB
    assert found.storage_gb == 500
    assert found.total.expected == 2000 + found.shuffle_gb * 10
    assert found.storage_money == 1500


def test_two_runs_tell_fixed_cost_from_growth():
    # 100 s to start and 1 s for each MB: at 1 TB a million seconds and 100, of two cores.
    runs = [sample(10**9, 1100), sample(2 * 10**9, 2100)]
    (stage,) = estimate(runs, 10**12, PRICES).stages
    assert stage.core_hours.expected == pytest.approx(1_000_100 * 2 / 3600)
    (alone,) = estimate(runs[:1], 10**12, PRICES).stages
    assert alone.core_hours.expected > stage.core_hours.expected


def test_runs_of_nearly_one_size_tell_a_range_and_no_growth():
    (stage,) = estimate([sample(10**9, 1000), sample(11 * 10**8, 900)], 10**10, PRICES).stages
    assert stage.core_hours.low == pytest.approx(900 * 2 / 3600 * 100 / 11)
    assert stage.core_hours.high == pytest.approx(SERVICE_OVERHEAD * 1000 * 2 / 3600 * 10)


def test_a_gpu_takes_over_the_scores_alone():
    found = estimate([sample(10**9, 1800, scores=3600)], 10**9, PRICES, gpu_speedup=50)
    measures, scores = found.stages
    assert measures.gpu_hours.high == 0
    assert scores.gpu_hours.expected == 2 / 50
    assert scores.money.expected == pytest.approx(2 / 50 * (4 + 8 * 2))


def test_rates_are_what_was_measured():
    told = rates(sample(10**9, 500), PRICES)
    assert told["measures"] == told["total"]
    assert told["total"]["mb_per_core_second"] == 1.0
    assert told["total"]["money_per_tb"] == pytest.approx(1000 / 3600 * 2 * 1000)


@pytest.mark.parametrize("samples", [[], [Sample(10, 1, 1, {}, 0)], [sample(0, 1)]])
def test_without_a_run_there_is_no_estimate(samples):
    with pytest.raises(ValueError, match="expected the output of a run"):
        estimate(samples, 10, PRICES)


def test_sizes():
    assert [command.parse_size(text) for text in ("10", "3k", "1.5M", "2T")] == [10, 3000, 1_500_000, 2 * 10**12]
    for wrong in ("", "T", "-1G", "3X", "nan", "infT", "0"):
        with pytest.raises(ValueError, match="expected"):
            command.parse_size(wrong)


def test_prices_are_checked(tmp_path: Path):
    own = tmp_path / "prices.yaml"
    own.write_text("currency: EUR\n")
    with pytest.raises(ValueError, match="expected exactly currency, vcpu_hour"):
        command.read_prices(str(own))
    with pytest.raises(ValueError, match="vcpu_hour is -1"):
        Prices.of(PRICES.__dict__ | {"vcpu_hour": -1})
    assert command.read_prices("").currency == "USD"


def test_the_command_reads_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    throughput = [
        {"stage": "documents", "seconds": 10.0, "bytes": 4 * 10**6, "files": 100, "reused": True},
        {"stage": "measures", "seconds": 2.0, "bytes": 4 * 10**6, "files": 100, "reused": False},
    ]
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.json").write_text(json.dumps({"read": {"bytes": 4 * 10**6, "files": 100}, "throughput": throughput}))
    assert command.main([f"--run={run}", "--size=1G", "--cores=2", f"--output={tmp_path / 'found.json'}"]) == 0
    printed = capsys.readouterr().out
    assert "measures" in printed
    assert "documents" not in printed, "it was reused: nothing was measured"
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["measured"]["measures"]["mb_per_core_second"] == 1.0
    assert found["estimate"]["stages"][0]["core_hours"]["expected"] == pytest.approx(250 * 4 / 3600)


@pytest.mark.parametrize("arguments", [[], ["--run=nowhere"], ["--run=nowhere", "--size=3X"]])
def test_wrong_command_lines_are_told(arguments: list[str]):
    with pytest.raises(SystemExit) as raised:
        command.main(arguments)
    assert raised.value.code == 2
