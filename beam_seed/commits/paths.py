r"""Paths as valid text: git's C-style quoting, used only where a path could not be written on a line as it is.

A path is quoted where it holds a control character, ``"``, a backslash, or bytes that are not UTF-8, and where it begins or ends with a
space. ``git apply`` reads the same quoting.
"""

from __future__ import annotations

import re

_NAMED = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}
_BYTES = {letter: code for code, letter in _NAMED.items()}
_ODD = re.compile(r'[\x00-\x1f"\\\x7f\x85\u2028\u2029\ud800-\udfff]')
_ESCAPE = re.compile(rb'\\([abtnvfr"\\]|[0-3][0-7]{2})')


def quote(path: str) -> str:
    r"""``path`` (of ``surrogateescape``) as valid Unicode on one line.

    >>> quote("lib/caf\udce9.py"), quote("lib/café.py")
    ('"lib/caf\\351.py"', 'lib/café.py')
    """
    if not _ODD.search(path) and path == path.strip(" "):
        return path
    return '"' + _ODD.sub(lambda found: _escaped(found.group()), path) + '"'


def _escaped(character: str) -> str:
    codes = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\{_NAMED[code]}" if code in _NAMED else f"\\{code:03o}" for code in codes)


def unquote(text: str) -> str:
    """The path that :func:`quote` wrote. Raises ValueError where the quoting is none.

    >>> unquote(quote('a "b"\\n'))
    'a "b"\\n'
    """
    if not text.startswith('"'):
        return text
    if len(text) < 2 or not text.endswith('"'):
        raise ValueError(f"{text!r} begins with a quote and does not end with one; expected git's quoting of a path")
    data = text[1:-1].encode("utf-8", "surrogateescape")
    if b"\\" in _ESCAPE.sub(b"", data):
        raise ValueError(f"{text!r} holds an unknown escape; expected git's quoting of a path")
    return _ESCAPE.sub(_byte, data).decode("utf-8", "surrogateescape")


def _byte(found: re.Match[bytes]) -> bytes:
    letter = found.group(1).decode()
    return bytes([_BYTES[letter] if letter in _BYTES else int(letter, 8)])
