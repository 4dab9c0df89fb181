import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.commits import bm25
from beam_seed.commits.bm25 import K1, B, Index
from beam_seed.commits.terms import Vocabulary, terms_of

words = st.sampled_from(["alpha", "beta", "gammaRay", "delta_wave", "e", "é", "x1", "zeta"])
documents = st.lists(words, max_size=12).map(" ".join)
queries = st.lists(st.one_of(words, st.just("unknown")), max_size=6).map(" ".join)


class Model:
    """An index and the plain list of what should be in it."""

    def __init__(self) -> None:
        self.vocabulary, self.index, self.texts = Vocabulary(), Index(), {}

    def add(self, text: str) -> None:
        middle = text.find(" ")  # a document may come in parts; one that holds nothing is as good as any
        number = self.index.add(*map(self.vocabulary.count, (text[:middle], text[middle:]) if middle >= 0 else (text, "")))
        assert number not in self.texts
        self.texts[number] = text

    def remove(self, number: int) -> None:
        self.index.remove(number)
        del self.texts[number]

    def scores(self, query: str) -> dict[int, float]:
        found = self.index.score(self.vocabulary.known(query))
        assert len(set(found.documents.tolist())) == len(found.documents)
        return dict(zip(found.documents.tolist(), found.scores.tolist(), strict=True))

    def rebuilt(self, query: str) -> dict[int, float]:
        other = Model()
        for text in self.texts.values():
            other.add(text)
        return {number: score for at, number in enumerate(self.texts) if (score := other.scores(query).get(at)) is not None}


def reference(texts: list[str], query: str) -> np.ndarray:
    """The scores that bm25s gives every text."""
    corpus = [terms_of(text) for text in texts]
    known = {term for terms in corpus for term in terms}
    terms = [term for term in terms_of(query) if term in known]
    if not terms:
        return np.zeros(len(texts))
    retriever = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64", backend="numpy")
    retriever.index(corpus, show_progress=False)
    return retriever.get_scores(terms)


def assert_structure(index: Index) -> None:
    """Lists lie apart from each other and from unused ones, and every document knows its places in them."""
    rows = index._unused[bm25._SIZES]
    owners = np.zeros(rows, dtype=int)
    for term in np.flatnonzero(index._rooms >= 0):
        assert 0 < index._frequencies[term] <= 1 << index._rooms[term]
        owners[index._starts[term] : index._starts[term] + (1 << index._rooms[term])] += 1
        for place, (document, _, cell) in enumerate(index._postings[index._starts[term] :][: index._frequencies[term]]):
            assert index._cells[cell].tolist()[:2] == [term, place]
            cell_of_document = index._firsts[document]
            while cell_of_document != cell:
                cell_of_document = index._cells[cell_of_document, bm25._SIBLING]
    for size, start in enumerate(index._unused[: bm25._SIZES]):
        while start >= 0:
            owners[start : start + (1 << size)] += 1
            start = index._postings[start, bm25._DOCUMENT]
    assert np.all(owners == 1)
    assert index._frequencies.sum() == len(index._cells) - index._free_cells


def assert_scores(model: Model, query: str) -> None:
    assert_structure(model.index)
    found = model.scores(query)
    assert found == model.rebuilt(query)
    expected = reference(list(model.texts.values()), query)
    ours = np.array([found.get(number, 0.0) for number in model.texts])
    np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=0.0)
    assert np.argsort(-ours.round(9), kind="stable").tolist() == np.argsort(-expected.round(9), kind="stable").tolist()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(documents, st.integers(0, 30)), max_size=25), queries)
def test_any_sequence_of_changes_scores_as_an_index_built_anew_and_as_the_reference(steps, query):
    model = Model()
    for step in steps:
        if isinstance(step, str):
            model.add(step)
        elif model.texts:
            model.remove(list(model.texts)[step % len(model.texts)])
    assert model.index.documents == len(model.texts)
    assert_scores(model, query)


def test_larger_arrays_are_made_as_documents_come(monkeypatch):
    monkeypatch.setattr(bm25, "ROWS", 1)
    model = Model()
    random = np.random.default_rng(7)
    for _ in range(120):
        model.add(" ".join(f"w{each}" for each in random.zipf(1.4, 40) if each < 500))
        if random.random() < 0.4:
            model.remove(list(model.texts)[random.integers(len(model.texts))])
    for query in ("w1", "w1 w1 w2", "w3 w17 w400 nothing", "w5 w6 w7 w8 w9 w10"):
        assert_scores(model, query)


def test_room_of_removed_documents_is_used_again():
    model = Model()
    for turn in range(300):
        for number in range(20):
            model.add(f"one two{turn % 5} three word{turn % 7} other{number} more{turn}")
        for number in list(model.texts):
            model.remove(number)
    assert len(model.index._cells) == len(model.index._postings) == bm25.ROWS
    assert model.index._unused[bm25._SIZES] < 1_000
    assert len(model.index._firsts) <= 40


def test_room_of_a_list_that_shrank_is_used_again():
    model = Model()
    for _ in range(1000):
        model.add("same")
    for number in range(999):
        model.remove(number)
    assert 1 << model.index._rooms[0] <= 4
    for number in range(100):
        model.add(f"word{number}")
    assert_scores(model, "same word7")


def test_renumbered_terms_keep_the_scores():
    model = Model()
    model.add("lost words that nobody keeps")
    for text in ("alpha beta", "beta gamma beta", "gamma", "words alpha"):
        model.add(text)
    model.remove(0)
    before = {query: model.scores(query) for query in ("alpha", "beta gamma", "words", "lost")}
    used = model.index.used_terms(len(model.vocabulary))
    assert used.sum() == 4
    model.index.renumber(model.vocabulary.keep(used))
    assert {query: model.scores(query) for query in before} == before
    model.add("lost alpha delta")
    model.remove(1)
    assert_scores(model, "lost alpha beta gamma delta words")


def test_a_term_of_every_document_still_counts_for_it():
    model = Model()
    for text in ("common rare", "common", "common common"):
        model.add(text)
    scores = model.scores("common")
    assert all(score > 0 for score in scores.values())
    assert scores[2] > scores[1]


@pytest.mark.parametrize("query", ["", "unknown", "..."])
def test_a_query_without_known_terms_finds_nothing(query):
    model = Model()
    assert model.scores(query) == {}
    model.add("")
    model.add("alpha")
    assert model.scores(query) == {}
