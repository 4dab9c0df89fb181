"""Changes between two snapshots as git tells them, parsed; and hunks applied again."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from beam_seed.commits.records import FileChange, Hunk, ObjectError

_NO_FILE = "0" * 40
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_INDEX = re.compile(r"index ([0-9a-f]{40})\.\.([0-9a-f]{40})")
_NO_NEWLINE = "\\ No newline at end of file"


def parse_raw(data: bytes) -> list[FileChange]:
    """The changes in the output of ``git diff-tree -r -z --raw``, without hunks. Raises ObjectError where it is cut short."""
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    changes = []
    each = iter(fields[:-1])
    try:
        for head in each:
            old_mode, new_mode, old_blob, new_blob, told = head.removeprefix(":").split(" ")
            status, similarity = told[0], int(told[1:] or 0)
            old_path = next(each)
            new_path = next(each) if status == "R" else old_path
            added, deleted = status == "A", status == "D"
            old = ("", "", "") if added else (old_path, old_mode, old_blob)
            new = ("", "", "") if deleted else (new_path, new_mode, new_blob)
            changes.append(FileChange(status, old[0], new[0], old[1], new[1], old[2], new[2], similarity, "", ()))
    except (StopIteration, ValueError) as error:
        raise ObjectError(f"the list of changed files is damaged: {error}") from error
    return changes


class Patch(NamedTuple):
    """A parsed patch."""

    changes: tuple[FileChange, ...]
    id: str  # see patch_id


def parse_patch(changes: Sequence[FileChange], data: bytes) -> Patch:
    """``changes`` with the hunks of ``git diff-tree -r -p --full-index`` of the same two trees.

    Raises ObjectError where the patch is not one of these changes.
    """
    sections = list(_sections(data.decode("utf-8", "surrogateescape").split("\n")))
    each = iter(sections)
    filled = [_filled(change, list(itertools.islice(each, 1 + (change.status == "T")))) for change in changes]
    if next(each, None) is not None:
        raise ObjectError(f"the patch changes more than the {len(changes)} files it was made of")
    return Patch(tuple(filled), _patch_id(sections))


_SPACES = str.maketrans("", "", " \t\n\r")


def _patch_id(sections: Sequence[_Section]) -> str:
    """The id that ``git patch-id --stable`` (2.39 and later) gives the patch: neither line numbers nor white space count.

    A file's part is the SHA-1 of its headers and lines without white space (of a binary file, its two ids instead of lines); the parts are
    added up, so their order does not count. As git has it, headers without lines go into the next file's part, the first header after a
    binary file is left out, and whatever is open at the end, be it nothing, is a part too.
    """
    total = 0
    part = hashlib.sha1(usedforsecurity=False)
    after_binary = False
    for section in sections:
        part.update("".join(section.said[after_binary:]).translate(_SPACES).encode("utf-8", "surrogateescape"))
        if section.binary:
            part.update("".join(section.blobs or ()).encode())
        if section.binary or (section.hunks and section is not sections[-1]):
            total += int.from_bytes(part.digest(), "little")
            part = hashlib.sha1(usedforsecurity=False)
        after_binary = section.binary
    total += int.from_bytes(part.digest(), "little")
    return (total % (1 << 160)).to_bytes(20, "little").hex()


class _Section:
    """The part of a patch that tells one file's change."""

    def __init__(self) -> None:
        self.blobs: tuple[str, str] | None = None
        self.binary = False
        self.hunks: list[Hunk] = []
        self.said: list[str] = []  # what the patch id is made of


def _sections(lines: list[str]) -> Iterator[_Section]:
    section: _Section | None = None
    position, end = 0, len(lines) - 1  # what follows the last newline is nothing
    while position < end:
        line = lines[position]
        position += 1
        if line.startswith("diff --git "):
            if section is not None:
                yield section
            section = _Section()
            section.said.append(line)
        elif section is not None and (found := _HUNK.match(line)):
            hunk, position = _hunk(found, lines, position)
            section.hunks.append(hunk)
            section.said += hunk.lines
        elif section is not None and (found := _INDEX.match(line)):
            section.blobs = found.group(1), found.group(2)
        elif section is not None and line.startswith("Binary files "):
            section.binary = True
        elif section is not None:
            section.said.append(line)
    if section is not None:
        yield section


