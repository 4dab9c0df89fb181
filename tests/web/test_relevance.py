from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.fasttext_model.package import CARD, MODEL, open_package
from beam_seed.fasttext_model.training import THREE_PARTS, Line, Settings, split_by_host
from beam_seed.web.relevance import OTHER, RELEVANT, TextFormat, host_threshold, open_model, precision_recall, quality_at, recall_threshold
from beam_seed.web.supervision import relevance_lines
from beam_seed.web.train_relevance import train_relevance
from pipelines import train_relevance as command

CODE = "the function returns an iterator over the keys of the mapping and raises an exception when the argument is not a callable"
PROSE = "the river flows through a green valley where sheep graze and the village church bells ring on sunday mornings in spring"


def rows():
    """Pages of 12 hosts: half are about code; a few pages of the others name it too."""
    found = []
    for host in range(12):
        about_code = host % 2 == 0
        words = (CODE if about_code else PROSE).split()
        for number in range(30):
            rotated = " ".join(words[number % 20 :] + words[: number % 20])
            content = f"# Page\n\n{rotated}\n" + ("\n```python\nsecret_token_of_code_blocks()\n```\n" if about_code and number % 3 else "")
            blocks = int(about_code and number % 3 > 0)
            found.append({"repo": f"h{host}.example", "title": "T", "content": content, "code_tags": blocks, "code_blocks": blocks})
    return found


@pytest.fixture
def pages(tmp_path):
    path = tmp_path / "pages" / "00000-0000.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows()), path)
    return str(path)


def test_text_is_one_line_without_code_and_addresses():
    line = TextFormat().line("A title", "first\nsecond [link](http://h.example/secret)\n```\ncode\n```\nlast")
    assert line.split() == ["a", "title", "first", "second", "link", "last"]


def test_text_of_a_long_page_comes_from_its_whole_length():
    line = TextFormat(max_characters=400, pieces=4).line("", "\n".join(f"word{number}" for number in range(1000)))
    words = line.split()
    assert "word0" in words
    assert "word999" in words
    assert 35 <= len(words) <= 60


def test_distant_supervision(pages):
    lines = relevance_lines([pages], TextFormat())
    labels = {(line.host, line.label) for line in lines}
    assert labels == {(f"h{host}.example", RELEVANT if host % 2 == 0 else OTHER) for host in range(12)}
    # Of hosts about code, pages without tags are left out; the code itself is not learnt.
    assert len(lines) == 6 * 30 + 6 * 20
    assert not any("secret_token" in line.text or "```" in line.text for line in lines)


def test_labels_of_an_oracle_are_believed(tmp_path):
    path = str(tmp_path / "labelled.parquet")
    pq.write_table(pa.Table.from_pylist([row | {"label": 1 - row["code_blocks"]} for row in rows()]), path)
    lines = relevance_lines([path], TextFormat())
    assert [line.label == OTHER for line in lines] == [row["code_blocks"] == 1 for row in rows()]


def test_a_rating_is_no_label(tmp_path):
    path = str(tmp_path / "labelled.parquet")
    pq.write_table(pa.Table.from_pylist([row | {"label": 7} for row in rows()]), path)
    with pytest.raises(ValueError, match=r"label 7; expected 1 where it is relevant, 0 where it is not"):
        relevance_lines([path], TextFormat())


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60), st.integers(0, 3))
def test_no_host_is_in_both_parts(pairs, seed):
    lines = [Line(f"h{host}", RELEVANT if relevant else OTHER, str(number)) for number, (host, relevant) in enumerate(pairs)]
    try:
        training, validation, test = split_by_host(lines, seed, THREE_PARTS)
    except ValueError:  # too few hosts of a label, see below
        return
    assert sorted(training + validation + test) == sorted(lines)
    hosts = [{line.host for line in part} for part in (training, validation, test)]
    assert sum(map(len, hosts)) == len(set().union(*hosts))


def test_one_host_of_a_label_cannot_be_divided():
    lines = [Line("h1", RELEVANT, ""), Line("h2", OTHER, ""), Line("h3", OTHER, "")]
    with pytest.raises(
        ValueError, match=r"no page labelled 'code' \(3 hosts in all\); expected pages of some hosts of each label in each of 2 parts"
    ):
        split_by_host(lines)


def test_the_training_part_is_seven_tenths():
    lines = [Line(f"h{number // 10}", RELEVANT if number % 3 else OTHER, "") for number in range(10_000)]
    training, validation = split_by_host(lines)
    assert abs(len(training) - 7000) <= 10
    assert len(validation) == 10_000 - len(training)


scored = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80).filter(lambda pairs: any(label for _, label in pairs))


@given(scored, st.floats(0.01, 1))
def test_the_threshold_is_the_highest_that_keeps_the_recall(pairs, target):
    scores, relevant = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    threshold = recall_threshold(scores, relevant, target)
    assert quality_at(scores, relevant, threshold).recall >= target - 1e-9
    higher = [score for score in scores[relevant] if score > threshold + 1e-6]
    if higher:
        assert quality_at(scores, relevant, min(higher)).recall < target


def drawn(generator, hosts):
    """Scores of relevant pages of hosts that differ more from one another than their pages do."""
    means = generator.normal(0.6, 0.15, hosts)
    return np.clip(generator.normal(np.repeat(means, 20), 0.05), 0, 1), np.repeat([f"h{number}" for number in range(hosts)], 20)


