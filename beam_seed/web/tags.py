"""A tag of serialised HTML, read once: what the extraction has to do with it.

A page repeats few distinct tags a thousand times, and sites share them, so the reading is remembered by the tag's own text.
"""

from __future__ import annotations

import re
from enum import IntEnum

from beam_seed.web import boilerplate
from beam_seed.web.code_language import language_of


class Kind(IntEnum):
    """What a tag means for the text; the first three are most of any page."""

    INLINE = 0  # no effect
    BLOCK = 1  # begins a block that may be furniture
    END = 2  # ends a block
    LINK = 3
    LINK_END = 4
    PARAGRAPH = 5  # begins or ends a run of text, and nothing more
    BREAK = 6
    CODE = 7  # inline code, if it is not a block of its own
    PRE = 8
    SKIP = 9  # nothing in it is text of the page
    HEADING = 10
    HEADING_END = 11
    RULE = 12
    FIELD = 13  # textarea
    RAW = 14  # the whole of an <xmp>


LINE_START, LINE_END, LINE_BREAK = 1, 2, 3


class Tag:
    """One distinct tag. ``code_*`` is what it does inside a code block."""

    __slots__ = (
        "boilerplate",
        "code_block",
        "code_skip",
        "container",
        "keeps",
        "kind",
        "language",
        "level",
        "name",
        "numbers",
        "source_field",
        "verbatim",
    )

    def __init__(self, name: str, kind: Kind):
        self.name = name
        self.kind = kind
        self.boilerplate = False  # furniture by its names
        self.keeps = False  # what holds it is content
        self.level = 0  # of a heading
        self.language = ""  # programming language that it gives to code in it
        self.container = False  # shows code without <pre>
        self.verbatim = False  # keeps line ends by its own style
        self.source_field = False
        self.numbers = False  # holds line numbers, or its name says so
        self.code_skip = False
        self.code_block = 0  # LINE_START, LINE_END, LINE_BREAK or nothing


_NAME = re.compile(r"</?([a-z][^\s/>]*)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r'([^\s="/<>]+)(?:="([^"]*)")?')

