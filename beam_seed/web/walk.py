"""One pass over the tags of a page's serialised HTML, which writes its main content as blocks of Markdown."""

from __future__ import annotations

from typing import NamedTuple

from beam_seed.web.code_blocks import code_text, fenced, inline, is_gutter, region_end, tidy, unescape
from beam_seed.web.markdown import BREAK, CODE, MAX_PREFIX, Cell, Writer
from beam_seed.web.tags import VOID, Kind, Tag, read_tag, recall

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


class Walk:
    """One pass over the tokens of a page; ``writer`` then has its blocks."""

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

    def read(self, tokens: list[str]) -> None:
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
        count = len(parts) - link
        if count <= 2 and "".join(parts[link:]).strip() in _SIGNS:
            del parts[link:]
        elif count:
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
        is_candidate = self.kept == frame.kept and (frame.tag.boilerplate or self.links - frame.links > 1)
        if is_candidate and self._is_furniture(frame):
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
        """Whether the block that ends is furniture by its name or its links. It holds neither code nor a main heading."""
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
