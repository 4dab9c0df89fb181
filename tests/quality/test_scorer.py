import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.quality.encoding import Encoder, Shapes, batches, pad
from beam_seed.quality.package import InputFormat, excerpt, open_package, write_card
from beam_seed.quality.scorer import Scorer

CONTENTS = [
    "",
    "x = 1\n",
    "def f():\n    return 1\n" * 9,
    "é€😀" * 30,
    "<pad><s><pad>",
    "\0" * 7,
    "y" * 47,
    "z" * 48,
    "w" * 500,
    *"0123456789",
]


@pytest.fixture(scope="module")
def scorer(scorer_directory):
    return Scorer.load(str(scorer_directory), batch_tokens=192)


def oracle(directory, document) -> float:
    """One document, no padding, no batch, bytes as tokens: the model called by hand."""
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    model = AutoModelForSequenceClassification.from_pretrained(str(directory)).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"), split_special_tokens=True)
    ids = tokenizer(f"{document.language} {document.content[:60]}")["input_ids"][:48]
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([ids])).logits[0, 0].clamp(0, 1))


def test_batch_equals_single_call_of_the_model(scorer, scorer_directory, make_document):
    documents = [make_document(content) for content in CONTENTS]
    scores = scorer.score(documents)
    assert scores.dtype == np.float32
    assert scores.shape == (len(documents),)
    assert scores == pytest.approx([oracle(scorer_directory, document) for document in documents], abs=1e-5)
    assert len(set(scores.tolist())) > 3  # a constant would pass everything else


@settings(max_examples=12, deadline=None)
@given(contents=st.lists(st.text(max_size=70).filter(lambda t: t.isprintable()), max_size=25), random=st.randoms())
def test_scores_do_not_depend_on_neighbours_by_a_single_bit(scorer, make_document, contents, random):
    documents = [make_document(content) for content in contents]
    scores = scorer.score(documents)
    order = list(range(len(documents)))
    random.shuffle(order)
    assert (scorer.score([documents[n] for n in order]) == scores[order]).all()
    assert all(scorer.score([document])[0] == score for document, score in zip(documents, scores, strict=True))


def test_truncation_is_by_tokens_and_characters(scorer, make_document):
    long, longer = make_document("q" * 48), make_document("q" * 48 + "different end")
    assert scorer.score([long])[0] == scorer.score([longer])[0]
    assert len(scorer.encoder.encode(longer)) == 48
    assert len(scorer.encoder.encode(make_document(""))) == 8  # <s> and "Python "


def test_language_is_part_of_the_input_and_path_is_not(scorer, make_document):
    python, ruby = make_document("puts 1", language="Python"), make_document("puts 1", language="Ruby")
    assert scorer.score([python])[0] != scorer.score([ruby])[0]
    assert scorer.score([python])[0] == scorer.score([python._replace(path="other/b.py")])[0]


def test_content_cannot_speak_in_special_tokens_or_fields(scorer, make_document):
    assert 0 not in scorer.encoder.encode(make_document("a<pad>b<pad>"))
    assert len(scorer.encoder.encode(make_document("{path}"))) == 8 + len("{path}")


