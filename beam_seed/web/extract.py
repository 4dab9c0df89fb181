"""The main content of an HTML page as Markdown, with its code intact.

resiliparse (lexbor) makes of any bytes the tree that a browser would make, and writes it down again: well-formed, every element closed,
four characters escaped. That text is read once, from tag to tag. Nothing here recurses, and every step is linear in the page.

Its own ``extract_plain_text(main_content=True)`` is as fast, but loses code: it drops lists near the top of the tree with all they hold,
knows no inline code, no tables and no languages, and keeps line numbers (docs/web_extraction.md has the figures).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from resiliparse.parse.html import HTMLTree

from beam_seed.web.charset import decode
from beam_seed.web.code_blocks import code_text, fenced, inline, is_gutter, region_end, tidy, unescape
from beam_seed.web.guard import tame
from beam_seed.web.markdown import BREAK, CODE, MAX_PREFIX, Cell, Writer, join
from beam_seed.web.markdown_text import words_text
from beam_seed.web.records import Extracted
from beam_seed.web.tags import VOID, Kind, Tag, read_tag, recall

_TOKEN = re.compile(
    r"(<!--.*?-->|<(?:script\b.*?</script>|style\b.*?</style>|iframe\b.*?</iframe>|xmp\b.*?</xmp>"
    r"|noembed\b.*?</noembed>|noframes\b.*?</noframes>|plaintext\b.*?</plaintext>|[^\">]*+(?:\"[^\"]*+\"[^\">]*+)*+>))",
    re.DOTALL,
)
_CONTROLS = re.compile("[\0-\x08\x0b\x0e-\x1f]")
_NO_CONTROLS = bytes([*b"\t\n\f\r", *range(32, 256)])  # what is left of a body without these tells whether it has control characters

MAX_LINK_SHARE = 0.75
"""Of a list's or division's characters: above it, it leads to other pages. Lists of functions with a word on each stay below it."""
MAX_LINKED = 1500
"""Characters: a division of links that is longer is the page's content (an index), a list is dropped at any length."""
MAX_FURNITURE = 4000
"""Characters: so much text is content whatever its element is called."""
MAX_NOTICE = 300
"""Characters of a ``<noscript>`` that asks for JavaScript; some forums put the whole discussion there, for crawlers."""
MIN_BLOCK_LINES = 3
"""Lines that make inline code a block, if they are laid out as code or their language is told: browsers show line ends in it as spaces."""

MAX_CONTAINERS = 8
"""Open blocks that are called code and hold ``<pre>``: below so many no other is looked at, or nesting them would cost its square."""

# Text of links that stand beside headings and code.
_SIGNS = frozenset(("¶", "#", "§", "🔗", "[source]", "source", "[edit]", "edit", "Copy", "Permalink", "[docs]", "Select all", "[src]"))


class _Frame(NamedTuple):
    """What to go back to when an open block ends."""

    tag: Tag
    blocks: int
    chars: int
    linked: int
    links: int
    kept: int
    prefix: str
    marker: str
    language: str


def extract(body: bytes, charset: str = "") -> Extracted:
    """The main content of a page. Deterministic; fails on no input.

    Args:
        body: HTML as the server sent it, content encoding undone.
        charset: of the HTTP header; '' = not told. See ``charset.decode`` for what wins.
    """
    decoded = decode(body, charset)
    source = tame(_CONTROLS.sub("", decoded.text) if body.translate(None, _NO_CONTROLS) else decoded.text)
    tree = HTMLTree.parse(source)
    page = _Page()
    page.walk(_TOKEN.split(_content_of(tree, source)))
    markdown = join(page.writer.blocks)
    return Extracted(
        title=" ".join((tree.title or "").split()),
        markdown=markdown,
        charset=decoded.charset,
        language=_page_language(tree),
        code_tags=page.code_tags,
        code_blocks=page.code_blocks,
        words=len(words_text(markdown).split()),
        # Links are measured before their spaces are collapsed and their entities read.
        link_share=min(page.linked / max(page.chars + page.code_chars, 1), 1.0),
    )


def extract_text(body: bytes) -> Extracted:
    """The record of a page of which only the text is known (WET)."""
    decoded = decode(body, "utf-8")
    text = _CONTROLS.sub("", decoded.text).strip()
    return Extracted(text.partition("\n")[0].strip(), text, decoded.charset, "", 0, 0, len(words_text(text).split()), 0.0)


def _content_of(tree: HTMLTree, source: str) -> str:
    """The serialised ``<main>``, where the page has exactly one and all code and main headings are in it, else ``<body>``."""
    body = tree.body
    if body is None:
        return ""
    if "main" in source:
        mains = body.query_selector_all("main, [role=main]")
        if len(mains) == 1:
            main: str = mains[0].inner_html
            if all(main.count(tag) >= source.count(tag) for tag in ("<pre", "<h1")):
                return main
    return body.inner_html