def test_a_new_host_reaches_the_recall_as_often_as_promised():
    generator = np.random.default_rng(0)
    reached, by_pages = [], []
    for _ in range(400):
        scores, hosts = drawn(generator, 19)
        promise = host_threshold(scores, np.ones(len(scores), bool), hosts, 0.95, 0.9)
        assert promise[1:] == (pytest.approx(0.9), 19)
        new, _ = drawn(generator, 1)
        reached.append((new >= promise.threshold).mean() >= 0.95)
        by_pages.append((new >= recall_threshold(scores, np.ones(len(scores), bool), 0.95)).mean() >= 0.95)
    assert 0.87 <= np.mean(reached) <= 0.98  # 0.9 by theory; the rest is 400 draws' own spread
    assert np.mean(by_pages) < np.mean(reached)


def test_few_hosts_promise_what_they_can():
    scores, relevant, hosts = np.array([0.9, 0.5, 0.7, 0.1]), np.array([True, True, True, False]), np.array(["a", "b", "b", "c"])
    assert host_threshold(scores, relevant, hosts, 0.99, 0.9) == (0.5, pytest.approx(2 / 3), 2)
    assert host_threshold(scores, relevant, hosts, 0.5, 0.0) == (0.7, pytest.approx(1 / 3), 2)
    with pytest.raises(ValueError, match="the confidence is 1; expected 0 <= confidence < 1"):
        host_threshold(scores, relevant, hosts, 0.99, 1)


def test_precision_and_recall_by_hand():
    scores, relevant = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    assert quality_at(scores, relevant, 0.65) == (0.65, 1.0, 2 / 3, 0.75)
    assert quality_at(scores, relevant, 0.95).precision == 1.0
    assert [(q.recall, q.precision) for q in precision_recall(scores, relevant, 2)] == [(1.0, 2 / 3), (0.5, 1.0)]


def test_training_honours_the_target_recall_and_repeats_itself(pages, tmp_path):
    results = [train_relevance([pages], str(tmp_path / name), 0.95, TextFormat(), Settings(epochs=10)) for name in ("one", "two")]
    assert results[0] == results[1]
    assert (tmp_path / "one" / MODEL).read_bytes() == (tmp_path / "two" / MODEL).read_bytes()
    assert (tmp_path / "one" / CARD).read_bytes() == (tmp_path / "two" / CARD).read_bytes()
    assert results[0].quality.recall >= 0.95
    assert results[0].quality.precision > 0.9
    model = open_model(str(tmp_path / "one"))
    code, prose, nothing = model.score([("", CODE), ("", PROSE), ("", "")])
    assert code > model.threshold > prose
    assert code > nothing


def test_the_command(pages, tmp_path, capsys):
    assert command.main([f"--input={tmp_path / 'pages'}", f"--output={tmp_path / 'model'}", "--recall=0.9"]) == 0
    told = capsys.readouterr()
    assert "recall 1.0000" in told.out
    assert "with 1 validation hosts that have relevant pages, a new host reaches 0.9 with probability 0.500 only" in told.err
    card = json.loads((tmp_path / "model" / CARD).read_text())
    assert card["target_recall"] == 0.9
    assert card["test"]["recall"] >= 0.9
    assert (card["test"]["hosts_reached"], card["test"]["relevant_hosts"], card["confidence"]) == (1, 1, 0.5)
    assert sum(card[part]["hosts"] for part in THREE_PARTS) == 12
    assert "| recall | precision |" in (tmp_path / "model" / "README.md").read_text()


def test_the_command_tells_what_is_missing(tmp_path, capsys):
    pq.write_table(pa.Table.from_pylist([row for row in rows() if row["code_blocks"]]), tmp_path / "only.parquet")
    assert command.main([f"--input={tmp_path / 'only.parquet'}", f"--output={tmp_path / 'model'}"]) == 1
    assert "120 pages are relevant and 0 are not; expected some of both" in capsys.readouterr().err
    pq.write_table(pa.table({"repo": ["a"]}), tmp_path / "bare.parquet")
    with pytest.raises(SystemExit):
        command.main([f"--input={tmp_path / 'bare.parquet'}", f"--output={tmp_path / 'model'}"])
    assert "lacks column 'title'" in capsys.readouterr().err
    for arguments in ([], ["--input=nowhere.parquet", "--output=x"], ["--output=x", "--input=y", "--runner=FnApiRunner"]):
        with pytest.raises(SystemExit):
            command.main(arguments)


def test_a_changed_model_is_refused(pages, tmp_path):
    folder = tmp_path / "model"
    train_relevance([pages], str(folder), 0.9, TextFormat(), Settings(epochs=1))
    with pytest.raises(ValueError, match=r"kind 'relevance'; expected 'categories', of beam-seed train-categories"):
        open_package(str(folder), "categories")
    card = json.loads((folder / CARD).read_text())
    card["decides"]["threshold"] = 0.123
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ValueError, match="a file was changed or cut off"):
        open_model(str(folder))
    (folder / CARD).write_text("[]")
    with pytest.raises(ValueError, match="is no card"):
        open_model(str(folder))
    (folder / MODEL).unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model\.bin; expected a folder that beam-seed train-relevance wrote"):
        open_model(str(folder))