def _hunk(found: re.Match[str], lines: list[str], position: int) -> tuple[Hunk, int]:
    old_start, old_lines, new_start, new_lines = (1 if number is None else int(number) for number in found.groups())
    old, new = old_lines, new_lines
    told: list[str] = []
    while old or new or (position < len(lines) and lines[position] == _NO_NEWLINE):
        if position >= len(lines) or not lines[position]:
            raise ObjectError("the patch is cut short within a hunk")
        line = lines[position]
        position += 1
        if line == _NO_NEWLINE:
            told[-1] = told[-1][:-1]
            continue
        old -= line[0] in " -"
        new -= line[0] in " +"
        told.append(line + "\n")
    return Hunk(old_start, old_lines, new_start, new_lines, tuple(told)), position


def _filled(change: FileChange, sections: list[_Section]) -> FileChange:
    expected = _expected(change)
    if len(sections) != len(expected) or any(section.blobs not in (None, blobs) for section, blobs in zip(sections, expected, strict=True)):
        raise ObjectError(f"the patch does not tell the change of {change.new_path or change.old_path!r}")
    if any(section.binary for section in sections):
        return change._replace(opaque="binary")
    hunks = [hunk for section in sections for hunk in section.hunks]
    text = "".join(line for hunk in hunks for line in hunk.lines)
    if "\0" in text:
        return change._replace(opaque="binary")
    if not _is_unicode(text):
        return change._replace(opaque="not-utf8")
    return change._replace(hunks=(_replacement(hunks),) if change.status == "T" and hunks else tuple(hunks))


def _expected(change: FileChange) -> list[tuple[str, str]]:
    old, new = change.old_blob or _NO_FILE, change.new_blob or _NO_FILE
    return [(old, _NO_FILE), (_NO_FILE, new)] if change.status == "T" else [(old, new)]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _replacement(hunks: Sequence[Hunk]) -> Hunk:
    """A deletion and an addition (either may be of an empty file) as one hunk."""
    old, new = sum(hunk.old_lines for hunk in hunks), sum(hunk.new_lines for hunk in hunks)
    lines = tuple(line for hunk in hunks for line in hunk.lines)
    return Hunk(min(old, 1), old, min(new, 1), new, lines)


class PatchError(ValueError):
    """Hunks that do not fit the content they are applied to."""


def apply_hunks(content: bytes, hunks: Sequence[Hunk]) -> bytes:
    """The content after the change. Raises PatchError where a line that must be there is not: nothing is searched for nearby."""
    lines = split_lines(content)
    result: list[bytes] = []
    position = 0
    for hunk in hunks:
        start = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        if not position <= start <= len(lines):
            raise PatchError(f"a hunk begins at line {hunk.old_start}; expected one from {position + 1} to {len(lines) + 1}")
        result += lines[position:start]
        position = start
        for line in hunk.lines:
            text = line[1:].encode()
            if line[0] != "+":
                if position >= len(lines) or lines[position] != text:
                    found = lines[position][:100] if position < len(lines) else b"the end"
                    raise PatchError(f"line {position + 1} is {found!r}; expected {text[:100]!r}")
                position += 1
            if line[0] != "-":
                result.append(text)
    result += lines[position:]
    if any(not line.endswith(b"\n") for line in itertools.islice(result, max(0, len(result) - 1))):
        raise PatchError("a line without a newline is not the last one")
    return b"".join(result)


def split_lines(content: bytes) -> list[bytes]:
    """Lines with their newlines; '\\n' alone ends one."""
    *whole, last = content.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


def submodule_content(commit: str) -> bytes:
    """What stands for the content of a submodule at a commit."""
    return f"Subproject commit {commit}\n".encode()
