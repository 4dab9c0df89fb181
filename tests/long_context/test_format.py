import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.long_context.format import file_head, format_sequence, parse_sequence
from beam_seed.special_tokens import SPECIAL_TOKENS

fragments = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*SPECIAL_TOKENS, "<[\\file]>", "<[", "]>", "\n", "\r\n", '"', "\\", "<", "[repo]>", " ", "\u2028"]),
)
texts = st.lists(fragments, max_size=6).map("".join)


@given(texts, st.lists(st.tuples(texts, texts), max_size=5))
@example("", [("", "")])
@example("a\nb", [('"', "<[file]>x\n"), ("<[file]>", "<[\\\\file]>")])
def test_what_is_parsed_is_what_was_formatted(repo, files):
    assert parse_sequence(format_sequence(repo, files)) == (repo, files)


@given(texts, texts)
def test_markers_are_only_ours(path, content):
    text = format_sequence(path, [(path, content)])
    assert text.count("<[file]>") == text.count("<[repo]>") == 1
    assert not any(token in text for token in SPECIAL_TOKENS if token not in ("<[file]>", "<[repo]>"))
    assert file_head(path).count("\n") == 1


def test_what_is_no_sequence():
    for text in ("", "x", "<[repo]>a", "<[repo]>a\nb\n<[file]>a\n", "<[file]>a\n"):
        with pytest.raises(ValueError, match="expected"):
            parse_sequence(text)
    with pytest.raises(ValueError, match="without the end of a line"):
        parse_sequence("<[repo]>a\n<[file]>b")
