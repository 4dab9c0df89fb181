"""The protocol against a server that others wrote: ``transformers serve`` with a tiny Llama of random weights.

Such a model cannot rate: the right outcome is that every file fails, its raw answer kept and its tokens accounted for.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_seed.labels.oracles import Chat
from beam_seed.labels.transforms import LabelDocuments
from beam_seed.records import make_document

TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def make_model(directory: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2} | {letter: n for n, letter in enumerate(letters, 3)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(directory)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=len(vocabulary), max_position_embeddings=8192, pad_token_id=0, bos_token_id=1, eos_token_id=2, **sizes)
    LlamaForCausalLM(config).save_pretrained(directory)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(base URL, model) of a running server."""
    for name in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(name, reason="transformers serve needs it: pip install 'transformers[serving]'")
    directory = tmp_path_factory.mktemp("tiny") / "model"
    make_model(directory)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = "from transformers.cli.transformers import main; main()"
    arguments = ["serve", str(directory), "--host=127.0.0.1", f"--port={port}", "--device=cpu"]
    process = subprocess.Popen([sys.executable, "-c", start, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        for _ in range(600):
            assert process.poll() is None, "the server did not start"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(directory)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_protocol(served: tuple[str, str], tmp_path: Path) -> None:
    url, model = served
    oracle = Chat(url, model, str(tmp_path / "cache"), max_answer_tokens=24, price_in=1.0, price_out=2.0, concurrency=2)
    keyed = [(n, make_document("r", f"{n}.py", f"def f{n}(x):\n    return x + {n}\n", language="Python")) for n in range(3)]
    labels, failed = keyed | LabelDocuments(oracle, max_failed_share=1.0)
    assert labels == []
    assert sorted(key for key, _ in failed) == [0, 1, 2]
    for _, opinion in failed:
        assert opinion.error.startswith("MalformedAnswerError: ")
        assert opinion.answer
        assert opinion.model.startswith(model)
        assert opinion.tokens_in > 1500, "one token a byte: the whole prompt was read"
        assert 0 < opinion.tokens_out <= 24
        assert opinion.cost == pytest.approx((opinion.tokens_in + 2 * opinion.tokens_out) / 1e6)
    again = keyed | "Again" >> LabelDocuments(oracle, max_failed_share=1.0)
    assert all(opinion.reused for _, opinion in again.failed)


@pytest.mark.slow
def test_an_unknown_model(served: tuple[str, str], tmp_path: Path) -> None:
    oracle = Chat(served[0], "nobody/no-such-model", str(tmp_path / "cache"), retries=0)
    with pytest.raises(Exception, match=r"HTTP \d+"):
        [(0, make_document("r", "a.py", "x = 1\n"))] | LabelDocuments(oracle)
