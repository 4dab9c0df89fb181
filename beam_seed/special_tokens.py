r"""The special tokens of our documents, and how content is kept from containing them.

What looks like a special token in any content, ``<[name]>``, is written with a backslash more than it has: ``<[\name]>``. So these tokens,
and those that a model adds in the same style, occur only where they mean something. Every text that goes into training is escaped
once: code and pages when shards are written, what has markers (commits, repositories) when it is formatted.
"""

from __future__ import annotations

import re

PADDING = "<[pad]>"
END = "<[end]>"  # after each document of a sequence

FIM_SUFFIX = "<[fim-suffix]>"
FIM_PREFIX = "<[fim-prefix]>"
FIM_MIDDLE = "<[fim-middle]>"

REPO = "<[repo]>"
README = "<[readme]>"
TREE = "<[tree]>"
FILE = "<[file]>"
CUT = "<[cut]>"
MESSAGE = "<[message]>"
PATHS = "<[paths]>"
CHANGE = "<[change]>"

SPECIAL_TOKENS = {
    PADDING: "nothing: fills the end of a sequence",
    END: "the document before it is whole",
    FIM_SUFFIX: "fill-in-the-middle: what comes after the gap (recipe section 6)",
    FIM_PREFIX: "fill-in-the-middle: what comes before the gap",
    FIM_MIDDLE: "fill-in-the-middle: what is in the gap",
    REPO: "name of the repository",
    README: "README before the commit: name, text",
    TREE: "directory structure before the commit",
    FILE: "a file: path, text",
    CUT: "the text before is only the beginning",
    MESSAGE: "the commit's message",
    PATHS: "the changed files",
    CHANGE: "the change of one file: path, modes, hunks",
}
"""In the order of their ids in a tokenizer of ours."""

_LOOKS_SPECIAL = re.compile(r"<\[(?=\\*[A-Za-z][\w-]*\]>)")
_ESCAPED = re.compile(r"<\[\\(?=\\*[A-Za-z][\w-]*\]>)")


def escape(text: str) -> str:
    r"""``text`` without special tokens.

    >>> print(escape("<[file]> <[\\file]> <[0]>"))
    <[\file]> <[\\file]> <[0]>
    """
    return _LOOKS_SPECIAL.sub(r"<[\\", text) if "<[" in text else text


def unescape(text: str) -> str:
    """The text that :func:`escape` was given."""
    return _ESCAPED.sub("<[", text) if "<[" in text else text