@given(st.text("ab\n", max_size=300), st.integers(10, 60), st.integers(1, 5))
def test_excerpt_is_the_content_or_pieces_of_it_that_begin_with_lines(content, limit, pieces):
    found = excerpt(content, limit, pieces)
    if len(content) <= limit:
        assert found == content
        return
    assert len(found) <= limit + pieces - 1
    assert found.startswith(content[: limit // pieces])
    if pieces == 1:
        assert found == content[:limit]


def test_excerpt_is_spread_over_the_content():
    lines = [f"line {number:04}" for number in range(1000)]
    found = excerpt("\n".join(lines), 400, 4).split("\n")
    whole = [line for line in found if line in lines]
    assert len(whole) > 30
    assert whole == sorted(whole)
    assert [line for line in ("line 0000", "line 0334", "line 0999") if line not in whole] == []


def test_no_documents(scorer):
    assert scorer.score([]).shape == (0,)


def test_surrogates_are_an_error(scorer, make_document):
    with pytest.raises(ValueError, match="surrogates"):
        scorer.score([make_document("a\ud800")])


def test_infinite_weights_are_an_error(tmp_path, make_scorer, make_document):
    from safetensors.torch import load_file, save_file

    make_scorer(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["score.weight"][:] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    write_card(tmp_path, InputFormat("", 60, 48))
    with pytest.raises(ValueError, match="expected a finite number"):
        Scorer.load(str(tmp_path), batch_tokens=64).score([make_document("a")])


@given(st.lists(st.integers(1, 77), max_size=60), st.integers(77, 400))
def test_batches_hold_every_document_once_in_its_own_shape(lengths, batch_tokens):
    shapes = Shapes(77, batch_tokens)
    found = batches(lengths, shapes)
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    for batch in found:
        shape = shapes.of(max(lengths[position] for position in batch))
        assert {shapes.of(lengths[position]) for position in batch} == {shape}
        assert len(batch) <= shape.rows
        assert shape.rows * shape.length <= batch_tokens
        assert pad([np.ones(lengths[position], np.int32) for position in batch], shape, 9).shape == shape
    partly_filled = [batch for batch in found if len(batch) < shapes.of(lengths[batch[0]]).rows]
    assert len(partly_filled) <= len(shapes.shapes)


@pytest.mark.parametrize("length", [0, 78])
def test_lengths_without_a_shape(length):
    with pytest.raises(ValueError, match="expected 1 to 77"):
        Shapes(77, 100).of(length)


def test_batch_must_hold_one_document(scorer_directory):
    with pytest.raises(ValueError, match="max_length of 48"):
        Scorer.load(str(scorer_directory), batch_tokens=47)


def copy(scorer_directory, tmp_path):
    return shutil.copytree(scorer_directory, tmp_path / "copy")


@pytest.mark.parametrize("name", ["config.json", "scorer.json", "tokenizer.json", "model.safetensors"])
def test_missing_files_are_named(scorer_directory, tmp_path, name):
    directory = copy(scorer_directory, tmp_path)
    (directory / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"safetensors|" + name):
        open_package(str(directory))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_labels": 3}, "num_labels 3; expected 1"),
        ({"problem_type": None}, "problem_type None; expected 'regression'"),
        ({"pad_token_id": None}, "pad_token_id None"),
        ({"vocab_size": 200}, "vocab_size 200; expected at least the tokenizer's 258"),
        ({"max_position_embeddings": 40}, "max_length of 48"),
    ],
)
def test_wrong_configurations_name_what_is_expected(tmp_path, make_scorer, change, message):
    make_scorer(tmp_path, **change)
    with pytest.raises(ValueError, match=message):
        Scorer.load(str(tmp_path), batch_tokens=64)


def test_a_model_without_trained_head_is_refused(tmp_path, make_scorer):
    from safetensors.torch import load_file, save_file

    make_scorer(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: w for name, w in weights.items() if name != "score.weight"}, tmp_path / "model.safetensors", {"format": "pt"})
    write_card(tmp_path, InputFormat("", 60, 48))
    with pytest.raises(ValueError, match=r"lacks the weights \['score.weight'\]"):
        Scorer.load(str(tmp_path))


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"prefix": "{content}", "max_characters": 1, "max_length": 1},
        {"prefix": "{", "max_characters": 1, "max_length": 1},
        {"prefix": ""},
        None,
    ],
)
def test_a_card_without_input_format_is_refused(scorer_directory, tmp_path, form):
    directory = copy(scorer_directory, tmp_path)
    (directory / "scorer.json").write_text(json.dumps({"input": form}))
    with pytest.raises(ValueError, match="describes no input"):
        open_package(str(directory))


def test_fingerprint_names_all_that_decides_a_score(scorer_directory, tmp_path, make_scorer):
    same = copy(scorer_directory, tmp_path)
    before = open_package(str(scorer_directory)).fingerprint
    assert open_package(str(same)).fingerprint == before
    write_card(same, InputFormat("{language} ", 60, 48), note="another note")
    assert open_package(str(same)).fingerprint == before
    write_card(same, InputFormat("{language} ", 60, 47))
    assert open_package(str(same)).fingerprint != before
    other = tmp_path / "other"
    other.mkdir()
    assert open_package(str(make_scorer(other, seed=1))).fingerprint != before


def test_a_damaged_copy_is_noticed(scorer_directory, tmp_path):
    directory = copy(scorer_directory, tmp_path)
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match="a file was changed"):
        open_package(str(directory))


def test_broken_tokenizer(scorer_directory, tmp_path):
    directory = copy(scorer_directory, tmp_path)
    (directory / "tokenizer.json").write_text("{}")
    write_card(directory, InputFormat("", 60, 48))
    with pytest.raises(ValueError, match="is no tokenizer"):
        Encoder(directory, InputFormat("", 60, 48))


def test_encoding_needs_neither_torch_nor_beam():
    code = "import sys, beam_seed.quality.scorer; print(sorted({'torch', 'apache_beam', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
