"""Readings of a page's Markdown: without its code, without its links' addresses, as words for a classifier."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^( {0,3}|(?:[ >*+-]|\d+[.)])*)(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
_LINK_TARGET = re.compile(r"\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?: \"[^\"\n]*\")?\)")


def without_code_blocks(markdown: str) -> str:
    """The Markdown without its fenced blocks, fences included; an unclosed fence runs to the end, as CommonMark says."""
    kept, position = [], 0
    while (fence := _FENCE.search(markdown, position)) is not None:
        kept.append(markdown[position : fence.start()])
        position = _block_end(markdown, fence)
    return "".join([*kept, markdown[position:]])


def _block_end(markdown: str, fence: re.Match[str]) -> int:
    mark = fence[2]
    closing = re.compile(rf"^[ >\t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
    end = closing.search(markdown, fence.end())
    return end.end() if end is not None else len(markdown)


def without_link_targets(markdown: str) -> str:
    """The Markdown with the addresses of its links and images left out: ``[text](address)`` is ``[text]``."""
    return _LINK_TARGET.sub("]", markdown) if "](" in markdown else markdown


# ASCII letters in lower case, digits and '_' stay; everything else of ASCII, line ends among them, becomes a space.
_WORD_BYTES = bytes(
    ord(chr(code).lower()) if code < 128 and (chr(code).isalnum() or code == ord("_")) else code if code >= 128 else ord(" ")
    for code in range(256)
)
# Scripts that write no spaces: Thai, Lao, Burmese, Khmer, kana, CJK ideographs. In UTF-8 their characters begin with other bytes than
# Latin, Greek, Cyrillic, Hebrew and Arabic ones, so that most pages never meet this expression.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
_UNSPACED_BYTES = bytes({0xE0, 0xE1, *range(0xE3, 0xF5)})
# Characters that are signs and no letters: U+0080 to U+00BF, U+2000 to U+2FFF, the CJK and full-width punctuation.
_SIGNS = {0xC2: re.compile(rb"\xc2."), 0xE2: re.compile(rb"\xe2..", re.DOTALL), 0xE3: re.compile(rb"\xe3\x80[\x80-\xa0]")}
_FULL_WIDTH = re.compile("[\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+")


def words_text(text: str) -> str:
    """``text`` as one line of words between spaces, as fastText wants it: lower case, punctuation and line ends are spaces.

    The last word of a line never touches the first of the next. In scripts without spaces every character is a word.
    """
    data = text.encode("utf-8", "replace").translate(_WORD_BYTES)
    if data.isascii():
        return data.decode("ascii")
    for first, signs in _SIGNS.items():
        if first in data:
            data = signs.sub(b" ", data)
    plain = data.decode("utf-8").lower()
    if len(data.translate(None, _UNSPACED_BYTES)) == len(data):
        return plain
    return _UNSPACED.sub(r" \1 ", _FULL_WIDTH.sub(" ", plain))
