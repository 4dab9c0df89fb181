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
_SUSPICIOUS = 100_000  # characters: a shorter tag is read within a second whatever it holds

_FORMATTING = re.compile(r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?:\s[^<>]*)?>", re.IGNORECASE)
_CROWDED = re.compile(
    r"(<[a-zA-Z][^\s/>]*+)(?:[\s/]++[^\s/>=]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>][^\s>]*+))?+){%d,}+" % MAX_ATTRIBUTES
)


def tame(source: str) -> str:
    """``source`` without what would make a parser run away; nearly always ``source`` itself."""
    if source.count("<") - 2 * source.count("</") > MAX_OPEN and _most_open(source) > MAX_OPEN:
        source = _FORMATTING.sub("", source)
    if len(source) > _SUSPICIOUS:
        source = _CROWDED.sub(r"\1", source)
    return source


def _most_open(source: str) -> int:
    most = now = 0
    for closes in _FORMATTING.findall(source):
        if not closes:
            now += 1
            most = max(most, now)
        elif now:
            now -= 1
    return most