_SKIP = frozenset(
    [
        "audio",
        "button",
        "canvas",
        "clipboard-copy",
        "dialog",
        "embed",
        "head",
        "map",
        "menu",
        "nav",
        "object",
        "select",
        "svg",
        "template",
        "title",
        "video",
        "optgroup",
        "option",
        "datalist",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "li",
        "main",
        "noscript",
        "ol",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "hgroup",
    ]
)
_PARAGRAPHS = frozenset(["p", "legend", "caption", "figcaption", "noframes", "frameset", "colgroup"])
_INLINE_CODE = frozenset(["code", "kbd", "samp", "tt"])
_CODE_LINES = frozenset(["div", "p", "li", "tr", "dd", "dt", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article"])
_HOLD_CODE = frozenset(["article", "body", "code", "figure", "main", "ol", "pre", "table", "tbody", "tr"])  # "with line numbers", these say
_NEVER_BESIDE = _HOLD_CODE | {"br"}
_NUMBERS_ONLY = re.compile(r"(?:^|\s)(?:linenos?|src-line-numbers)(?:$|\s)", re.IGNORECASE)
_FURNITURE_NAMES = frozenset(("footer", "aside", "noscript"))
VOID = frozenset(
    [
        "area",
        "base",
        "basefont",
        "bgsound",
        "br",
        "col",
        "embed",
        "frame",
        "hr",
        "img",
        "input",
        "keygen",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)

_MAX_VALUE = 500  # characters of an attribute that are looked at: class lists have a few hundred
_REMEMBERED = 50_000  # distinct tags, about 30 MB; a crawl has more, but most are seen once
_memory: dict[str, Tag] = {}
recall = _memory.get
"""The reading of a tag by its text, None where it must be read."""


def read_tag(text: str) -> Tag:
    """Read ``text``, one token of serialised HTML that begins with '<', and remember it."""
    if text.startswith(("<!", "<?")):
        return _NOTHING
    match = _NAME.match(text)
    if match is None:
        return _NOTHING
    name = match[1].lower()
    tag = _end_tag(name) if text[1] == "/" else _start_tag(name, text, match.end())
    if tag.kind != Kind.RAW and len(text) < 500:
        if len(_memory) >= _REMEMBERED:
            _memory.clear()
        _memory[text] = tag
    return tag


_NOTHING = Tag("", Kind.INLINE)


def _end_tag(name: str) -> Tag:
    kind = Kind.INLINE
    if name in _BLOCKS:
        kind = Kind.END
    elif name == "a":
        kind = Kind.LINK_END
    elif name in _PARAGRAPHS:
        kind = Kind.PARAGRAPH
    elif _heading_level(name):
        kind = Kind.HEADING_END
    tag = Tag(name, kind)
    tag.code_block = LINE_END if name in _CODE_LINES else 0
    return tag


def _heading_level(name: str) -> int:
    return int(name[1]) if len(name) == 2 and name[0] == "h" and name[1] in "123456" else 0


_RAW = ("script", "style", "iframe", "noembed", "noframes", "plaintext")


def _start_tag(name: str, text: str, end: int) -> Tag:
    if name == "xmp":
        return Tag(name, Kind.RAW)
    if name in _RAW:
        return _NOTHING
    if len(text) == end + 1:
        attributes: dict[str, str] = {}
    else:
        attributes = {key.lower(): value[:_MAX_VALUE] for key, value in _ATTRIBUTE.findall(text, end)}
    tag = Tag(name, _kind(name, attributes))
    tag.level = _heading_level(name)
    tag.keeps = name in ("h1", "main")
    tag.boilerplate = name in _FURNITURE_NAMES
    tag.code_skip = tag.kind == Kind.SKIP
    tag.code_block = LINE_BREAK if name == "br" else LINE_START if name in _CODE_LINES else 0
    if attributes:
        _read_attributes(tag, name, attributes)
    return tag


def _read_attributes(tag: Tag, name: str, attributes: dict[str, str]) -> None:
    tag.language = language_of(name, attributes)
    tag.verbatim = boilerplate.is_preformatted(attributes)
    tag.numbers = boilerplate.is_line_number(attributes)
    if name not in _NEVER_BESIDE and boilerplate.is_beside_code(attributes):
        tag.code_skip = True
    if name in ("span", "code") and boilerplate.is_code_line(attributes):
        tag.code_block = LINE_START
    if tag.kind == Kind.BLOCK:
        admonition = name == "aside" and "admonition" in attributes.get("class", "")
        tag.boilerplate = (tag.boilerplate and not admonition) or boilerplate.is_furniture(name, attributes)
        tag.container = boilerplate.is_code_without_pre(attributes)
    elif tag.kind == Kind.FIELD:
        tag.source_field = boilerplate.is_source_field(attributes)


def _kind(name: str, attributes: dict[str, str]) -> Kind:
    if name in _SKIP:
        return Kind.SKIP
    if attributes and name not in _HOLD_CODE and boilerplate.is_line_number(attributes):
        return Kind.SKIP
    if name == "pre":
        return Kind.SKIP if _NUMBERS_ONLY.search(attributes.get("class", "")) else Kind.PRE
    if name in _BLOCKS:
        return Kind.BLOCK
    if name in _INLINE_CODE:
        return Kind.CODE
    if name in VOID:
        return {"br": Kind.BREAK, "hr": Kind.RULE}.get(name, Kind.INLINE)
    if _heading_level(name):
        return Kind.HEADING
    if name in _PARAGRAPHS:
        return Kind.PARAGRAPH
    if name == "textarea":
        return Kind.FIELD
    if attributes and boilerplate.is_mark(attributes):
        return Kind.SKIP
    return Kind.LINK if name == "a" else Kind.INLINE
