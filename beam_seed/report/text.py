"""Numbers and strangers' strings as text that a reader or a terminal cannot be fooled by."""

from __future__ import annotations

import json
import math
import re
from typing import Any

# Unprintable, or able to make a text look like another one: control characters (a terminal obeys some), lone surrogates, and
# the marks that change the direction of text (https://trojansource.codes).
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(value: Any) -> Any:
    """``value`` with every invisible or unpaired character in its strings written as an escape, such as ``\\u202e``."""
    if isinstance(value, str):
        return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", value.replace("\r\n", "\n"))
    if isinstance(value, dict):
        return {visible(name): visible(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [visible(each) for each in value]
    return value


def one_line(value: str) -> str:
    """:func:`visible`, with line breaks and tabs written as escapes too."""
    return str(visible(value)).replace("\n", "\\n").replace("\t", "\\t")


def counted(value: int, noun: str) -> str:
    """'1 file', '2,000 files', '2 repositories'."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{value:,} {noun if value == 1 else plural}"


def byte_count(value: float) -> str:
    """Bytes in decimal units: '1.23 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.4g} TB"


def percent(part: float, whole: float) -> str:
    """'12.3 %'; '–' of nothing. Never rounds something to nothing, nor a part to the whole."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if part and share < 0.1:
        return "<0.1 %"
    if part < whole and share >= 99.95:
        return ">99.9 %"
    return f"{share:.1f} %" if part not in (0, whole) else f"{share:.0f} %"


def seconds(value: float) -> str:
    """'0.42 s', '12 s', '2 min 28 s', '3 h 5 min'."""
    if value < 9.95:
        return f"{value:.2g} s"
    if value < 59.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def measure(value: float | None) -> str:
    """A measured value or limit, below 1,000 with at most four significant digits, above it whole; '–' where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.4g}"


def words(value: str) -> str:
    """A stage's or variant's name as words."""
    return value.replace("_", " ")


def evidence(text: str) -> list[tuple[str, str]]:
    """A rejection's evidence as (name, value); the text itself where it is no JSON object."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return [("", text)] if text else []
    return [(str(visible(name)), str(visible(_told(value)))) for name, value in sorted(told.items()) if name != "cluster"]


def _told(value: Any) -> str:
    if isinstance(value, dict) and "repo" in value:
        return place(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def place(item: dict[str, Any]) -> str:
    """'REPO/PATH', or 'REPO' of a repository."""
    return "/".join(str(item[name]) for name in ("repo", "path") if item.get(name))
