"""A tiny random scorer, made once a session: two layers, one token a byte, a regression head."""

from pathlib import Path

import pytest

from beam_seed.quality.package import InputFormat, write_card
from beam_seed.records import Document, document_id


def _document(content: str, path: str = "a.py", language: str = "Python") -> Document:
    size = len(content.encode("utf-8", "surrogatepass"))
    return Document(document_id("s", "r", path), "s", "r", path, "", content, size, "0" * 64, "", None, None, "", language)


def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "<s>": 1} | {letter: n for n, letter in enumerate(letters, 2)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<pad>", "<s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def _scorer(directory: Path, seed: int = 0, **config) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(seed)
    values = {
        "vocab_size": 258,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "num_labels": 1,
        "problem_type": "regression",
        "pad_token_id": 0,
        "initializer_range": 0.3,
    }
    model = LlamaForSequenceClassification(LlamaConfig(**(values | config)))
    model.score.weight.data *= 0.2  # most scores inside [0, 1] or near it, so that clipping does not hide differences
    model.save_pretrained(directory)
    _tokenizer().save(str(directory / "tokenizer.json"))
    write_card(directory, InputFormat("{language} ", 60, 48), note="random")
    return directory


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Models this small only wait for each other's threads."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scorer_directory(tmp_path_factory) -> Path:
    return _scorer(tmp_path_factory.mktemp("scorer"))


@pytest.fixture(scope="session")
def make_document():
    return _document


@pytest.fixture(scope="session")
def make_scorer():
    return _scorer
