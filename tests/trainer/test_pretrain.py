import json
import math
import shutil
from pathlib import Path

import processes as torchrun
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import training_shards
from safetensors.torch import load_file
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers import AutoModelForCausalLM, AutoTokenizer

from beam_seed.shards.format import SEQUENCES
from beam_seed.trainer import checkpoints, language_model, pretrain
from beam_seed.trainer.batches import Batches
from beam_seed.trainer.pretrain import Options, plan, summed_loss
from beam_seed.trainer.reader import Shards, chain
from beam_seed.trainer.training_log import lines

COUNT = 96  # sequences; twelve steps
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
FLAGS = ["--batch=8", "--device-batch=4", "--learning-rate=0.01", "--warmup-steps=2", "--save-steps=4", "--log-steps=1", "--workers=0"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return training_shards.write_shards(tmp_path_factory.mktemp("pretrain") / "shards", COUNT)[0]


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shape") / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


def arguments(shards: Path, shape: Path | None, output: Path, *flags: str) -> list[str]:
    return [f"--shards={shards}", f"--output={output}", *([f"--model={shape}"] if shape else []), *FLAGS, *flags]


@pytest.fixture(scope="module")
def trained(shards, shape, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "out"
    pretrain.main(arguments(shards, shape, output))
    return output


def log(output: Path) -> list[dict]:
    return lines(output / "log.jsonl")


def losses(output: Path) -> list[float]:
    return [line["loss"] for line in log(output)]


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "model" / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_sees_every_sequence_once(trained):
    told = log(trained)
    assert [line["step"] for line in told] == list(range(1, 13))
    assert told[0]["loss"] > 5 > 4.5 > told[-1]["loss"]
    assert told[-1]["sequences"] == COUNT
    assert told[-1]["digest"] == chain(bytes(32), training_shards.ids(COUNT)).hex()
    assert all(line["gradient_norm"] > 0 and line["tokens_per_second"] > 0 and line["tflops"] > 0 for line in told)
    assert "mfu" not in told[-1], "nobody knows this device's peak"
    assert [line["learning_rate"] for line in told][2:] == sorted((line["learning_rate"] for line in told[2:]), reverse=True)


def test_what_is_logged_is_on_the_board(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("loss")] == list(range(1, 13))
    assert [event.value for event in board.Scalars("loss")] == pytest.approx(losses(trained))
    assert {"tokens_per_second", "gradient_norm", "learning_rate", "tflops"} <= set(board.Tags()["scalars"])


def test_the_model_loads_as_any_other(trained, shards):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(trained / "model"), AutoTokenizer.from_pretrained(trained / "model")
    text = "abcdefghijkl"
    tokens = tokenizer(text, return_tensors="pt").input_ids
    assert tokens.tolist() == [training_shards.tokenizer().encode(text).ids]
    assert tokenizer.decode(tokens[0]) == text
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<[end]>", "<[pad]>")
    assert (trained / "model" / "tokenizer.json").read_bytes() == (shards / "tokenizer" / "tokenizer.json").read_bytes()
    step = next(iter(Batches(str(shards), COUNT - 8, COUNT, 8)))
    loss = summed_loss(model, step.tokens, step.positions, step.labels).item() / int((step.labels[:, 1:] >= 0).sum())
    assert loss < losses(trained)[-1] + 0.1, "the weights are those that were trained"


def test_the_last_checkpoints_are_kept(trained):
    assert [path.name for path in checkpoints.whole(trained / "checkpoints")] == ["step-00000008", "step-00000012"]
    progress = checkpoints.progress_of(trained / "checkpoints" / "step-00000012")
    assert (progress.step, progress.sequences, progress.digest) == (12, COUNT, log(trained)[-1]["digest"])


# Other orders of addition differ in the seventh digit at first, and Adam divides by the size of small gradients.
SAME_CURVE = 1e-3


@pytest.mark.parametrize("flag", ["--device-batch=1", "--device-batch=8", "--activation-checkpointing", "--workers=1"])
def test_what_changes_memory_or_speed_alone_changes_no_loss(trained, shards, shape, tmp_path, flag):
    pretrain.main(arguments(shards, shape, tmp_path, flag))
    assert losses(tmp_path) == pytest.approx(losses(trained), rel=SAME_CURVE)


def test_layers_in_bfloat16_as_on_gpus(trained, shards, shape, tmp_path, monkeypatch):
    def policy():
        return MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)

    monkeypatch.setattr(language_model, "MixedPrecisionPolicy", policy)
    pretrain.main(arguments(shards, shape, tmp_path, "--activation-checkpointing"))
    assert losses(tmp_path) != losses(trained)
    assert losses(tmp_path) == pytest.approx(losses(trained), rel=0.02)
    assert {weight.dtype for weight in weights(tmp_path).values()} == {torch.float32}


def test_a_seed_decides_all(trained, shards, shape, tmp_path):
    pretrain.main(arguments(shards, shape, tmp_path / "same"))
    assert same(weights(tmp_path / "same"), weights(trained))
    pretrain.main(arguments(shards, shape, tmp_path / "other", "--seed=1"))
    assert losses(tmp_path / "other")[0] != losses(trained)[0]


class CutError(Exception):
    pass


def cut_after(monkeypatch, step: int) -> None:
    """The run breaks off while it writes its checkpoint of that step."""
    save = checkpoints.save_state

    def saves(state, checkpoint_id):
        save(state, checkpoint_id=checkpoint_id)
        if checkpoint_id.name == f"step-{step:08d}.tmp":
            raise CutError

    monkeypatch.setattr(checkpoints, "save_state", saves)


def test_cut_short_and_continued_gives_the_same_weights(trained, shards, shape, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        cut_after(patch, 8)
        with pytest.raises(CutError):
            pretrain.main(arguments(shards, shape, tmp_path))
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["step-00000004", "step-00000008.tmp"]
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')
    pretrain.main(arguments(shards, shape, tmp_path))
    assert same(weights(tmp_path), weights(trained))
    assert losses(tmp_path) == losses(trained)
    assert log(tmp_path)[-1]["digest"] == log(trained)[-1]["digest"]
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["step-00000008", "step-00000012"]


def test_a_finished_run_is_not_trained_again(trained, shards, shape, tmp_path):
    shutil.copytree(trained, tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "model")
    pretrain.main(arguments(shards, shape, tmp_path / "out"))
    assert same(weights(tmp_path / "out"), weights(trained))
    assert losses(tmp_path / "out") == losses(trained)


def test_epochs_repeat_the_order_and_the_last_step_may_be_smaller(shards, shape, tmp_path):
    pretrain.main(arguments(shards, shape, tmp_path, "--epochs=2", "--batch=20"))
    told = log(tmp_path)
    assert [line["sequences"] for line in told][-2:] == [180, 192]
    assert len(told) == math.ceil(192 / 20)
    assert told[-1]["digest"] == chain(bytes(32), training_shards.ids(COUNT) * 2).hex()
    assert told[-1]["tokens"] == 2 * Shards(str(shards)).manifest.tokens["text"]


def test_steps_end_a_run_early(shards, shape, tmp_path):
    flags = ["--schedule=wsd", "--decay=0.5"]
    pretrain.main(arguments(shards, shape, tmp_path, "--steps=3", *flags))
    assert [line["sequences"] for line in log(tmp_path)] == [8, 16, 24]
    with pytest.raises(ValueError, match="steps was 3, is 4"):
        pretrain.main(arguments(shards, shape, tmp_path, "--steps=4", *flags))
    others, _ = training_shards.write_shards(tmp_path / "others", COUNT, seed=1)
    with pytest.raises(ValueError, match=r"shards was .*, is "):
        pretrain.main(arguments(others, shape, tmp_path, "--steps=3", *flags))


def test_a_step_of_sequences_that_a_takedown_emptied_teaches_nothing(shards, shape, tmp_path):
    folder, manifest = tmp_path / "shards", json.loads((shards / "manifest.json").read_text())
    shutil.copytree(shards, folder)
    path = folder / manifest["shards"][0]["path"]
    rows = pq.read_table(path).to_pylist()
    emptied = [row | ({"tokens": [0] * len(row["tokens"]), "pieces": []} if n < 8 else {}) for n, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(emptied, SEQUENCES), path)
    manifest["shards"][0] |= {"size": path.stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pretrain.main(arguments(folder, shape, tmp_path / "out"))
    told = log(tmp_path / "out")
    assert (told[0]["loss"], told[0]["gradient_norm"], told[0]["tokens"], told[0]["sequences"]) == (0, 0, 0, 8)
    assert told[-1]["digest"] == chain(bytes(32), training_shards.ids(COUNT)).hex()
    assert told[-1]["loss"] < 4.5


def test_a_loss_that_is_no_number_ends_the_run(shards, shape, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "summed_loss", lambda model, *batch: summed_loss(model, *batch) * math.nan)
    with pytest.raises(FloatingPointError, match="gradient norm is nan at step 1"):
        pretrain.main(arguments(shards, shape, tmp_path))
    assert checkpoints.whole(tmp_path / "checkpoints") == []


@pytest.mark.parametrize("start", ["model", "checkpoints/step-00000012"])
def test_the_next_phase_goes_on_with_longer_sequences_and_another_rope(trained, tmp_path, start):
    longer, _ = training_shards.write_shards(tmp_path / "longer", 24, length=96, seed=7)
    flags = [f"--init-from={trained / start}", "--rope-theta=1000000", "--learning-rate=0.001"]
    pretrain.main(arguments(longer, None, tmp_path / "out", *flags))
    assert losses(tmp_path / "out")[0] < losses(trained)[-1] + 0.3 < losses(trained)[0]
    config = json.loads((tmp_path / "out" / "model" / "config.json").read_text())
    assert (config["max_position_embeddings"], config["rope_parameters"]["rope_theta"]) == (96, 1e6)
    assert log(tmp_path / "out")[-1]["step"] == 3


def test_another_tokenizer_is_refused_and_one_that_lacks_our_tokens_is_not(trained, shards, tmp_path):
    shutil.copytree(trained / "model", tmp_path / "model")
    given = Options(shards=str(shards), output=str(tmp_path / "out"), init_from=str(tmp_path / "model"), batch=8, steps=1, workers=0)
    path = tmp_path / "model" / "tokenizer.json"
    told = json.loads(path.read_text())
    lacking = told | {"added_tokens": told["added_tokens"][:-1]}
    del lacking["model"]["vocab"][told["added_tokens"][-1]["content"]]
    path.write_text(json.dumps(lacking, indent=3))
    pretrain.train(given)
    vocabulary = lacking["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match="was trained with another tokenizer"):
        pretrain.train(given)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no checkpoint of ours and has no tokenizer"):
        pretrain.train(given)


def test_a_checkpoint_of_another_tokenizer_is_refused(trained, shards, tmp_path):
    start = tmp_path / "step-00000012"
    shutil.copytree(trained / "checkpoints" / start.name, start)
    (start / "state.json").write_text(json.dumps(checkpoints.progress_of(start)._replace(tokenizer="0" * 64)._asdict()))
    with pytest.raises(ValueError, match="was trained with another tokenizer"):
        pretrain.train(Options(shards=str(shards), output=str(tmp_path / "out"), init_from=str(start), batch=8))
    assert not (tmp_path / "out").exists(), "the folder is free for another attempt"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output": "gs://bucket/out"}, "expected a local folder"),
        ({"model": ""}, "expected one of them"),
        ({"init_from": "x"}, "expected one of them"),
        ({"steps": 13}, "1 epochs of 96 sequences are 12 steps of 8; expected fewer steps, or more epochs"),
        ({"device_batch": 3}, "batch is 8; expected a multiple of 1 processes times device_batch 3"),
        ({"compile": True}, "compile is for GPUs"),
    ],
)
def test_options_that_cannot_be_run(shards, tmp_path, given, message):
    options = {"shards": str(shards), "output": str(tmp_path / "out"), "model": "tiny", "batch": 8, "workers": 0} | given
    with pytest.raises(ValueError, match=message):
        pretrain.train(Options(**options))


def test_a_plan_ends_with_the_data_or_the_steps(shards):
    manifest = Shards(str(shards)).manifest
    stop, schedule = plan(Options(batch=10, epochs=2), manifest)
    assert (stop, schedule.steps, schedule.warmup) == (192, 20, 10), "no more than half of a short run warms up"
    stop, schedule = plan(Options(batch=10, steps=7, warmup_steps=1, learning_rate=1e-3, floor=0.5), manifest)
    assert (stop, schedule.steps, schedule.warmup, schedule.floor) == (70, 7, 1, 5e-4)


PROGRAM = ("-m", "beam_seed.trainer.pretrain")


@pytest.mark.slow
def test_two_processes_train_200_steps_as_one_does(tmp_path):
    shards, _ = training_shards.write_shards(tmp_path / "shards", 400)
    flags = [f"--shards={shards}", "--model=tiny", "--batch=8", "--device-batch=4", "--epochs=4", "--learning-rate=0.001", "--workers=0"]
    for processes in (1, 2):
        torchrun.run([*PROGRAM, *flags, f"--output={tmp_path / str(processes)}"], processes)
    one, two = losses(tmp_path / "1"), losses(tmp_path / "2")
    assert log(tmp_path / "2")[-1]["step"] == 200
    assert two[0] > 2 > 0.5 > two[-1]
    assert two == pytest.approx(one, abs=1e-3, rel=1e-3)
    assert log(tmp_path / "1")[-1]["digest"] == log(tmp_path / "2")[-1]["digest"]


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 2)])
def test_killed_and_continued_by_other_processes(shards, shape, tmp_path, before, after):
    flags = ["--epochs=4", "--save-steps=3", "--log-steps=1"]
    uninterrupted, output = tmp_path / "uninterrupted", tmp_path / "killed"
    torchrun.run([*PROGRAM, *arguments(shards, shape, uninterrupted, *flags)], before)
    process = torchrun.start([*PROGRAM, *arguments(shards, shape, output, *flags)], before)
    torchrun.kill_when(process, output / "checkpoints", "step-00000006")
    assert not (output / "model").exists()
    assert checkpoints.progress_of(checkpoints.whole(output / "checkpoints")[-1]).step < 48
    torchrun.run([*PROGRAM, *arguments(shards, shape, output, *flags)], after)
    assert [line["step"] for line in log(output)] == list(range(1, 49))
    assert log(output)[-1]["digest"] == log(uninterrupted)[-1]["digest"] == chain(bytes(32), training_shards.ids(COUNT) * 4).hex()
    assert losses(output) == pytest.approx(losses(uninterrupted), abs=1e-3, rel=1e-3)
    if before == after:
        assert same(weights(output), weights(uninterrupted))
        assert losses(output) == losses(uninterrupted)
