import json
from pathlib import Path

import pytest
import torch
import training_shards
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForCausalLM

from beam_seed.trainer.batches import Batches
from beam_seed.trainer.language_model import configuration, count_parameters
from beam_seed.trainer.pretrain import summed_loss
from beam_seed.trainer.reader import Shards
from beam_seed.trainer.schedule import Schedule
from beam_seed.trainer.throughput import Meter, flops, peak

COUNT = 20  # sequences
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    return training_shards.write_shards(tmp_path_factory.mktemp("model") / "shards", COUNT)[0]


@pytest.fixture(scope="module")
def shape(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shape") / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


def small_model(shards: Path, shape: Path, attention: str = "sdpa") -> LlamaForCausalLM:
    torch.manual_seed(1)
    config = configuration(str(shape), Shards(str(shards)).manifest)
    config._attn_implementation = attention
    return LlamaForCausalLM(config)


def test_packed_documents_have_the_logits_and_losses_they_have_alone(shards, shape):
    model, step = small_model(shards, shape), next(iter(Batches(str(shards), 0, COUNT, 16)))
    packed = model(input_ids=step.tokens, position_ids=step.positions, use_cache=False).logits
    total = 0.0
    for row, pieces in enumerate(next(Shards(str(shards)).read(0, 7)).pieces):
        start = 0
        for length in pieces.tolist():
            alone = step.tokens[None, row, start : start + length]
            logits = model(input_ids=alone, use_cache=False).logits[0]
            torch.testing.assert_close(packed[row, start : start + length], logits, atol=1e-5, rtol=1e-4)
            if length > 1:
                total += torch.nn.functional.cross_entropy(logits[:-1], alone[0, 1:], reduction="sum").item()
            start += length
    assert summed_loss(model, step.tokens[:7], step.positions[:7], step.labels[:7]).item() == pytest.approx(total, rel=1e-5)


def test_without_the_positions_they_would_differ(shards, shape):
    """The test above can fail."""
    model, step = small_model(shards, shape), next(iter(Batches(str(shards), 0, COUNT, 16)))
    packed = model(input_ids=step.tokens, position_ids=step.positions, use_cache=False).logits
    assert not torch.allclose(packed, model(input_ids=step.tokens, use_cache=False).logits, atol=1e-2)


@pytest.mark.slow
def test_flex_attention_has_the_mask_too(shards, shape):
    """The attention of GPUs, compiled for a CPU: forward only, which is all it can do there."""
    step = next(iter(Batches(str(shards), 0, COUNT, 4)))
    with torch.no_grad():
        found = small_model(shards, shape, "flex_attention")(input_ids=step.tokens, position_ids=step.positions, use_cache=False).logits
        expected = small_model(shards, shape)(input_ids=step.tokens, position_ids=step.positions, use_cache=False).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (SMALL | {"hidden_sizes": 3}, "unknown keys hidden_sizes"),
        ({"hidden_size": 32}, "no number intermediate_size"),
        (SMALL | {"model_type": "gpt2"}, "no Llama model"),
        ([1], "no Llama model"),
        (SMALL | {"rms_norm_eps": "small"}, "no Llama model .*rms_norm_eps"),
        (SMALL | {"hidden_size": 33}, "no Llama model .*multiple"),
        (SMALL | {"vocab_size": 100}, "vocab_size 100; expected at least the 269"),
        (SMALL | {"tie_word_embeddings": True}, "ties its embeddings"),
    ],
)
def test_what_describes_no_model(shards, tmp_path, told, message):
    (tmp_path / "model.yaml").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=message):
        configuration(str(tmp_path / "model.yaml"), Shards(str(shards)).manifest)
    with pytest.raises(FileNotFoundError, match="expected one of 1b, seed-coder-8b, tiny"):
        configuration("8b", Shards(str(shards)).manifest)


def test_parameters_are_the_recipes(shards):
    manifest = Shards(str(shards)).manifest._replace(vocabulary=43_000, sequence_length=8192)
    config = configuration("seed-coder-8b", manifest)
    everything, products = count_parameters(config)
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    assert products == 36 * layer + 43_000 * 4096
    assert everything == products + 43_000 * 4096 + (2 * 36 + 1) * 4096
    assert everything == pytest.approx(8.2e9, rel=0.005)
    assert (config.max_position_embeddings, config.rope_parameters["rope_theta"]) == (8192, 500_000)
    assert configuration("seed-coder-8b", manifest, 2e6).rope_parameters["rope_theta"] == 2e6
    assert count_parameters(configuration("1b", manifest))[0] == pytest.approx(1.0e9 + 2 * 43_000 * 2048, rel=0.01)


def test_flops_are_what_torch_counts(shards, shape):
    model, length = small_model(shards, shape, "eager"), 40
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.ones(1, length, dtype=torch.long), use_cache=False).logits.sum().backward()
    products = count_parameters(model.config)[1]
    attention = flops(model.config, products, 0, length**2)
    assert counter.get_total_flops() == flops(model.config, products, length, length**2) + attention, (
        "torch counts what the mask leaves out"
    )


def test_mfu_is_the_share_of_a_known_peak(shards, shape, monkeypatch):
    config = small_model(shards, shape).config
    seconds = iter([10.0, 14.0, 14.0, 15.0, 15.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(seconds))
    meter = Meter(config, 10**9, 2, "NVIDIA H100 80GB HBM3")
    meter.add(1_000_000, 0)
    meter.pause(2.0)  # of the four seconds
    assert meter.read() == {"tokens_per_second": 500_000, "tflops": 1500, "mfu": round(1500 / 989.4, 4)}
    assert meter.read()["tokens_per_second"] == 0, "since the last reading"
    names = ["NVIDIA H100 PCIe", "NVIDIA A100-SXM4-80GB", "NVIDIA H200", "NVIDIA L4", "NVIDIA L40S", "cpu"]
    assert [peak(name) for name in names] == [756e12, 312e12, 989.4e12, 121e12, 362e12, None]


def test_schedules():
    cosine = [Schedule("cosine", 1.0, 0.1, 100, 10, 0).rate(step) for step in range(100)]
    assert cosine[:11] == pytest.approx([(step + 1) / 11 for step in range(11)])
    assert cosine[10] == max(cosine) == 1.0
    assert cosine[10:] == sorted(cosine[10:], reverse=True)
    assert cosine[99] == pytest.approx(0.1)
    assert Schedule("cosine", 1.0, 0.1, 101, 10, 0).rate(55) == pytest.approx(0.55), "half of the way"
    wsd = [Schedule("wsd", 1.0, 0.0, 100, 10, 20).rate(step) for step in range(100)]
    assert set(wsd[10:80]) == {1.0}
    assert wsd[79:] == pytest.approx([1 - n / 20 for n in range(21)])
    assert {Schedule("constant", 0.5, 0.1, 100, 0, 20).rate(step) for step in range(100)} == {0.5}
