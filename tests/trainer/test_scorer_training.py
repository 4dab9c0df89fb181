import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from beam_seed.quality.scorer import Scorer
from beam_seed.trainer import scorer as trainer
from beam_seed.trainer.labels import read_labels, split

SMALL = [
    "--hidden-size=32",
    "--layers=1",
    "--vocabulary=300",
    "--max-length=32",
    "--max-characters=64",
    "--batch=8",
    "--device-batch=4",
    "--learning-rate=0.01",
    "--held-out=0.2",
    "--save-steps=5",
    "--bag-epochs=0",
]


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    """Files of digits are good, files of letters are not: something that a tiny model can learn."""
    random = np.random.default_rng(1)
    rows = []
    for n in range(600):
        good = bool(random.integers(2))
        content = "".join(random.choice(list("0123456789" if good else "abcdefghij"), size=random.integers(3, 40)))
        rows.append(
            {"repo": f"owner/project{n % 40}", "path": f"{n}.py", "language": "Python", "content": content, "rating": 9 if good else 1}
        )
    folder = tmp_path_factory.mktemp("labels")
    pq.write_table(pa.Table.from_pylist(rows[:300]), folder / "a.parquet")
    pq.write_table(pa.Table.from_pylist(rows[300:]), folder / "b.parquet")
    return folder


def arguments(labels: Path, output: Path, *flags: str) -> list[str]:
    return [f"--labels={labels}", f"--output={output}", *SMALL, *flags]


def start(labels: Path, output: Path, *flags: str, processes: int = 1) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        "beam_seed.trainer.scorer",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd(), "HF_HUB_OFFLINE": "1"}
    everything = [*command, *arguments(labels, output, *flags)]
    return subprocess.Popen(everything, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def run(labels: Path, output: Path, *flags: str, processes: int = 1) -> Path:
    process = start(labels, output, *flags, processes=processes)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0, errors[-3000:]
    return output


@pytest.fixture(scope="module")
def trained(labels, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("one")
    trainer.main(arguments(labels, output))
    return output


def losses(output: Path) -> list[float]:
    return json.loads((output / "scorer.json").read_text())["training"]["loss"]


def test_the_package_is_a_scorer_that_learned(trained, labels):
    card = json.loads((trained / "scorer.json").read_text())
    assert card["evaluation"]["scorer"]["mae"] < 1 < 3 < card["evaluation"]["mean"]["mae"]
    assert card["evaluation"]["scorer"]["spearman"] > 0.7
    _, held_out = split(read_labels([str(labels)]), 0.2)
    scores = Scorer.load(str(trained)).score([label.document for label in held_out])
    assert np.abs(10 * scores - [label.rating for label in held_out]).mean() == pytest.approx(card["evaluation"]["scorer"]["mae"], abs=1e-3)
    assert sorted(path.name for path in trained.iterdir()) == ["config.json", "model.safetensors", "scorer.json", "tokenizer.json"]


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(trained, labels, tmp_path):
    assert losses(run(labels, tmp_path, processes=2)) == pytest.approx(losses(trained), rel=1e-3)
    assert len(losses(trained)) > 4


@pytest.mark.slow
def test_killed_and_continued_gives_the_same_weights(labels, tmp_path_factory):
    uninterrupted = run(labels, tmp_path_factory.mktemp("uninterrupted"))
    tmp_path = tmp_path_factory.mktemp("interrupted")
    process = start(labels, tmp_path)
    while not list((tmp_path / "checkpoints").glob("checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.stderr.read()[-3000:]
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "scorer.json").exists()
    run(labels, tmp_path)
    expected, found = load_file(uninterrupted / "model.safetensors"), load_file(tmp_path / "model.safetensors")
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)


def test_fine_tuning_starts_from_a_local_model(trained, labels, tmp_path):
    trainer.main(arguments(labels, tmp_path, f"--model={trained}", "--learning-rate=0.0001"))
    assert losses(tmp_path)[0] < losses(trained)[0] / 2


def test_bag_of_tokens_gives_a_head_start(trained, labels, tmp_path):
    trainer.main(arguments(labels, tmp_path, "--bag-epochs=5"))
    assert losses(tmp_path)[0] < losses(trained)[0] / 2


def test_order_is_a_permutation_by_the_seed_with_batches_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 500, 3333).tolist()
    order = trainer.training_order(lengths, 8, 3)
    assert len(order) == len(set(order)) == 3328
    assert order == trainer.training_order(lengths, 8, 3) != trainer.training_order(lengths, 8, 4)
    spread = np.ptp(np.array(lengths)[order].reshape(-1, 8), axis=1).mean()
    assert spread < 30
    assert np.corrcoef(np.arange(3328), np.array(lengths)[order])[0, 1] < 0.1


def test_another_run_in_the_same_folder_is_refused(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="run with other options"):
        trainer._prepare(tmp_path, trainer.Options(), trainer.InputFormat("", 1, 1), [])


def test_batch_that_cannot_be_divided(tmp_path):
    with pytest.raises(ValueError, match="multiple of 3 processes"):
        trainer._arguments(trainer.Options(batch=32), tmp_path, 3)


def test_no_labels(tmp_path):
    with pytest.raises(FileNotFoundError, match="matches no file"):
        trainer.main([f"--labels={tmp_path}", f"--output={tmp_path / 'out'}"])
