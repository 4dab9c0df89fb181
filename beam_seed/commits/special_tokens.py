r"""The special tokens of commit samples, and how content is kept from containing them.

What looks like a special token in any content, ``<[name]>``, is written with a backslash more than it has: ``<[\name]>``. So these tokens,
and those that a model adds in the same style (``<[fim-prefix]>``), occur only where they mean something.
"""

from __future__ import annotations

import re

SPECIAL_TOKENS = {
    "<[repo]>": "name of the repository",
    "<[readme]>": "README before the commit: name, text",
    "<[tree]>": "directory structure before the commit",
    "<[file]>": "a file before the commit: path, text",
    "<[cut]>": "the text before is only the beginning",
    "<[message]>": "the commit's message",
    "<[paths]>": "the changed files",
    "<[change]>": "the change of one file: path, modes, hunks",
}
REPO, README, TREE, FILE, CUT, MESSAGE, PATHS, CHANGE = SPECIAL_TOKENS

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
