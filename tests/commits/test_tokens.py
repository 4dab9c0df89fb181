from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import beam_seed.quality
from beam_seed.commits.tokens import CountedTokens, EstimatedTokens

SCORER_TOKENIZER = Path(beam_seed.quality.__file__).parent / "default_scorer" / "tokenizer.json"
COUNTERS = [EstimatedTokens(), EstimatedTokens(1.5), CountedTokens.from_file(str(SCORER_TOKENIZER))]
texts = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(["def f(x):", "    return x", "日本語", ""])), max_size=12).map("\n".join)


@settings(deadline=None)
@given(texts, st.integers(0, 40))
@pytest.mark.parametrize("counter", COUNTERS)
def test_what_fits_is_the_most_whole_lines(counter, text, tokens):
    shown = counter.fit(text, tokens)
    if counter.count(text) <= tokens:
        assert shown == text
        return
    assert text.startswith(shown)
    assert counter.count(shown) <= tokens
    assert not shown or shown.endswith("\n")
    following = text[: text.find("\n", len(shown)) + 1]
    if isinstance(counter, EstimatedTokens) and following:
        assert counter.count(following) > tokens


def test_the_estimate_is_of_bytes_and_rounded_up():
    assert [EstimatedTokens().count(text) for text in ("", "a", "abc", "abcd", "日本")] == [0, 1, 1, 2, 2]
    assert EstimatedTokens().most_bytes(10) == 30


def test_special_tokens_of_the_tokenizer_are_not_added():
    assert COUNTERS[2].count("") == 0
    assert COUNTERS[2].count("def") == len(Tokenizer.from_file(str(SCORER_TOKENIZER)).encode("def", add_special_tokens=False).ids)


def test_a_text_far_beyond_the_limit_is_not_tokenised_whole(monkeypatch):
    shown = COUNTERS[2].fit("x = 1\n" * 1_000_000, 10)
    assert shown
    assert set(shown.splitlines()) == {"x = 1"}


def test_what_is_no_tokenizer(tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_text("{}")
    with pytest.raises(ValueError, match=r"expected a tokenizer\.json"):
        CountedTokens.from_file(str(file))
    with pytest.raises(ValueError, match="expected a number above 0"):
        EstimatedTokens(0.0)
