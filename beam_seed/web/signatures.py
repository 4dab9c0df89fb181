"""What a page's markup says of the software that made it: generator, class and id names, schema.org types. By regular expression.

The names are ASCII in any encoding that keeps ASCII, so the body need not be decoded, nor parsed a second time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SCANNED_BYTES = 64 << 10
"""Software shows itself at the top of a page; a longer page repeats the same names."""

MAX_NAMES = 200
"""Distinct names kept, about 3 kB: themes with utility classes have thousands, and the first ones frame the page."""

# Each begins with a literal, which the expression engine finds at the speed of memory.
_META = re.compile(rb"<meta [^<>]{0,400}>", re.IGNORECASE)
_GENERATOR = re.compile(rb"\bname\s*=\s*[\"']?generator\b", re.IGNORECASE)
_CONTENT = re.compile(rb"\bcontent\s*=\s*(?:\"([^\"]{0,200})|'([^']{0,200})|([^\s>]{1,200}))", re.IGNORECASE)
_TYPES = (
    re.compile(rb"\"@type\"\s{0,9}:\s{0,9}\[?\s{0,9}\"(\w{1,40})\""),
    re.compile(rb"itemtype=[\"']?https?://schema\.org/(\w{1,40})"),
    re.compile(rb"og:type[\"'] content=[\"']([\w.:-]{1,40})"),
)
_NAMES = tuple(re.compile(prefix + rb"=(?:\"([^\"<>]{1,400})\"|'([^'<>]{1,400})'|([\w-]{1,100}))") for prefix in (rb"class", rb" id"))
_NAME = re.compile(rb"[A-Za-z][\w-]{1,39}")
_DIGITS = re.compile(r"\d+")


class Markup(NamedTuple):
    """The names found in a page's markup."""

    generator: str  # of <meta name=generator>, lower case; '' = none
    names: str  # distinct, sorted, separated by spaces: classes and ids, lower case, digits as '0'; types as 'schema:question'


def read_markup(body: bytes) -> Markup:
    """Generator and names of an HTML body. Never fails: what is not there is not found."""
    head = body[:SCANNED_BYTES]
    names: dict[str, None] = {f"schema:{found.decode().lower()}": None for types in _TYPES for found in types.findall(head)}
    seen: set[bytes] = set()  # attributes repeat by the hundred
    for attribute in _NAMES:
        for match in attribute.finditer(head):
            value = match[match.lastindex or 0]
            if value not in seen:
                seen.add(value)
                names |= dict.fromkeys(_DIGITS.sub("0", name.decode().lower()) for name in _NAME.findall(value))
            if len(names) >= MAX_NAMES:
                break
    return Markup(_generator(head), " ".join(sorted(list(names)[:MAX_NAMES])))


def _generator(head: bytes) -> str:
    for meta in _META.findall(head):
        if _GENERATOR.search(meta) and (content := _CONTENT.search(meta)):
            return " ".join((content[content.lastindex or 0]).decode("ascii", "replace").lower().split())
    return ""
