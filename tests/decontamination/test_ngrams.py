"""Words and n-grams against plain Python: regular expressions, lists and sets."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beam_seed.decontamination.index import Item, Limits, build_index, per_text
from beam_seed.decontamination.ngrams import match, text_of, words_of

OWN = "\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"(?=\w)[{OWN}]|[^\W{OWN}]+")


def fold(word: str) -> str:
    return "".join(c.casefold() if len(c.casefold()) == 1 else c for c in word)


def plain_words(text: str) -> list[str]:
    return [fold(word) for word in WORD.findall(re.sub(r"\\[nrt]", " ", text))]


def plain_ngrams(text: str, limits: Limits) -> set[str]:
    words = plain_words(text)
    size = limits.words if len(words) >= limits.words else len(words) if len(words) >= limits.shortest else 0
    grams = [words[start : start + size] for start in range(len(words) - size + 1)] if size else []
    lettered = [sum(any(not c.isascii() or c.isalpha() for c in word) for word in gram) for gram in grams]
    return {" ".join(gram) for gram, count in zip(grams, lettered, strict=True) if count >= min(limits.letters, size)}


def contains(text: str, gram: str) -> bool:
    return f" {gram} " in f" {' '.join(plain_words(text))} "


# Few words, so that texts share n-grams; separators, cases, scripts and characters whose folding changes their size.
pieces = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "foo",
        "FOO_1",
        "7",
        "42",
        "Straße",
        "ß",
        "İ",
        "Ⱥ",
        "\u212a",
        "ſ",
        "語",
        "ひ",
        "Ж",
        "ж",
        "é",
        "e\u0301",
        "\U00020001",
        "\ud800",
    ]
)
gaps = st.sampled_from([" ", "", "\n\t", ".", "(", '"', "-", "\u3000", "\u00a0", "“", "🙂", "\0", "    # ", "\\", "\\n", "n"])
texts = st.lists(st.tuples(pieces, gaps), max_size=40).map(lambda pairs: "".join(piece + gap for piece, gap in pairs))
some_limits = st.builds(
    lambda words, shortest, letters: Limits(words, min(shortest, words), min(letters, words)),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 3),
)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@settings(deadline=None)
@given(st.lists(st.one_of(texts, st.text()), max_size=5))
def test_words_are_those_of_a_regular_expression(batch: list[str]) -> None:
    words = words_of([encoded(text) for text in batch])
    found = [bytes(words.data[start:end]).decode() for start, end in zip(words.bounds[:-1], words.bounds[1:], strict=True)]
    assert found == ["".join(word + " " for word in plain_words(text)) for text in batch]
    assert np.diff(words.word_bounds).tolist() == [len(plain_words(text)) for text in batch]


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4), some_limits)
@example(["a b c d e f"], ["A-b.c d e f g"], Limits(6, 6, 0))
def test_matches_are_those_of_sets_of_strings(fields: list[str], documents: list[str], limits: Limits) -> None:
    index = build_index([Item("b", str(number), text) for number, text in enumerate(fields)], limits)
    wanted = set().union(*(plain_ngrams(field, limits) for field in fields)) if fields else set()
    assert {text_of(index.table, gram) for gram in range(len(index.table.hashes))} == wanted
    assert len(index.table.hashes) == len(wanted)
    for document, grams in zip(documents, per_text(index.match([encoded(text) for text in documents])), strict=True):
        assert [text_of(index.table, gram) for gram in grams] == [
            text_of(index.table, gram) for gram in range(len(wanted)) if contains(document, text_of(index.table, gram))
        ]
        _, owners = index.fields_of(grams)
        assert set(owners.tolist()) == {
            number for number, field in enumerate(fields) if any(contains(document, gram) for gram in plain_ngrams(field, limits))
        }


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_bytes_that_are_no_text_do_no_harm(batch: list[bytes]) -> None:
    index = build_index([Item("b", "0", "a b")], Limits(2, 2, 0))
    assert len(index.match(batch).offsets) == len(batch) + 1
    assert len(index.match([b"\xff a \xe4\xb8 B \xf0", *batch]).grams) >= 1


def test_more_matches_than_room_are_all_found() -> None:
    text = " ".join(f"w{number}" for number in range(5000))
    index = build_index([Item("b", "0", text)], Limits(10))
    first, second, third = per_text(index.match([text.encode(), b"", text.upper().encode()]))
    assert first.tolist() == third.tolist() == list(range(4991))
    assert len(second) == 0


class TestCollisions:
    def test_another_ngram_of_the_same_hash_is_no_match(self) -> None:
        index = build_index([Item("b", "0", "one two")], Limits(2, 2, 0))
        forged = index.table._replace(data=words_of([b"six two"]).data)  # the hash of 'one two', the words of another
        assert len(index.match([b"one two"]).grams) == 1
        assert len(build_index([Item("b", "0", "one two")], Limits(2, 2, 0)).match([b"six two"]).grams) == 0
        assert len(match([b"one two"], forged).grams) == 0

    def test_the_right_one_of_two_of_a_hash_is_found(self) -> None:
        table = build_index([Item("b", "0", "one two"), Item("b", "1", "six two")], Limits(2, 2, 0)).table
        # Both n-grams carry the hash of 'six two'; 'one two' comes first in the row of slots.
        slots = np.zeros_like(table.slots)
        slot = int(table.hashes[1]) & (len(slots) - 1)
        slots[slot], slots[(slot + 1) % len(slots)] = 1, 2
        forged = table._replace(hashes=np.repeat(table.hashes[1:], 2), slots=slots)
        assert match([b"six two"], forged).grams.tolist() == [1]
