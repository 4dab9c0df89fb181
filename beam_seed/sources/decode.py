"""Bytes of a file -> text, or why it is none."""

from __future__ import annotations

import codecs
import functools
import re
from typing import NamedTuple


class Text(NamedTuple):
    content: str  # without byte-order mark
    utf8: bytes  # the content as UTF-8


class NoText(NamedTuple):
    rule: str  # 'binary' or 'undecodable'
    measured: float
    limit: float
    evidence: dict[str, str | int]


# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Terminal recordings and old sources use BEL, BS, TAB, LF, VT, FF, CR, SUB and ESC; the other control bytes have no place in text.
_CONTROL_BYTES = bytes(set(range(32)) - {7, 8, 9, 10, 11, 12, 13, 26, 27}) + b"\x7f"

MAX_CONTROL_SHARE = 0.02
"""Share of control bytes a text may have; random bytes have 9 %, the sources of installed packages under 0.1 %."""

SAMPLE_BYTES = 16 << 10
"""What the detector sees: detection takes about 1 ms per KB, and the lines that hold non-ASCII bytes decide."""

MIN_CONFIDENCE = 0.9
"""1 - charset-normalizer's share of implausible characters ("chaos"); its own cut-off is 0.8, which lets damaged text pass."""


def decode(data: bytes) -> Text | NoText:
    """The text of a file.

    UTF-8 is strict. Otherwise a byte-order mark decides (UTF-16, UTF-32), else charset-normalizer on the non-ASCII lines, with a
    confidence of at least MIN_CONFIDENCE. 'binary' measures NUL characters (limit 0) or the share of control bytes.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding)
    return _decode_unmarked(data)


def _decode_marked(data: bytes, encoding: str) -> Text | NoText:
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError as error:
        return NoText("undecodable", error.start, 0.0, {"encoding": encoding, "offset": error.start})
    utf8 = data if encoding == "utf-8" else content.encode()
    return _control(utf8) or Text(content, utf8)


def _decode_unmarked(data: bytes) -> Text | NoText:
    binary = _control(data)
    if binary:
        return binary
    try:
        return Text(data.decode("utf-8"), data)
    except UnicodeDecodeError as error:
        return _decode_legacy(data, error.start)


def _control(data: bytes) -> NoText | None:
    # One pass finds nearly every text: it has no control byte at all.
    control = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if not control:
        return None
    nul = data.count(0)
    if nul:
        return NoText("binary", nul, 0.0, {"measure": "NUL characters", "offset": data.index(0)})
    share = control / len(data)
    return NoText("binary", share, MAX_CONTROL_SHARE, {"measure": "share of control bytes"}) if share > MAX_CONTROL_SHARE else None


def _decode_legacy(data: bytes, offset: int) -> Text | NoText:
    evidence: dict[str, str | int] = {"encoding": "utf-8", "offset": offset}
    damaged = data.decode("utf-8", "replace")
    errors = damaged.count("�")
    if sum(1 for character in damaged if character > "\x7f") > 2 * errors:
        # Most non-ASCII characters are valid UTF-8, which no legacy text is by chance: a mixture no single encoding can decode.
        return NoText("undecodable", errors, 0.0, {**evidence, "measure": "invalid sequences in UTF-8"})
    encoding, confidence = detect(_non_ascii_lines(data))
    if confidence < MIN_CONFIDENCE:
        return NoText("undecodable", confidence, MIN_CONFIDENCE, {**evidence, "guess": encoding, "measure": "confidence in the encoding"})
    try:
        content = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return NoText("undecodable", 0.0, MIN_CONFIDENCE, {**evidence, "guess": encoding, "measure": "confidence in the encoding"})
    utf8 = content.encode("utf-8", "replace")
    return _control(utf8) or Text(utf8.decode(), utf8)


def _non_ascii_lines(data: bytes) -> bytes:
    lines, size = [], 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            lines.append(line[: SAMPLE_BYTES - size])
            size += len(lines[-1])
            if size >= SAMPLE_BYTES:
                break
    return b"".join(lines)


LEGACY_ENCODINGS = (
    *("cp866", "koi8_r", "koi8_u", "mac_roman", "mac_cyrillic"),
    *(f"cp{page}" for page in range(1250, 1259)),
    *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *("gb18030", "big5", "big5hkscs", "euc_jp", "cp932", "cp949"),
)
"""The legacy encodings of the WHATWG Encoding Standard: all keep ASCII as it is, as EBCDIC does not. Without Thai, which short Chinese
text is taken for."""


@functools.lru_cache(maxsize=256)  # translations of one file share their non-ASCII lines
def detect(sample: bytes) -> tuple[str, float]:
    """Encoding of a sample that is not UTF-8 and the confidence (0 to 1) in it; ('', 0.0) where none is found.

    Text that reads as Western European is cp1252, the commonest legacy encoding of source code by far: there charset-normalizer
    (measured on 3.5) takes any of a dozen code pages, because a comment's few accents fit all of them. The price is that the Czech and
    Turkish letters that share a byte with a Western one are taken for it. Everything else is charset-normalizer's best guess.
    """
    import charset_normalizer

    if _is_western(sample):
        return "cp1252", 1.0
    best = charset_normalizer.from_bytes(sample, cp_isolation=[*LEGACY_ENCODINGS]).best()
    return (best.encoding, 1.0 - best.chaos) if best else ("", 0.0)


# Without the bytes of Polish and Czech letters that are signs or fractions in cp1252.
_WESTERN_SIGNS = "€„…‘’“”•–—™¡§©ª«®°±²µ·º»¿"
_WESTERN_BYTES = _WESTERN_SIGNS.encode("cp1252") + bytes(set(range(0xC0, 0x100)) - {0xD7, 0xF7})
_RUN = re.compile(rb"[\x80-\xff]+")


def _is_western(sample: bytes) -> bool:
    """Whether the non-ASCII bytes are accented letters or typographic signs of cp1252, 3 in 4 runs of them at most two long."""
    runs = _RUN.findall(sample)
    short = sum(len(run) <= 2 for run in runs)  # other scripts write whole words in them
    return short >= 0.75 * len(runs) and not b"".join(runs).translate(None, _WESTERN_BYTES)
