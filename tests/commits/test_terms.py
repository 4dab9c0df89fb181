import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.commits import terms
from beam_seed.commits.terms import MAX_WORD, TermCounts, Vocabulary, split, terms_of

pieces = st.sampled_from(["fooBar", "foo", "Bar", "x1", "HTTPServer", "_", "naïve", "变量", " ", "\n", ".", "é", "A"])
texts = st.one_of(st.text(max_size=60), st.lists(pieces, max_size=30).map("".join))


def split_plainly(word: str) -> list[str]:
    """Cut before a hump, between letters and digits and at underscores, character by character."""
    kinds = ["_" if c == "_" else "d" if re.fullmatch(r"\d", c) else "U" if "A" <= c <= "Z" else "l" for c in word] + ["_"]
    parts, part = [], ""
    for at, character in enumerate(word):
        before, kind, after = kinds[at - 1] if at else "_", kinds[at], kinds[at + 1]
        same = before == kind or (before == "U" and kind == "l")
        hump = kind == "U" and before == "U" and after == "l"
        if part and (not same or hump):
            parts.append(part)
            part = ""
        part += "" if kind == "_" else character
    return [each.lower() for each in [*parts, part] if each]


def terms_plainly(text: str) -> list[str]:
    found = []
    for word in re.split(r"[^\w]+", text):
        whole = word.strip("_").lower()
        if whole and len(word) <= MAX_WORD:
            parts = split_plainly(word)
            found += [whole, *parts] if len(parts) > 1 else [whole]
    return found


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("parseHTTPHeader2", ["parsehttpheader2", "parse", "http", "header", "2"]),
        ("__init__", ["init"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("SCREAMING_CASE", ["screaming_case", "screaming", "case"]),
        ("ABc", ["abc", "a", "bc"]),
        ("utf8", ["utf8", "utf", "8"]),
        ("ÉcoleNormale", ["écolenormale", "école", "normale"]),
        ("变量", ["变量"]),
        ("___", []),
        ("x" * 65, []),
        ("x" * 64, ["x" * 64]),
    ],
)
def test_split(word, expected):
    assert list(split(word)) == expected


@given(texts)
@example("aB_ Cd__e9F")
def test_terms_are_those_of_a_plain_tokeniser(text):
    assert terms_of(text) == terms_plainly(text)


@given(st.lists(texts, max_size=5))
def test_counts_are_those_of_the_terms(batch):
    vocabulary = Vocabulary()
    numbers = {}
    for text in batch:
        found = vocabulary.count(text)
        assert np.all(np.diff(found.terms) > 0)
        assert found.length == len(terms_of(text))
        known = vocabulary.known(text)
        assert sorted(zip(*known, strict=True)) == sorted(zip(*found, strict=True))
        for term, number in zip(dict.fromkeys(terms_of(text)), known.terms.tolist(), strict=True):
            assert numbers.setdefault(term, number) == number
    assert len(set(numbers.values())) == len(numbers) == len(vocabulary)


def test_what_was_never_counted_is_not_known():
    vocabulary = Vocabulary()
    vocabulary.count("known words")
    assert Counter(vocabulary.known("unknown words, known words").counts.tolist()) == {1: 1, 2: 1}
    assert len(vocabulary) == 2


def test_a_full_vocabulary_keeps_what_is_used(monkeypatch):
    monkeypatch.setattr(terms, "SPARE_WORDS", 3)
    vocabulary = Vocabulary()
    vocabulary.count("a b c d e f g")
    assert not vocabulary.is_full(1)
    vocabulary.count("h")
    assert vocabulary.is_full(1)
    used = np.zeros(8, dtype=bool)
    used[[2, 5]] = True
    renumbered = vocabulary.keep(used)
    assert renumbered[[2, 5]].tolist() == [0, 1]
    assert vocabulary.known("c f a").terms.tolist() == [0, 1]
    assert vocabulary.count("a c").terms.tolist() == [0, 2]


def test_an_empty_text_has_no_terms():
    counts = Vocabulary().count("")
    assert isinstance(counts, TermCounts)
    assert len(counts.terms) == len(counts.counts) == counts.length == 0
