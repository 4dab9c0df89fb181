"""A commit object as it is stored -> its fields."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from beam_seed.commits.records import ObjectError

_WHEN = re.compile(rb"> (\d+) ([+-])(\d{2,})(\d{2})\s*$")
_MAX_TIME = 1 << 40  # 36,000 years; what is later was never a time
_MAX_OFFSET = 26 * 60  # minutes; zones reach from -12 to +14 hours

_TRAILER_OF_PERSON = re.compile(r"^[ \t]*[A-Za-z][A-Za-z-]*:[ \t].*<[^<>\s]+@[^<>\s]*>[^\n]*$\n?", re.MULTILINE)
"""A line such as ``Signed-off-by: Name <address>``, ``Co-authored-by:``, ``Cc:``."""

_BOT = re.compile(
    rb"\[bot\]|(?:^|[-_. +/<])(?:bot|robot|dependabot|renovate|greenkeeper|github-actions|pre-commit-ci|allcontributors|mergify|weblate"
    rb"|transifex|semantic-release|release-please|travis|circleci|jenkins|bors|homu)(?:$|[-_. +/@>])|autobot[@ <]",
    re.IGNORECASE,
)
"""Names of programs that commit: GitHub's own mark, 'bot' as a word of its own, and services that are known under a name without it."""

_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7", "palmos"})
"""What Python decodes too, but nobody writes messages in: some make lone surrogates, some take quadratic time."""


class Commit(NamedTuple):
    tree: str
    parents: tuple[str, ...]
    author_time: int
    author_offset: int
    commit_time: int
    commit_offset: int
    message: str
    encoding: str
    bot: bool


def parse_commit(data: bytes) -> Commit:
    """The fields of a commit object. A time that cannot be read is 0, as it is to git. Raises ObjectError where it names no tree."""
    head, _, body = data.partition(b"\n\n")
    lines = head.split(b"\n")
    values = [line.partition(b" ")[::2] for line in lines]
    trees = [value for key, value in values[:1] if key == b"tree"]
    if not trees or not re.fullmatch(rb"[0-9a-f]{40}", trees[0]):
        raise ObjectError("a commit without a tree")
    found = dict(reversed(values))  # the first of each
    author = found.get(b"author", b"")
    message, encoding = _decoded(body, found.get(b"encoding", b"utf-8").decode("ascii", "replace"))
    parents = tuple(value.decode("ascii", "replace") for key, value in values if key == b"parent")
    who = author.partition(b">")[0] + b">"
    return Commit(
        trees[0].decode(),
        parents,
        *_when(author),
        *_when(found.get(b"committer", b"")),
        without_people(message),
        encoding,
        _BOT.search(who) is not None,
    )


def _when(person: bytes) -> tuple[int, int]:
    found = _WHEN.search(person)
    if found is None or len(found.group(1)) > len(str(_MAX_TIME)) or int(found.group(1)) > _MAX_TIME:
        return 0, 0
    offset = int(found.group(3)[-4:]) * 60 + int(found.group(4))
    return int(found.group(1)), (offset if offset <= _MAX_OFFSET else 0) * (-1 if found.group(2) == b"-" else 1)


def _decoded(body: bytes, encoding: str) -> tuple[str, str]:
    try:
        name = codecs.lookup(encoding).name
        if name not in _NO_CHARSETS:
            return body.decode(name), name
    except (LookupError, ValueError):  # unknown, or no encoding of text, or not what the message is in
        pass
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return body.decode("utf-8", "backslashreplace"), ""


def without_people(message: str) -> str:
    """``message`` without the trailers that name people with their addresses, and without the white space around it.

    >>> without_people("Fix it\\n\\nSigned-off-by: A <a@b.c>\\n")
    'Fix it'
    """
    return _TRAILER_OF_PERSON.sub("", message).strip()