def _page_language(tree: HTMLTree) -> str:
    root = tree.document.document_element if tree.document is not None else None
    return (root.get_attribute("lang") or "").strip().lower()[:35] if root is not None else ""


class _Page:
    """One pass over the tokens of a page."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.frames: list[_Frame] = []
        self.tables: list[list[list[Cell]]] = []
        self.numbers: list[int] = []  # of the open lists: the next item's number, 0 where items have bullets
        self.chars = self.linked = self.links = 0  # characters of text, those inside links, and links
        self.kept = 0  # code blocks and main headings: what holds one is no furniture
        self.code_tags = self.code_blocks = self.code_chars = 0
        self.language = ""
        self.containers = 0  # open blocks that are called code and hold <pre>
        self.copy = ""  # code of the text field that was written last: highlighters keep one beside the code, for the clipboard
        self.link: int | None = None  # where the open link begins in the writer's parts

    def walk(self, tokens: list[str]) -> None:
        """Write the blocks of the page. ``tokens``: text and tags by turns, text first."""
        inline_, block, end, link, link_end, paragraph, break_, code, pre = range(9)  # the Kinds that most tags are, as plain numbers
        parts = self.writer.parts
        parts.append(tokens[0])
        index, count = 1, len(tokens)
        while index < count:
            token = tokens[index]
            tag = recall(token) or read_tag(token)
            kind = tag.kind
            if kind == inline_:
                pass
            elif kind == link:
                self.link = len(parts)
                self.links += 1
            elif kind == link_end:
                self._end_link()
            elif kind == end:
                self._end(tag)
            elif kind == block:
                index = self._begin(tag, tokens, index)
            elif kind == paragraph:
                if parts:
                    self._flush()
            elif kind == code:
                index = self._code(tag, tokens, index)
            elif kind == break_:
                parts.append(BREAK)
            elif kind == pre:
                index = self._block(tokens, index, tag)
            else:
                index = self._other(tag, tokens, index)
            index += 1
            if index < count:
                text = tokens[index]
                if text and (parts or not text.isspace()):
                    parts.append(text)
            index += 1
        self._flush()

    def _flush(self) -> None:
        if self.link is not None:
            self.linked += _length(self.writer.parts[self.link :])
            self.link = 0
        self.chars += self.writer.flush()

    def _end_link(self) -> None:
        parts, link, self.link = self.writer.parts, self.link, None
        if link is None:
            return
        if len(parts) - link <= 2 and "".join(parts[link:]).strip() in _SIGNS:
            del parts[link:]
        else:
            self.linked += _length(parts[link:])

    def _other(self, tag: Tag, tokens: list[str], index: int) -> int:
        """Handle one of the rarer tags; the index of the last token that belongs to it."""
        kind = tag.kind
        if kind == Kind.SKIP:
            return index if tag.name in VOID else region_end(tokens, index, tag.name)
        self._flush()
        if kind == Kind.HEADING:
            self.writer.heading = tag.level
            self.kept += tag.keeps
        elif kind == Kind.HEADING_END:
            self.writer.heading = 0
        elif kind == Kind.FIELD:
            end = region_end(tokens, index, tag.name)
            code = code_text(tokens, index, end) if tag.source_field else ""
            if "\n" in code:
                self._write_code(code, tag.language or self.language)
                self.copy = code
            return end
        elif kind == Kind.RAW:
            raw = tokens[index]
            self._write_code(tidy(raw[raw.index(">") + 1 : raw.rindex("<")]), self.language)
        return index

    def _begin(self, tag: Tag, tokens: list[str], index: int) -> int:
        writer = self.writer
        if writer.parts:
            self._flush()
        if tag.container and self.containers < MAX_CONTAINERS:
            end = region_end(tokens, index, tag.name)
            if not any(token.startswith(("<pre", "<textarea")) for token in tokens[index + 2 : end : 2]):
                return self._block(tokens, index, tag)
        self.frames.append(
            _Frame(tag, len(writer.blocks), self.chars, self.linked, self.links, self.kept, writer.prefix, writer.marker, self.language)
        )
        if tag.language:
            self.language = tag.language
        self.kept += tag.keeps
        self.containers += tag.container
        name = tag.name
        if name == "li":
            self._begin_item()
        elif name in ("ul", "ol"):
            self.numbers.append(int(name == "ol"))
        elif name == "blockquote" and len(writer.prefix) < MAX_PREFIX:
            writer.prefix, writer.marker = writer.prefix + "> ", ""
        elif name == "table":
            self.tables.append([])
        elif name == "tr" and self.tables:
            self.tables[-1].append([])
        elif name in ("td", "th"):
            writer.prefix = writer.marker = ""
        return index

    def _begin_item(self) -> None:
        number = self.numbers[-1] if self.numbers else 0
        bullet = f"{number}. " if number else "- "
        if number:
            self.numbers[-1] += 1
        writer = self.writer
        if len(writer.prefix) < MAX_PREFIX:
            writer.prefix, writer.marker = writer.prefix + " " * len(bullet), writer.prefix + bullet

    def _end(self, tag: Tag) -> None:
        writer = self.writer
        if writer.parts:
            self._flush()
        name = tag.name
        if not self.frames or self.frames[-1].tag.name != name:
            return
        frame = self.frames.pop()
        self.containers -= frame.tag.container
        self.language = frame.language
        writer.prefix = frame.prefix
        if name != "li":
            writer.marker = frame.marker if len(writer.blocks) == frame.blocks else ""
        if name in ("td", "th") and self.tables and self.tables[-1]:
            self.tables[-1][-1].append(writer.blocks[frame.blocks :])
            del writer.blocks[frame.blocks :]
            return
        if name == "tr" and self.tables and self.tables[-1]:
            self._drop_gutters(self.tables[-1][-1])
        elif name in ("ul", "ol"):
            self.numbers.pop()
        elif name == "table":
            writer.write_table(self.tables.pop())
        elif name == "li":
            writer.marker = ""
        if self.kept == frame.kept and self._is_furniture(frame):
            del writer.blocks[frame.blocks :]
            self.chars, self.linked, self.links = frame.chars, frame.linked, frame.links

    def _drop_gutters(self, row: list[Cell]) -> None:
        """Leave out cells of numbers beside a cell of as many lines of code."""
        codes = [cell[0][0].split("\n")[1:-1] if len(cell) == 1 and cell[0][1] == CODE else [] for cell in row]
        lengths = [len(lines) for lines in codes]
        for at, lines in enumerate(codes):
            if is_gutter(lines) and lengths.count(len(lines)) > 1:
                row[at] = []
                self.code_tags -= 1
                self.code_blocks -= 1
                self.code_chars -= sum(map(len, lines)) + len(lines) - 1

    def _is_furniture(self, frame: _Frame) -> bool:
        """Whether the block that ends, which holds neither code nor a main heading, is furniture by its name or its links."""
        chars, linked = self.chars - frame.chars, self.linked - frame.linked
        if frame.tag.boilerplate and (chars < (MAX_NOTICE if frame.tag.name == "noscript" else MAX_FURNITURE) or linked > chars / 4):
            return True
        if self.links - frame.links < 2 or linked <= MAX_LINK_SHARE * chars:
            return False
        return frame.tag.name in ("ul", "ol") or (frame.tag.name in ("div", "section", "table", "dl") and chars < MAX_LINKED)

    def _code(self, tag: Tag, tokens: list[str], index: int) -> int:
        """Code that is inline unless it says otherwise; the index of its end tag."""
        end = region_end(tokens, index, tag.name)
        if end == index + 2:  # nothing but text, as nearly always
            code = tidy(unescape(tokens[index + 1]))
        elif any(token.startswith("<pre") for token in tokens[index + 2 : end : 2]):
            return self._block(tokens, index, tag)
        else:
            code = code_text(tokens, index, end)
        if "\n" in code:
            breaks = any(token.startswith("<br") for token in tokens[index + 2 : end : 2])
            if breaks or tag.verbatim or (code.count("\n") + 1 >= MIN_BLOCK_LINES and (tag.language or _is_laid_out(tokens, index, end))):
                return self._block(tokens, index, tag)
        code = " ".join(code.split())
        if code:
            self.code_tags += 1
            self._write_inline(code)
        return end

    def _write_inline(self, code: str) -> None:
        escaped = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") if "&" in code or "<" in code else code
        parts = self.writer.parts
        # Documentation tools write one name as several elements.
        if parts and parts[-1][-1:] == "`" and "`" not in code:
            parts[-1] = f"{parts[-1][:-1]}{escaped}`"
        else:
            parts.append(inline(escaped))

    def _block(self, tokens: list[str], index: int, tag: Tag) -> int:
        """A block of code between a start tag and its end; the index of the end tag."""
        if self.writer.parts:
            self._flush()
        end = region_end(tokens, index, tag.name)
        language = tag.language
        if not language:
            inner = (recall(token) or read_tag(token) for token in tokens[index + 2 : min(end, index + 12) : 2])
            language = next((each.language for each in inner if each.language), self.language)
        self._write_code(code_text(tokens, index, end), language)
        return end

    def _write_code(self, code: str, language: str) -> None:
        copy, self.copy = self.copy, ""
        if not code or code == copy:
            return
        self.code_tags += 1
        self.code_blocks += 1
        self.kept += 1
        self.code_chars += len(code)
        self.writer.blocks.append((fenced(code, language), CODE))


def _is_laid_out(tokens: list[str], start: int, end: int) -> bool:
    """Whether the source of an inline element is laid out as code: lines at the margin and lines that are indented, by real spaces."""
    lines = [line for line in "".join(tokens[start + 1 : end : 2]).split("\n")[1:] if line.strip()]
    indents = {len(line) - len(line.lstrip(" \t")) for line in lines}
    return 0 in indents and max(indents) >= 2


def _length(parts: list[str]) -> int:
    return sum(len(part) for part in parts if not part.isspace())
