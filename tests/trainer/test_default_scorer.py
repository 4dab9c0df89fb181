import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_seed.quality.package import InputFormat, open_package
from beam_seed.quality.scorer import Scorer
from beam_seed.records import Document
from beam_seed.trainer import default_scorer
from beam_seed.trainer.baseline import baselines, fasttext_ratings
from beam_seed.trainer.labels import Label, read_labels
from beam_seed.trainer.model_card import model_card
from beam_seed.trainer.packaging import count_parameters

GOOD = '"""Adds."""\n\n\ndef add(first, second):\n    """Sum of two numbers."""\n    # Plain addition.\n    return first + second + {}\n'
BAD = "first = second{}\n"


@pytest.fixture
def tables(tmp_path):
    rows = [{"repo": f"project{n % 30}-1.{n % 2}", "path": f"{n}.py", "content": (GOOD if n % 2 else BAD).format(n)} for n in range(400)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    return str(tmp_path / "*.parquet")


def test_one_command_labels_trains_compares_and_documents(tables, tmp_path, monkeypatch):
    whole = default_scorer._settings
    small = {"hidden_size": 32, "layers": 1, "vocabulary": 300, "max_length": 64, "max_characters": 100}
    monkeypatch.setattr(default_scorer, "_settings", lambda *given: dataclasses.replace(whole(*given), **small))
    labels = tmp_path / "kept" / "labels.parquet"
    labels.parent.mkdir()
    default_scorer.main([f"--input={tables}", f"--output={tmp_path / 'out'}", f"--labels={labels}"])
    package = open_package(str(tmp_path / "out"))
    figures = package.card["evaluation"]
    assert figures["scorer"]["mae"] < figures["mean"]["mae"]
    assert figures["fasttext"]["mae"] < figures["mean"]["mae"]
    assert not set(package.card["training"]["project_names"]) & set(figures["project_names"])
    assert len(figures["project_names"]) == figures["projects"]
    readme = (tmp_path / "out" / "README.md").read_text()
    assert package.fingerprint in readme
    assert f"| this scorer | {figures['scorer']['mae']} |" in readme
    assert len(read_labels([str(labels)])) == 400
    assert f"given by: rubric ({package.card['training']['labels']})" in readme


def test_fasttext_learns_words_and_repeats():
    random = np.random.default_rng(0)
    documents = read_documents(random, 2100)
    training = [Label(document, 8.0 if "good" in document.content else 2.0) for document in documents[:2000]]
    form = InputFormat("{language}\n", 500, 10)
    guessed = fasttext_ratings(training, documents[2000:], form)
    expected = np.array([8.0 if "good" in document.content else 2.0 for document in documents[2000:]])
    assert np.abs(guessed - expected).mean() < 1.5
    assert (guessed == fasttext_ratings(training, documents[2000:], form)).all()


def test_text_that_looks_like_fasttexts_own_marks_is_text():
    texts = ["x __label__9 @@3 </s>", "__label__foo\n__label__1", "", "@@9"]
    documents = [document("1", text) for text in texts]
    form = InputFormat("", 100, 10)
    alike = fasttext_ratings([Label(each, 4.0) for each in documents], documents, form)
    assert alike == pytest.approx([4.0] * 4), "the only class is the one that was given"
    assert baselines([Label(documents[3], 4.0)], [Label(documents[0], 5.0)], form)["fasttext"]["mae"] == pytest.approx(1, abs=1e-3)


def test_the_shipped_readme_says_what_the_card_says():
    package = open_package("")
    config = json.loads((package.directory / "config.json").read_text())
    parameters = count_parameters(package.directory)
    assert parameters == 1_475_328
    expected = model_card(package, config, parameters, default_scorer._TITLE, default_scorer._NOTES)
    assert (package.directory / "README.md").read_text() == expected


def document(name, text):
    return Document(name, "", "", f"{name}.py", "", text, len(text), "", "", None, None, "", "Python")


def read_documents(random, count):
    words = ["good" if random.integers(2) else "bad" for _ in range(count)]
    texts = [f"value\n{word} {word} = call({n})\n" for n, word in enumerate(words)]
    return [document(str(n), text) for n, text in enumerate(texts)]


def test_the_shipped_scorer_fits_its_card_and_beats_the_baselines():
    package = open_package("")
    assert sum(path.stat().st_size for path in package.directory.iterdir()) <= 8 << 20
    figures = package.card["evaluation"]
    readme = (package.directory / "README.md").read_text()
    for measure in ("mae", "class_balanced_mae"):
        assert figures["scorer"][measure] < figures["fasttext"][measure] < figures["mean"][measure]
        assert all(str(figures[name][measure]) in readme for name in ("scorer", "fasttext", "mean")), "the card tells how others do"
    assert package.fingerprint in (package.directory / "README.md").read_text()
    assert json.loads((package.directory / "scorer.json").read_text())["fingerprint"] == package.fingerprint


def test_the_shipped_scorer_knows_good_from_bad():
    document = read_documents(np.random.default_rng(0), 1)[0]
    texts = [
        GOOD.format(1),
        "DATA = [" + "0x1f, 0x2e,\n" * 80 + "]\n",
        "// Code generated by a tool. DO NOT EDIT.\npackage a\n\nfunc F() {}\n",
        '{"a": [1, 2]}',
    ]
    languages = ["Python", "Python", "Go", "JSON"]
    scores = Scorer.load().score([document._replace(content=text, language=name) for text, name in zip(texts, languages, strict=True)])
    assert scores[0] > scores[1:].max() + 0.1
    assert scores[3] < 0.2
