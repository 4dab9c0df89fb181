import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest

from beam_seed.quality.package import InputFormat, Package
from beam_seed.records import make_document
from beam_seed.trainer.evaluation_report import against, build, render
from beam_seed.trainer.labels import Label, Oracle
from beam_seed.trainer.model_card import model_card

PACKAGE = Package(Path("."), {}, InputFormat("", 100, 50), "0123456789abcdef" * 2)
SPLIT = {"split": "held-out", "held_out": 0.1, "sources": ["labels/"], "training_side": 0}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.exe", "{{ 7 * 7 }}{% raw %}", "\x1b[31m|\n"]


class Page(html.parser.HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def make_labels(ratings, languages=("Go", "C"), seed=0):
    random = np.random.default_rng(seed)
    return [
        Label(
            make_document(
                f"owner/p{n % 7}", f"{n}.go", f"content {n} {'x' * int(random.integers(50))}", language=languages[n % len(languages)]
            ),
            float(rating),
            Oracle(languages[0], "model", "2"),
        )
        for n, rating in enumerate(ratings)
    ]


@pytest.fixture
def evaluation():
    random = np.random.default_rng(0)
    labels = make_labels(random.integers(0, 11, 300))
    scores = np.clip([label.rating / 10 + random.normal() / 10 for label in labels], 0, 1)
    second = [label._replace(rating=min(10.0, label.rating + random.integers(3))) for label in labels[::2]]
    figures = {"mae": 2.5, "class_balanced_mae": 3.25, "bias": -0.125, "pearson": None, "spearman": None, "kendall": None}
    return build(
        PACKAGE, labels, scores, SPLIT, {"mean": figures, "fasttext": figures}, against(labels, second, labels[:100], scores[:100])
    )


def test_the_page_tells_the_figures_and_fetches_nothing(evaluation):
    page = render(evaluation)
    told = Page(page)
    for figure in ("mae", "class_balanced_mae", "spearman"):
        assert f"{evaluation['figures'][figure]:.2f}" in told.text
    for text in ("300 files", "7 projects", "fastText on the same labels", "0.91", "1.37", "1.49", f"{evaluation['agreement']['mae']:.2f}"):
        assert text in told.text
    assert told.tags.count("svg") == 2
    assert not {"script", "link", "img", "iframe", "object"} & set(told.tags)
    assert not [value for name, value in told.attributes if name in ("src", "href", "xlink:href") and not value.startswith("#")]
    assert not re.search(r"url\((?!#)|@import", page)
    assert "nan" not in told.text.lower()


def test_equal_arguments_give_equal_pages(evaluation):
    again = json.loads(json.dumps(evaluation, sort_keys=True))
    assert render(again) == render(evaluation)


def test_figures_take_their_colours_from_the_page(evaluation):
    drawn = "".join(re.findall(r"<svg.*?</svg>", render(evaluation), re.DOTALL))
    assert "var(--kept)" in drawn
    assert not re.search(r"#[0-9a-f]{6}", drawn), "a fixed colour would be lost in dark mode"
    assert "font-family" not in drawn


def test_the_scorer_is_compared_where_both_oracles_rated_what_it_was_evaluated_on(evaluation):
    agreement = evaluation["agreement"]
    assert agreement["files"] == 150
    assert agreement["scorer"]["files"] == 50
    labels = make_labels([1, 5, 9])
    assert against(labels, labels[:1], labels[1:], np.array([0.5, 0.9]))["scorer"] is None
    assert against(labels, make_labels([3], seed=9), labels, np.ones(3)) is None


@pytest.mark.parametrize(
    ("ratings", "scores"), [([5], [0.5]), ([3] * 40, [0.2] * 40), ([0, 10] * 30, [0.0] * 60), ([0] * 5, [0, 1, 0, 1, 1])]
)
def test_too_little_to_say(ratings, scores):
    labels = make_labels(ratings)
    found = build(PACKAGE, labels, np.array(scores), SPLIT, {}, against(labels, labels, labels, np.array(scores)))
    assert found["figures"]["spearman"] is found["figures"]["kendall"] is None
    json.dumps(found, allow_nan=False)
    page = Page(render(found))
    assert "nan" not in page.text.lower()
    assert "No baselines" in page.text
    assert "of the 11 ratings occur" in page.text


def test_strangers_strings_stay_text():
    labels = make_labels([1, 5, 9] * 30, languages=HOSTILE)
    labels = [label._replace(oracle=Oracle(*HOSTILE[:3])) for label in labels]
    found = build(
        PACKAGE, labels * 5, np.full(450, 0.5), SPLIT | {"sources": HOSTILE}, {}, against(labels, labels, labels, np.full(90, 0.5))
    )
    page = render(found)
    told = Page(page)
    assert not {"script", "img"} & set(told.tags)
    assert "onerror" not in dict(told.attributes)
    assert "<script>alert(1)</script>" in told.text
    assert not {"\u202e", "\x1b"} & set(page)


def test_a_model_card_says_what_is_known_and_obeys_nothing():
    bare = model_card(PACKAGE, {"model_type": "llama"}, 1000)
    assert "1,000 parameters" in bare
    assert "## Trained on" not in bare
    assert "## Errors" not in bare
    figures = {"mae": 1.5, "class_balanced_mae": 2.0, "spearman": None}
    languages = {name: {"files": 20, **figures} for name in HOSTILE}
    card = {
        "training": {
            "labels": 100,
            "projects": 1,
            "languages": {**dict.fromkeys(HOSTILE, 1), **{f"L{n}": n for n in range(2, 20)}},
            "oracles": [
                {"oracle": HOSTILE[0], "model": HOSTILE[4], "prompt_version": "", "files": 99},
                {"oracle": "", "model": "", "prompt_version": "", "files": 1},
            ],
        },
        "evaluation": {"scorer": {"files": 30, **figures, "languages": languages}, "mean": figures},
    }
    text = model_card(PACKAGE._replace(card=card), {"hidden_size": 2048}, 1)
    assert "100 files from 1 project, given by: \\<script\\>" in text
    assert "an oracle that the labels do not name (1)" in text
    assert "L19 19, L18 18" in text
    assert "and 11 languages more" in text
    assert not {"\u202e", "\x1b"} & set(text)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (5, 6) for line in table)
    assert "<script>" not in text
