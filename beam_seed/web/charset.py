"""From the bytes of a page to its text.

Order, the first that fits: byte-order mark; UTF-8, where the bytes are valid as such (text in another encoding hardly ever is); the HTTP
header; ``<meta>``; what the bytes look like; windows-1252 (before that, if it was declared: by many servers it is unasked).
A declared encoding fits if fewer than one character in a hundred cannot be
decoded: headers and editors lie. Labels are the WHATWG's, and so is what they mean (ISO-8859-1 is windows-1252, GB2312 is GB18030).
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

MAX_UNDECODABLE = 0.01
"""Share of characters that a declared encoding may fail on: a page of one encoding with a passage pasted from another stays below it."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# What the standard means by a name where Python's codec of that name is narrower, or another.
_CODECS = {"gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "iso8859-11": "cp874"}
_ALIASES = {"cp949": "euc-kr", "ms949": "euc-kr", "uhc": "euc-kr", "cp932": "shift_jis"}  # labels in use that the standard does not list
_MULTIBYTE = frozenset({"gbk", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "iso2022_jp"})
_LATIN = "cp1252"


class Decoded(NamedTuple):
    text: str
    charset: str  # Python's name of the encoding
    replaced: int  # characters that could not be decoded, U+FFFD in the text


def decode(body: bytes, declared: str = "") -> Decoded:
    """The text of a page. Never fails: what no encoding can decode is replaced, and counted.

    Args:
        body: bytes as the server sent them, content encoding undone.
        declared: charset of the HTTP header, any label; '' = none.
    """
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], charset)
    valid = _if_utf8(body)
    if valid is not None:
        return valid
    looks = _name(detect_encoding(body, html5_compatible=False))
    told = [_name(declared), _name(detect_encoding(body, from_html_meta=True))]
    # Latin-1 is what servers and templates say when they know nothing, and never fails: text that looks like a multi-byte encoding wins.
    order = [*(name for name in told if name != _LATIN), looks if looks in _MULTIBYTE or _LATIN not in told else None, _LATIN, "utf-8"]
    best: Decoded | None = None
    for name in dict.fromkeys(order):
        if name is None:
            continue
        found = _decode(body, name)
        if found.replaced <= MAX_UNDECODABLE * len(found.text) and (name != _LATIN or best is None or best.replaced > found.replaced):
            return found
        if best is None or found.replaced < best.replaced:
            best = found
    assert best is not None  # Latin-1 was tried
    return best


def _name(label: str | None) -> str | None:
    label = (label or "").strip().lower()
    return map_encoding_to_html5(_ALIASES.get(label, label), fallback_utf8=False) if label else None


def _if_utf8(body: bytes) -> Decoded | None:
    # ISO-2022-JP is ASCII with escape sequences: valid UTF-8, and no text.
    if b"\x1b$" in body or b"\0" in body[:4]:
        return None
    try:
        return Decoded(body.decode("utf-8"), "utf-8", 0)
    except UnicodeDecodeError:
        return None


def _decode(body: bytes, charset: str) -> Decoded:
    text = body.decode(_CODECS.get(charset, charset), "replace")
    return Decoded(text, charset, text.count("\ufffd"))
