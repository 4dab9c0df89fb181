from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.web.markdown_text import without_code_blocks, without_link_targets, words_text


def test_fenced_blocks_are_taken_out():
    markdown = "before\n\n```python\nx = 1\n```\n\nbetween `kept`\n\n~~~~\n~~~\ny\n~~~~\nafter\n"
    assert without_code_blocks(markdown).split() == ["before", "between", "`kept`", "after"]


def test_blocks_inside_lists_and_quotes():
    markdown = "- item\n  ```\n  code()\n  ```\n  more\n> ```sh\n> ls\n> ```\n> quoted\n1. ```c\n   int x;\n   ```\nend"
    assert re.findall(r"\w+", without_code_blocks(markdown)) == ["item", "more", "quoted", "end"]


def test_a_longer_fence_holds_a_shorter_one():
    assert without_code_blocks("a\n````\n```\ncode\n```\n````\nb").split() == ["a", "b"]


def test_an_unclosed_fence_runs_to_the_end():
    assert without_code_blocks("a\n```\ncode\nmore").split() == ["a"]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("see [the docs](https://example.org/a_(b)?x=1) now", "see [the docs] now"),
        ('![alt](img.png "title") x', "![alt] x"),
        ("f[0](x y)", "f[0](x y)"),
        ("no links", "no links"),
    ],
)
def test_link_targets(markdown, expected):
    assert without_link_targets(markdown) == expected


def test_words_keep_their_boundaries_across_lines():
    assert words_text("last\nfirst\r\nnext").split() == ["last", "first", "next"]


def test_words_of_latin_text():
    assert words_text("# The “Ünïcode” Café — it's v2.0, foo_bar() «x»").split() == [
        *["the", "ünïcode", "café", "it", "s", "v2", "0", "foo_bar", "x"]
    ]


def test_scripts_without_spaces_are_words_of_one_character():
    assert words_text("数据库abc。テスト、ไทย").split() == ["数", "据", "库", "abc", "テ", "ス", "ト", "ไ", "ท", "ย"]
    assert words_text("Привет мир ελληνικά שלום 한국어 단어").split() == ["привет", "мир", "ελληνικά", "שלום", "한국어", "단어"]


def _reference(text):
    """The same words the slow way: character by character."""
    out = []
    for character in text.lower() if not text.isascii() else text:
        unspaced = re.match("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]", character)
        sign = re.match("[\u0080-\u00bf\u2000-\u2fff\u3000-\u3020\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]", character)
        ascii_sign = character.isascii() and not (character.isalnum() or character == "_")
        out.append(f" {character} " if unspaced else " " if sign or ascii_sign else character)
    return "".join(out).lower().split()


@given(st.text(st.sampled_from("aZ_9 .\n\tüßé«\u00a0“…→─漢字かなไทย。、（Ａ)[](한!Ωя\U0001f600"), max_size=60))
def test_words_agree_with_the_slow_way(text):
    assert [word for word in words_text(text).split(" ") if word] == _reference(text)


@given(st.text(max_size=200))
def test_nothing_breaks_the_line(text):
    line = words_text(text)
    assert not any(mark in line for mark in "\n\r\v\f\0\t")
