"""The language model: its configuration, initial weights, shards of it on each process, and the directory it is published as."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import yaml
from huggingface_hub.errors import StrictDataclassError
from tokenizers import Tokenizer
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, set_model_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from beam_seed.shards.format import Manifest

PRESETS = Path(__file__).parent / "presets"

_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")


def configuration(source: str, manifest: Manifest, rope_theta: float = 0.0) -> LlamaConfig:
    """The model that ``source`` describes, for the vocabulary and sequence length of ``manifest``'s shards.

    source: a preset's name, a YAML or JSON file of LlamaConfig's keys, or a directory with such a ``config.json``.
    rope_theta: base of the rotary embeddings; 0: what ``source`` says, else Llama 3's 500,000.
    Raises FileNotFoundError or ValueError on what describes no Llama model.
    """
    path = PRESETS / f"{source}.yaml"
    if not path.is_file():
        path = Path(source, "config.json") if Path(source).is_dir() else Path(source)
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in PRESETS.glob("*.yaml")))
        raise FileNotFoundError(f"{source!r} is no model; expected one of {known}, a YAML or JSON file, or a directory with config.json")
    told = _settings(path)
    if not Path(source).is_dir() and (unknown := set(told) - {*LlamaConfig().to_dict(), "rope_theta"}):
        raise ValueError(f"{path} has the unknown keys {', '.join(sorted(unknown))}; expected keys of LlamaConfig")
    rope = {"rope_type": "default", "rope_theta": told.pop("rope_theta", None) or 500_000.0}
    rope |= told.pop("rope_scaling", None) or told.pop("rope_parameters", None) or {}  # older directories have the former
    rope |= {"rope_theta": rope_theta} if rope_theta else {}
    given = told.pop("vocab_size", None)
    if given is not None and given < manifest.vocabulary:
        raise ValueError(f"{path} has vocab_size {given}; expected at least the {manifest.vocabulary} of the shards' tokenizer")
    told |= {"vocab_size": given or manifest.vocabulary, "max_position_embeddings": manifest.sequence_length, "use_cache": True}
    told |= {"rope_parameters": rope, "tie_word_embeddings": False}
    told |= {"pad_token_id": manifest.padding, "eos_token_id": manifest.end, "bos_token_id": None}
    try:
        return LlamaConfig(**told)
    except (StrictDataclassError, TypeError) as error:
        raise ValueError(f"{path} describes no Llama model ({' '.join(str(error).split())}); expected LlamaConfig's values") from error


def _settings(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        told = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)  # YAML takes JSON's 1e-06 for text
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} is no YAML or JSON ({error}); expected keys of LlamaConfig") from error
    if not isinstance(told, dict) or told.get("model_type", "llama") != "llama":
        raise ValueError(f"{path} describes no Llama model; expected keys of LlamaConfig such as {', '.join(_SIZES)}")
    if missing := [name for name in _SIZES if not isinstance(told.get(name), int)]:
        raise ValueError(f"{path} has no number {', '.join(missing)}; expected {', '.join(_SIZES)}")
    if told.get("tie_word_embeddings"):
        raise ValueError(f"{path} ties its embeddings; expected a model with an output layer of its own")
    return told


def count_parameters(config: LlamaConfig) -> tuple[int, int]:
    """Parameters in all, and those in matrix products: all but the input embeddings and the norms' weights."""
    with torch.device("meta"):
        weights = dict(LlamaForCausalLM(config).named_parameters())
    products = sum(weight.numel() for name, weight in weights.items() if weight.ndim == 2 and "embed_tokens" not in name)
    return sum(weight.numel() for weight in weights.values()), products


def shard(config: LlamaConfig, device: torch.device, checkpointing: bool, compiled: bool) -> LlamaForCausalLM:
    """The model with uninitialised weights, each process holding its part (FSDP2, one unit for each layer).

    On GPUs layers compute in bfloat16 from float32 weights, gradients are summed in float32, and attention is torch's flex attention, whose
    blocks within other documents are skipped; on a CPU all is float32 and attention gets a mask.
    """
    gpu = device.type == "cuda"
    config._attn_implementation = "flex_attention" if gpu else "sdpa"
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    if checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    precision = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if gpu else MixedPrecisionPolicy()
    for layer in model.model.layers:
        if compiled:
            layer.compile()
        fully_shard(layer, mp_policy=precision)
    fully_shard(model, mp_policy=precision)
    model.to_empty(device=device)
    model.model.rotary_emb = type(model.model.rotary_emb)(config).to(device)  # computed, not stored; to_empty has emptied it
    return model.train()


def initialise(model: LlamaForCausalLM, directory: str, seed: int) -> None:
    """Give the model the weights in a Hugging Face ``directory``, or random ones ('').

    The first process makes or reads them whole, so they do not depend on how many processes there are. Raises ValueError where the
    directory's weights do not fit.
    """
    weights: dict[str, Any] = {}
    if dist.get_rank() == 0:
        if directory:
            loaded, told = AutoModelForCausalLM.from_pretrained(
                directory, config=model.config, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            if told["missing_keys"] or told["unexpected_keys"]:
                raise ValueError(f"{directory} lacks {sorted(told['missing_keys'])}, has besides {sorted(told['unexpected_keys'])}")
            weights = loaded.state_dict()
        else:
            torch.manual_seed(seed)
            weights = LlamaForCausalLM(model.config).float().state_dict()
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))


def export(model: LlamaForCausalLM, tokenizer: bytes, output: Path) -> None:
    """Write the model with its tokenizer as a Hugging Face directory; ``output`` is there when it is whole. Every process takes part.

    Weights are in bfloat16 where they were trained so, else float32.
    """
    weights: dict[str, Any] = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if dist.get_rank():
        return
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    temporary = output.with_name(output.name + ".tmp")
    with torch.device("meta"):
        whole = LlamaForCausalLM(model.config).to(dtype)
    whole.save_pretrained(temporary, state_dict={name: weight.to(dtype) for name, weight in weights.items()})
    write_tokenizer(tokenizer, model.config, temporary)
    shutil.rmtree(output, ignore_errors=True)
    os.replace(temporary, output)


def write_tokenizer(tokenizer: bytes, config: LlamaConfig, output: Path) -> None:
    """``tokenizer.json`` as it is, and beside it what AutoTokenizer needs to know."""
    path = output / "tokenizer.json"
    path.write_bytes(tokenizer)
    names = Tokenizer.from_str(tokenizer.decode())
    end, padding = names.id_to_token(config.eos_token_id), names.id_to_token(config.pad_token_id)
    fast = PreTrainedTokenizerFast(
        tokenizer_file=str(path), eos_token=end, pad_token=padding, model_max_length=config.max_position_embeddings
    )
    fast.save_pretrained(output)
    path.write_bytes(tokenizer)  # it was written in other words


def describe(config: LlamaConfig) -> str:
    """One line: parameters and shape."""
    everything, products = count_parameters(config)
    return (
        f"{everything:,} parameters ({everything - 2 * config.vocab_size * config.hidden_size:,} before embeddings, {products:,} in matrix "
        f"products): {config.num_hidden_layers} layers of {config.hidden_size}, vocabulary {config.vocab_size:,}, "
        f"context {config.max_position_embeddings:,}, rope theta {json.dumps(config.rope_parameters['rope_theta'])}"
    )
