"""HTML on which a standard parser needs time or memory that grows with the square of the page, made harmless before it is parsed.

Both are rules of the HTML standard, which every parser follows: formatting elements that were never closed are opened again in each
paragraph (60 kB can become gigabytes), and an attribute is compared with all others of its tag. Pages with a few hundred unclosed <font>
exist. What is looked for is the accident, at little cost; somebody who hides it behind stray end tags can still make a parser work hard.
"""

from __future__ import annotations

import re

MAX_OPEN = 256
"""Formatting elements open at one time: a parser of the standard opens them again in each paragraph. Real pages have a dozen."""
MAX_ATTRIBUTES = 1000
"""Of one tag; the most that frameworks write is some dozens."""
_SUSPICIOUS = 300_000  # characters: a shorter tag is read within some 15 s whatever it holds (8 characters an attribute)

_FORMATTING = re.compile(r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?:\s[^<>]*)?>", re.IGNORECASE)
# Matches from any '<' that begins a tag, and goes on behind what it matched: each character is read once.
_TAG = re.compile(r"<[a-zA-Z][^\s/>]*+(?:[\s/]++[^\s/>=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>][^\s>]*+))?+)*+")
_TAG_NAME = re.compile(r"<[^\s/>]{1,100}")


def tame(source: str) -> str:
    """``source`` without what would make a parser run away; nearly always ``source`` itself."""
    if source.count("<") - 2 * source.count("</") > MAX_OPEN and _most_open(source) > MAX_OPEN:
        source = _FORMATTING.sub("", source)
    if len(source) > _SUSPICIOUS:
        source = _without_crowded_tags(source)
    return source


def _without_crowded_tags(source: str) -> str:
    pieces, position = [], 0
    for match in _TAG.finditer(source):
        start, end = match.span()
        if end - start > 2 * MAX_ATTRIBUTES and len(source[start:end].split(maxsplit=MAX_ATTRIBUTES + 1)) > MAX_ATTRIBUTES:
            pieces += [source[position:start], _TAG_NAME.match(source, start)[0]]  # type: ignore[index]
            position = end
    return "".join([*pieces, source[position:]]) if pieces else source


def _most_open(source: str) -> int:
    most = now = 0
    for closes in _FORMATTING.findall(source):
        if not closes:
            now += 1
            most = max(most, now)
        elif now:
            now -= 1
    return most
