"""Tokens and back: any text, with any tokenizer that is exact; nothing in a text is special."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from beam_seed.fim.split import FillInMiddle, reassemble
from beam_seed.shards.tokenizer import ShardTokenizer, texts_between_markers
from beam_seed.special_tokens import CHANGE, END, FILE, PADDING, SPECIAL_TOKENS, escape, unescape
from beam_seed.trainer.tokenizer import train_tokenizer

ODD = [
    *SPECIAL_TOKENS,
    "<[\\pad]>",
    "<|endoftext|>",
    "<pad>",
    "<[",
    "]>",
    "\\",
    "\r\n",
    "\r",
    "\0",
    "\ufeff",
    "e\u0301",
    " ",
    "\n",
    "x" * 90,
]


@pytest.fixture(scope="module")
def tokenizer() -> ShardTokenizer:
    trained = train_tokenizer(["def f(x):\n    return x + 1\n", "for i in range(10):\n\tprint(i)\n"] * 9, 320)
    trained.add_special_tokens(["<|endoftext|>"])
    return ShardTokenizer(trained.to_str())


@given(
    text=st.lists(st.one_of(st.text(max_size=9), st.sampled_from(ODD))).map("".join),
    rate=st.sampled_from([0.0, 1.0]),
    most=st.integers(1, 30),
)
@example(text="", rate=1.0, most=1)
@example(text=END, rate=0.0, most=99)
@example(text="a" * 3000 + "\n" * 3000, rate=1.0, most=1 << 20)
def test_documents_come_back_byte_for_byte(tokenizer: ShardTokenizer, text: str, rate: float, most: int) -> None:
    form, ready = FillInMiddle(rate).apply(escape(text), "x")
    (ids,) = tokenizer.encode([ready], most)
    assert unescape(reassemble(tokenizer.decode(ids), form)) == text
    assert ids[-1] == tokenizer.end
    # Special are only the three markers of a document that is cut, and its end: never what the text says.
    names = {tokenizer._ids[name] for name in SPECIAL_TOKENS} | {tokenizer._tokenizer.token_to_id("<|endoftext|>")}
    assert sum(token in names for token in ids.tolist()) == (1 if form == "plain" else 4)


def test_markers_are_one_token_each(tokenizer: ShardTokenizer) -> None:
    (ids,) = tokenizer.encode([f"{FILE}a.py\nx{CHANGE}b"], 2)
    assert ids.tolist().count(tokenizer._ids[FILE]) == ids.tolist().count(tokenizer._ids[CHANGE]) == 1
    assert tokenizer.decode(ids) == f"{FILE}a.py\nx{CHANGE}b"
    assert texts_between_markers(f"{FILE}a.py\nx{CHANGE}b") == ["a.py\nx", "b"]


def test_a_batch_is_encoded_as_its_texts_alone(tokenizer: ShardTokenizer) -> None:
    texts = ["def f():\n", "", f"{FILE}x", "return 1"]
    assert [each.tolist() for each in tokenizer.encode(texts)] == [tokenizer.encode([text])[0].tolist() for text in texts]


def test_what_it_lacks_is_added_and_told(tokenizer: ShardTokenizer, tmp_path: Path) -> None:
    assert tokenizer.added == list(SPECIAL_TOKENS)
    assert tokenizer.exact
    tokenizer.save(str(tmp_path))
    again = ShardTokenizer.load(str(tmp_path))
    assert again.added == []
    assert (again.fingerprint, again.padding, again.end, again.vocabulary) == (
        tokenizer.fingerprint,
        tokenizer.padding,
        tokenizer.end,
        tokenizer.vocabulary,
    )
    other = AutoTokenizer.from_pretrained(tmp_path)
    assert (other.pad_token, other.eos_token) == (PADDING, END)
    ids = other(f"{FILE}x = 1", add_special_tokens=False)["input_ids"]
    assert ids == tokenizer.encode([f"{FILE}x = 1"])[0][:-1].tolist()
    assert other.decode(ids) == f"{FILE}x = 1"


def test_truncation_and_padding_of_a_tokenizer_are_not_taken_over() -> None:
    trained = train_tokenizer(["abc"] * 3, 300)
    trained.enable_truncation(4)
    trained.enable_padding(length=9)
    (ids,) = ShardTokenizer(trained.to_str()).encode(["hello world"])
    assert len(ids) > 9


def test_a_tokenizer_that_changes_texts_is_called_so() -> None:
    lower = train_tokenizer(["abc"] * 3, 300)
    lower.normalizer = normalizers.Lowercase()
    words = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    assert not ShardTokenizer(lower.to_str()).exact
    assert not ShardTokenizer(words.to_str()).exact


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected the folder of a Hugging Face tokenizer that holds tokenizer\.json"):
        ShardTokenizer.load(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": 3}))
    with pytest.raises(ValueError, match=r"no tokenizer: .*; expected a tokenizer\.json"):
        ShardTokenizer.load(str(tmp_path))
