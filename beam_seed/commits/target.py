"""The answer of a sample: the changes of a commit as text, and that text read back.

::

    <[paths]>
    M<TAB>src/main.py
    <[change]>src/main.py
    @@ -1 +1,2 @@
     print("hello")
    +print("goodbye")

A line ``<[paths]>`` is followed by a line for each changed file: its status, a tab and its path (R: old path, tab, new path), quoted where
it holds odd characters (``paths.quote``). A block ``<[change]>path`` follows for each file of which there is more to tell:

- ``mode 100755`` where the file's mode is not 100644, ``mode 100644 100755`` where it changes;
- ``opaque binary`` (or another reason) where the record does not hold the content, so that the target cannot tell it;
- hunks as in a unified diff. A deleted file's lines are not told: that it goes is all there is to apply.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from beam_seed.commits.paths import quote, unquote
from beam_seed.commits.records import FileChange, Hunk
from beam_seed.special_tokens import CHANGE, PATHS, escape, unescape

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_MODES = re.compile(r"mode (\d{6})(?: (\d{6}))?")
_NO_NEWLINE = "\\ No newline at end of file\n"
_PLAIN_MODE = "100644"


def format_target(changes: Iterable[FileChange]) -> str:
    """The changes of a commit as a text that :func:`parse_target` reads back."""
    changes = [told(change) for change in changes]
    paths = "".join(f"{change.status}\t{_paths(change)}\n" for change in changes)
    return f"{PATHS}\n{paths}" + "".join(_block(change) for change in changes)


def told(change: FileChange) -> FileChange:
    """``change`` without what a target does not tell: ids and similarity, which follow from the rest, and the lines of a deleted file."""
    change = change._replace(old_blob="", new_blob="", similarity=0)
    return change._replace(opaque="", hunks=()) if change.status == "D" else change


def _paths(change: FileChange) -> str:
    paths = (change.old_path, change.new_path) if change.status == "R" else (change.new_path or change.old_path,)
    return "\t".join(escape(quote(path)) for path in paths)


def _block(change: FileChange) -> str:
    body = _mode_line(change.old_mode, change.new_mode) + (f"opaque {change.opaque}\n" if change.opaque else "")
    body += "".join(_hunk_text(hunk) for hunk in change.hunks)
    return f"{CHANGE}{escape(quote(change.new_path or change.old_path))}\n{body}" if body else ""


def _mode_line(old: str, new: str) -> str:
    if old and new and old != new:
        return f"mode {old} {new}\n"
    mode = new or old
    return "" if mode == _PLAIN_MODE else f"mode {mode}\n"


def _hunk_text(hunk: Hunk) -> str:
    lines = (line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in hunk.lines)
    return f"@@ -{_range(hunk.old_start, hunk.old_lines)} +{_range(hunk.new_start, hunk.new_lines)} @@\n{escape(''.join(lines))}"


def _range(start: int, lines: int) -> str:
    return f"{start}" if lines == 1 else f"{start},{lines}"


def parse_target(text: str) -> tuple[FileChange, ...]:
    """The changes that a target tells, as :func:`told` leaves them. Raises ValueError where the text is not a target."""
    lines = text.split("\n")
    if lines[0] != PATHS or lines[-1] != "":
        raise ValueError(f"a target begins with the line {PATHS} and ends with a newline; found {text[:40]!r} ... {text[-40:]!r}")
    starts = [number for number, line in enumerate(lines) if line.startswith(CHANGE)] + [len(lines) - 1]
    blocks = {lines[start].removeprefix(CHANGE): lines[start + 1 : end] for start, end in itertools.pairwise(starts)}
    told_twice = len(blocks) < len(starts) - 1
    changes = tuple(_parse_change(line, blocks) for line in lines[1 : starts[0]])
    if told_twice or len({change.new_path or change.old_path for change in changes}) < len(changes):
        raise ValueError("the target tells a file twice; expected one line for each, and at most one block")
    if blocks:
        raise ValueError(f"the target changes {next(iter(blocks))!r}, which is not among its paths")
    return changes


def _parse_change(line: str, blocks: dict[str, list[str]]) -> FileChange:
    """The change of one line of paths; its block is taken out of ``blocks``."""
    status, *paths = line.split("\t")
    if status not in ("A", "D", "M", "R", "T") or len(paths) != 1 + (status == "R"):
        raise ValueError(f"{line!r} is no line of paths; expected A, D, M or T and a path, or R and two, with tabs between")
    old, new = (unquote(unescape(paths[at])) for at in (0, -1))
    body = blocks.pop(paths[-1], [])
    old_mode, new_mode, opaque, start = _PLAIN_MODE, _PLAIN_MODE, "", 0
    if body and (found := _MODES.fullmatch(body[0])):
        old_mode, new_mode, start = found[1], found[2] or found[1], 1
    if len(body) > start and body[start].startswith("opaque "):
        opaque, start = body[start].removeprefix("opaque "), start + 1
    if status == "A":
        old = old_mode = ""
    elif status == "D":
        new = new_mode = ""
    return FileChange(status, old, new, old_mode, new_mode, "", "", 0, opaque, tuple(_parse_hunks(body[start:])))


def _parse_hunks(lines: list[str]) -> Iterator[Hunk]:
    starts = [number for number, line in enumerate(lines) if line.startswith("@@")] + [len(lines)]
    if starts[0]:
        raise ValueError(f"{lines[0]!r} stands where a hunk's header '@@ -1,2 +1,3 @@' is expected")
    for start, end in itertools.pairwise(starts):
        header = _HUNK.fullmatch(lines[start])
        if header is None:
            raise ValueError(f"{lines[start]!r} is no hunk's header; expected '@@ -1,2 +1,3 @@'")
        numbers = [1 if number is None else int(number) for number in header.groups()]
        told_lines = _parse_lines(lines[start + 1 : end])
        found = [sum(line[0] in signs for line in told_lines) for signs in (" -", " +")]
        if found != [numbers[1], numbers[3]]:
            raise ValueError(f"the hunk {lines[start]!r} has {found[0]} old and {found[1]} new lines")
        yield Hunk(numbers[0], numbers[1], numbers[2], numbers[3], told_lines)


def _parse_lines(lines: list[str]) -> tuple[str, ...]:
    parsed: list[str] = []
    for line in lines:
        if line[:1] in (" ", "-", "+") and line:
            parsed.append(unescape(line) + "\n")
        elif line + "\n" == _NO_NEWLINE and parsed and parsed[-1].endswith("\n"):
            parsed[-1] = parsed[-1][:-1]
        else:
            raise ValueError(f"{line!r} is no line of a hunk; expected ' ', '-' or '+' at its beginning")
    return tuple(parsed)
