"""The category of a page: rules first, then, where a model is given, what fastText says of address, markup, structure and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from beam_seed.fasttext_model.package import open_package
from beam_seed.quality.package import excerpt
from beam_seed.web.categories import NAMES, Found, load_rules, strong_rule, weak_rule
from beam_seed.web.markdown_text import without_link_targets, words_text
from beam_seed.web.records import Page

KIND = "categories"
LABEL = "__label__"

# A form shows in a page's first screens; two pieces also see how it ends, where comments and prices are.
_CHARACTERS, _PIECES = 800, 2
_SEGMENT_WORD = re.compile(r"[a-z]{2,20}")


def features(page: Page) -> str:
    """One line of tokens for fastText: words of the path, markup names, structure in steps, words of title and text.

    Neither the host nor any markup name or generator that a rule knows is in it: rules have decided those pages, and a model that is
    trained on such pages must learn what else they have in common.
    """
    known = load_rules().markup
    path = [f"path:{word}" for word in _SEGMENT_WORD.findall(page.path.lower())[:12]]
    names = [f"name:{name}" for name in page.markup.split() if name not in known]
    text = excerpt(page.content, _CHARACTERS, _PIECES)
    return " ".join([*path, *names, *_structure(page), words_text(without_link_targets(f"{page.title}\n{text}"))])


def _structure(page: Page) -> list[str]:
    lines = page.content.split("\n")
    counts = {
        "words": page.words,
        "blocks": page.code_blocks,
        "tags": page.code_tags,
        "links": round(page.link_share * 16),
        "headings": sum(line.startswith("#") for line in lines),
        "rows": sum(line.startswith("|") for line in lines),
        "items": sum(line.lstrip().startswith(("- ", "* ")) for line in lines),
        "depth": page.path.count("/"),
        "query": page.path.count("="),
    }
    return [f"{name}:{count.bit_length()}" for name, count in counts.items()]


class Model(NamedTuple):
    """A trained model, on this machine."""

    fasttext: Any
    min_probability: float  # less certain pages are left to the path's hint
    fingerprint: str


def open_model(location: str) -> Model:
    """The model in folder ``location``, of ``beam-seed train-categories``. Raises as ``package.open_package`` does."""
    package = open_package(location, KIND)
    return Model(package.model, float(package.card["decides"]["min_probability"]), package.fingerprint)


def classify(pages: Sequence[Page], model: Model | None) -> list[Found]:
    """The category of each page: by host, markup or generator; else by the model where it is certain; else by the path, or 'other'."""
    found = [strong_rule(page.repo, page.generator, page.markup) for page in pages]
    open_rows = [row for row, each in enumerate(found) if each is None]
    if model is not None and open_rows:
        lines = [features(pages[row]) for row in open_rows]
        for row, (category, probability) in zip(open_rows, predict(model.fasttext, lines), strict=True):
            if probability >= model.min_probability:
                found[row] = Found(category, "model")
    return [each or weak_rule(page.path) for each, page in zip(found, pages, strict=True)]


def predict(fasttext_model: Any, lines: Sequence[str]) -> list[tuple[str, float]]:
    """The likeliest category of each line and its probability; ('other', 0.0) where the model knows none of its tokens."""
    labels, probabilities = fasttext_model.predict(list(lines), k=1)
    pairs = zip(labels, probabilities, strict=True)
    return [(_category(label[0]), min(float(p[0]), 1.0)) if len(label) else ("other", 0.0) for label, p in pairs]


def _category(label: str) -> str:
    name = label.removeprefix(LABEL)
    return name if name in NAMES else "other"
