"""Code as the page shows it, from the tokens of serialised HTML: every character and all whitespace, nothing that stands beside it."""

from __future__ import annotations

import re

from beam_seed.web.tags import LINE_BREAK, LINE_END, LINE_START, VOID, Tag, read_tag, recall

_LEADING_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
# Editors put these into empty lines and around selections; no compiler reads them.
_INVISIBLE = re.compile("[\u200b\ufeff]")
_BACKTICKS = re.compile(r"`+")


def region_end(tokens: list[str], at: int, name: str) -> int:
    """Index of the end tag that closes the element whose start tag is ``tokens[at]``; the number of tokens where there is none.

    Tags are at odd indices, the text before each at the even index before it.
    """
    end, start, depth = f"</{name}>", (f"<{name}>", f"<{name} "), 1
    for index in range(at + 2, len(tokens), 2):
        token = tokens[index]
        if token == end:
            depth -= 1
            if not depth:
                return index
        elif token.startswith(start):
            depth += 1
    return len(tokens)


def unescape(text: str) -> str:
    """Text of serialised HTML, in which only these four characters are escaped; a no-break space is a space."""
    if "&" not in text:
        return text
    return text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def code_text(tokens: list[str], start: int, end: int) -> str:
    """The code between the tags ``tokens[start]`` and ``tokens[end]``, without blank lines around it and without line numbers."""
    tags = {text: recall(text) or read_tag(text) for text in set(tokens[start + 2 : end : 2])}
    if not any(tag.code_skip or tag.code_block for tag in tags.values()):
        return tidy(unescape("".join(tokens[start + 1 : end : 2])))
    code = tidy(unescape(_by_lines(tokens, start, end, tags)))
    lines = code.split("\n")
    if any(tag.numbers for tag in tags.values()) and all(not line or line[0] == " " for line in lines):
        return "\n".join(line[1:] for line in lines)  # the space that stood between each number and its line
    if len(lines) >= 4 and is_gutter(lines[::2]):
        return "\n".join(lines[1::2])  # each line is a row of two cells, a number and the code
    return code


def tidy(code: str) -> str:
    """``code`` without blank lines around it and without invisible characters."""
    if not code.isascii():
        code = _INVISIBLE.sub("", code).replace("\xa0", " ")
    return _LEADING_BLANK_LINES.sub("", code.rstrip())


def is_gutter(lines: list[str]) -> bool:
    """Whether the lines are nothing but two or more numbers in a row, one on each."""
    if len(lines) < 2 or not lines[0].strip().isdecimal():
        return False
    first = int(lines[0].strip()[:9])
    return all(line.strip() == str(number) for number, line in enumerate(lines, first))


def _by_lines(tokens: list[str], start: int, end: int, tags: dict[str, Tag]) -> str:
    # ``ended``: what was written ends a line. ``owed``: the line was closed by its element, its end is still to be written, unless
    # the text behind the element does. ``empty``: nothing has been written since the element of the line began.
    parts: list[str] = []
    ended, owed, empty, line_end = True, False, False, -1
    index = start
    while index < end:
        text = tokens[index + 1]
        if text:
            if owed:
                owed = False
                if text.isspace() and "\n" in text:
                    text = "\n" * text.count("\n")
                elif text[0] != "\n":
                    parts.append("\n")
            parts.append(text)
            ended, empty = text[-1] == "\n", False
        index += 2
        if index >= end:
            break
        tag = tags[tokens[index]]
        step = LINE_END if index == line_end else tag.code_block
        if tag.code_skip:
            index = index if tag.name in VOID else region_end(tokens, index, tag.name)
        elif step == LINE_START:
            if owed or not ended:
                parts.append("\n")
            ended, owed, empty = True, False, True
            if tag.name in ("span", "code") and index > line_end:
                line_end = region_end(tokens, index, tag.name)
        elif step == LINE_END:
            owed, empty = owed or empty or not ended, False
        elif step == LINE_BREAK:
            parts.append("\n")
            ended, owed, empty = True, False, False
    return "".join(parts)


def fenced(code: str, language: str) -> str:
    """``code`` as a fenced block of Markdown, its fence longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + _longest_run(code))
    return f"{fence}{language}\n{code}\n{fence}"


def inline(code: str) -> str:
    """``code`` between backticks, more of them than it holds in a row."""
    if "`" not in code:
        return f"`{code}`"
    fence = "`" * (1 + _longest_run(code))
    return f"{fence} {code} {fence}"


def _longest_run(code: str) -> int:
    return max(map(len, _BACKTICKS.findall(code)), default=0) if "`" in code else 0
