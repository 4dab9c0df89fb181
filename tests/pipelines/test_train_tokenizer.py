"""``beam-seed train-tokenizer``: our special tokens first, every text back, the same tokenizer from the same sample."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from beam_seed.mixture.stage import Source
from beam_seed.shards.sample import sample_texts
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.special_tokens import END, FILE, PADDING, SPECIAL_TOKENS
from pipelines import cli


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    texts = [f"def function_{number}(argument):\n    return argument + {number}\n" for number in range(400)]
    table = pa.table({"id": [f"{number:x}" for number in range(400)], "content": [*texts[:-1], f"{FILE} {END} literally"]})
    pq.write_table(table, folder / "t.parquet", row_group_size=20)
    return folder


def test_a_tokenizer_is_trained_and_loads_everywhere(corpus: Path, tmp_path: Path) -> None:
    command = ["train-tokenizer", f"--input={corpus}", "--vocabulary=400"]
    assert cli.main([*command, f"--output={tmp_path / 'a'}"]) == 0
    assert cli.main([*command, f"--output={tmp_path / 'b'}"]) == 0
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()
    tokenizer = ShardTokenizer.load(str(tmp_path / "a"))
    assert (tokenizer.added, tokenizer.exact) == ([], True)
    other = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert [other.convert_tokens_to_ids(name) for name in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert (other.pad_token, other.eos_token) == (PADDING, END)
    text = "def function_9(argument):\r\n\treturn é\0"
    assert other.decode(other(text, add_special_tokens=False)["input_ids"]) == text
    # It has learnt: a word of the corpus is fewer tokens than one of none.
    assert len(other("argument")["input_ids"]) < len(other("tnemugra")["input_ids"])


def test_the_sample_is_bounded_and_drawn(corpus: Path) -> None:
    table = [str(corpus / "t.parquet")]
    assert len(list(sample_texts(table, Source(), 1 << 20, 0))) == 400
    some = list(sample_texts(table, Source(), 2000, 0))
    assert 2000 <= sum(map(len, some)) < 2200
    assert some == list(sample_texts(table, Source(), 2000, 0))
    assert some != list(sample_texts(table, Source(), 2000, 1))
    # What looks like a marker is escaped in plain texts, and is one in formatted ones.
    assert not any(FILE in text for text in sample_texts(table, Source(), 1 << 20, 0))
    assert f" {END} literally" in list(sample_texts(table, Source(formatted=True), 1 << 20, 0))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("--vocabulary=200", "argument --vocabulary: vocabulary is 200; expected at least 269, 13 special tokens and every byte"),
        ("--text=code", "argument --input: .* column 'code' is missing; found id, content"),
        ("--output=", "argument --output: none given"),
        ("--runner=x", "unknown argument --runner=x"),
    ],
)
def test_command_lines_that_cannot_be_run(
    corpus: Path, tmp_path: Path, changed: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = [] if changed == "--output=" else [f"--output={tmp_path}"]
    with pytest.raises(SystemExit):
        cli.main(["train-tokenizer", f"--input={corpus}", *output, changed])
    assert re.search(message, capsys.readouterr().err)
