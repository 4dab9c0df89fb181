"""What of a file its grammar is given to read. Every rewriting keeps the number of bytes and lines, so positions stay true."""

from __future__ import annotations

import re
from collections.abc import Callable

Reading = Callable[[bytes], bytes]

_NOT_NEWLINE = re.compile(rb"[^\n]")


def haskell_code(content: bytes) -> bytes:
    """Code of a literate Haskell file: lines that start with ``>`` and ``\\begin{code}`` blocks (Haskell 2010 report, section 10.4)."""
    lines = []
    inside = False
    for line in content.split(b"\n"):
        if line.startswith((rb"\begin{code}", rb"\end{code}")):
            inside = line.startswith(rb"\begin{code}")
            lines.append(_blank(line))
        elif inside:
            lines.append(line)
        else:
            lines.append(b" " + line[1:] if line.startswith(b">") else _blank(line))
    return b"\n".join(lines)


_AGDA_BLOCK = re.compile(rb"\\begin\{code\}[^\n]*\n(.*?)\\end\{code\}", re.DOTALL)


def agda_code(content: bytes) -> bytes:
    """Code of a literate Agda file (the LaTeX form, ``.lagda``): its ``\\begin{code}`` blocks, whose options stand on the first line."""
    pieces = []
    end = 0
    for block in _AGDA_BLOCK.finditer(content):
        pieces += [_blank(content[end : block.start(1)]), block[1]]
        end = block.end(1)
    return b"".join([*pieces, _blank(content[end:])])


def _as_is(content: bytes) -> bytes:
    return content


def _blank(text: bytes) -> bytes:
    return _NOT_NEWLINE.sub(b" ", text)


_FIXED_COMMENT = re.compile(rb"^[cC*]", re.MULTILINE)
_FIXED_CONTINUATION = re.compile(rb"(\r?\n)[ ]{5}[^ 0\r\n]")


def fortran_free_form(content: bytes) -> bytes:
    """Fixed-form Fortran as free form: comments start with ``!``, continuations with an ``&`` on the line before."""
    return _FIXED_CONTINUATION.sub(rb"&\1     ", _FIXED_COMMENT.sub(b"!", content))


_READINGS: dict[str, tuple[Reading, ...]] = {
    "Fortran": (_as_is, fortran_free_form),
    "Literate Agda": (agda_code,),
    "Literate Haskell": (haskell_code,),
}


def readings_of(language: str) -> tuple[Reading, ...]:
    """How a file of this language may be read: code alone where it stands inside other text, both source forms of Fortran."""
    return _READINGS.get(language, (_as_is,))
