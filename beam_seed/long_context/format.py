r"""A sequence of files as one text, and back.

::

    <[repo]>owner/name
    <[file]>src/main.py
    print("hello")
    <[file]>README.md
    ...

Names are on one line, quoted as git does where they must be; names and contents are escaped (:mod:`beam_seed.special_tokens`). A
content stands as it is: the next marker follows its last character, whether that is the end of a line or not.
"""

from __future__ import annotations

from collections.abc import Iterable

from beam_seed.commits.paths import quote, unquote
from beam_seed.special_tokens import FILE, REPO, escape, unescape


def repository_head(repo: str) -> str:
    """The line of the repository."""
    return f"{REPO}{escape(quote(repo))}\n"


def file_head(path: str) -> str:
    """The line before a file's content."""
    return f"{FILE}{escape(quote(path))}\n"


def format_sequence(repo: str, files: Iterable[tuple[str, str]]) -> str:
    """(path, content) of files as one text.

    >>> print(format_sequence("demo", [("a.py", "import b\\n"), ("b.py", "")]), end="")
    <[repo]>demo
    <[file]>a.py
    import b
    <[file]>b.py
    """
    return repository_head(repo) + "".join(file_head(path) + escape(content) for path, content in files)


def parse_sequence(text: str) -> tuple[str, list[tuple[str, str]]]:
    """(repo, [(path, content)]) of what :func:`format_sequence` wrote. Raises ValueError for any other text."""
    head, *parts = text.split(FILE)
    if not head.startswith(REPO) or not head.endswith("\n") or head.count("\n") != 1:
        raise ValueError(f"the text begins with {text[:40]!r}; expected {REPO} and the name of a repository on one line")
    files = []
    for part in parts:
        path, end, content = part.partition("\n")
        if not end:
            raise ValueError(f"{FILE} is followed by {path[:40]!r} without the end of a line; expected a path on one line")
        files.append((unquote(unescape(path)), unescape(content)))
    return unquote(unescape(head[len(REPO) : -1])), files
