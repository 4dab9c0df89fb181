"""Fill-in-the-middle: whatever the text, it comes back; how often and where is a function of seed, id and epoch."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.fim.split import FillInMiddle, reassemble
from beam_seed.fim.transforms import FillInTheMiddle
from beam_seed.records import make_document
from beam_seed.special_tokens import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, SPECIAL_TOKENS, escape, unescape

ODD = [*SPECIAL_TOKENS, "<[", "\\", "]>", "fim-middle", "<[\\pad]>", "\r\n", "\0"]
TEXTS = st.lists(st.one_of(st.text(max_size=20), st.sampled_from(ODD)))


@given(TEXTS.map("".join), st.text(max_size=5), st.floats(0, 1), st.integers(0, 3))
@example(f"a{FIM_SUFFIX}b{FIM_PREFIX}c{FIM_MIDDLE}d", "id", 1.0, 0)
@example("", "id", 0.0, 0)
def test_every_document_reassembles_to_the_original(text: str, document: str, spm: float, epoch: int) -> None:
    form, cut = FillInMiddle(rate=1.0, spm=spm).apply(escape(text), document, epoch)
    assert form in ("spm", "psm")
    assert unescape(reassemble(cut, form)) == text
    # The three markers, once each, and no other special token: nothing that the text says is one.
    assert [cut.count(name) for name in SPECIAL_TOKENS] == [int(name in (FIM_SUFFIX, FIM_PREFIX, FIM_MIDDLE)) for name in SPECIAL_TOKENS]


def test_the_order_of_the_parts_is_the_recipes() -> None:
    text = "0123456789"
    form, cut = FillInMiddle(rate=1.0).apply(text, "x")
    suffix, rest = cut.removeprefix(FIM_SUFFIX).split(FIM_PREFIX)
    prefix, middle = rest.split(FIM_MIDDLE)
    assert form == "spm"
    assert cut.startswith(FIM_SUFFIX)
    assert prefix + middle + suffix == text
    form, other = FillInMiddle(rate=1.0, spm=0.0).apply(text, "x")
    assert (form, other) == ("psm", f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{middle}")


def test_as_many_are_cut_as_asked_and_cuts_are_spread_evenly() -> None:
    fim = FillInMiddle(rate=0.3, spm=0.75, seed=5)
    found = [fim.apply("abcdefghij" * 10, str(number)) for number in range(4000)]
    forms = [form for form, _ in found]
    assert abs(forms.count("plain") / 4000 - 0.7) < 0.03
    assert abs(forms.count("spm") / (4000 - forms.count("plain")) - 0.75) < 0.05
    lengths = [len(cut.split(FIM_MIDDLE)[1]) for form, cut in found if form != "plain"]
    assert abs(sum(lengths) / len(lengths) - 100 / 3) < 3  # the mean distance of two even cuts
    assert FillInMiddle(rate=0.0).apply("x", "y") == ("plain", "x")


def test_seed_id_and_epoch_decide() -> None:
    text = "some text of sufficient length to be cut in many ways" * 3
    own = FillInMiddle(1.0, seed=1).apply(text, "a", 0)
    assert FillInMiddle(1.0, seed=1).apply(text, "a", 0) == own
    assert len({FillInMiddle(1.0, seed=seed).apply(text, name, epoch) for seed in (1, 2) for name in "ab" for epoch in (0, 1)}) == 8


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("spm", "no markers"),
        ("spm", f"{FIM_PREFIX}a{FIM_SUFFIX}b{FIM_MIDDLE}c"),
        ("psm", f"{FIM_SUFFIX}a{FIM_PREFIX}b{FIM_MIDDLE}c"),
        ("spm", f"{FIM_SUFFIX}a{FIM_MIDDLE}b{FIM_PREFIX}c"),
        ("spm", f"{FIM_SUFFIX}a{FIM_PREFIX}b{FIM_MIDDLE}c{FIM_MIDDLE}"),
        ("other", "text"),
    ],
)
def test_what_is_no_cut_document_is_refused(form: str, text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        reassemble(text, form)


@pytest.mark.parametrize("values", [{"rate": 1.1}, {"rate": 0.5, "spm": -1}])
def test_shares_are_checked(values: dict) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        FillInMiddle(**values)


def test_transform() -> None:
    documents = [make_document("r", f"{number}.py", f"x = {number}  # {FIM_MIDDLE}\n") for number in range(60)]
    found = documents | FillInTheMiddle(rate=0.5, seed=3)
    fim = FillInMiddle(0.5, seed=3)
    by_id = {document.id: document for document in documents}
    assert {document.id for document in found} == set(by_id)
    for document in found:
        original = by_id[document.id]
        form, text = fim.apply(escape(original.content), document.id)
        assert document.content == text
        assert unescape(reassemble(document.content, form)) == original.content
        assert document.sha256 == original.sha256
    assert 10 < sum(FIM_PREFIX in document.content for document in found) < 50
    with pytest.raises(ValueError, match="rate is 2"):
        FillInTheMiddle(rate=2)
