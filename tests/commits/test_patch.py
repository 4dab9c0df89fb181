"""Changes and patches against git itself, on histories that hold every odd case, and on ones made at random."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.commits.patch import PatchError, apply_hunks, parse_raw, split_lines
from beam_seed.commits.records import Hunk, ObjectError
from benchmarks.commit_histories import check


def test_odd_history_is_as_git_tells_it(odd_history) -> None:
    counts = check(str(odd_history.folder))
    assert counts["commits"] == len(odd_history.ids)
    assert counts["merges"] == 2
    assert counts["changes T"] == 4
    assert counts["changes R"] == 4
    assert counts["opaque binary"] == 4
    assert counts["opaque not-utf8"] == 2
    for what in ("mode changes", "of links", "of submodules", "with CRLF", "without a last newline", "patch ids"):
        assert counts[what], what


def test_random_histories_are_as_git_tells_them(new_history) -> None:
    history, chance = new_history(), random.Random(7)
    files: dict[bytes, list[bytes]] = {b"%d.txt" % number: [b"%d\n" % line for line in range(30)] for number in range(4)}
    history.commit({path: b"".join(lines) for path, lines in files.items()})
    for _ in range(120):
        path = chance.choice(sorted(files))
        lines = files[path]
        for _ in range(chance.randrange(1, 5)):
            start = chance.randrange(len(lines) + 1)
            lines[start : start + chance.randrange(4)] = [
                chance.choice((b"\n", b"a\n", b"b\r\n", b"-\n")) for _ in range(chance.randrange(4))
            ]
        history.commit({path: b"".join(lines)[: -1 if chance.random() < 0.3 else None]})
    history.write()
    assert check(str(history.folder))["changes applied"] >= 100


@given(st.binary())
def test_lines_are_the_content(content: bytes) -> None:
    lines = split_lines(content)
    assert b"".join(lines) == content
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines[:-1])


def test_hunks_fit_exactly_or_not_at_all() -> None:
    hunk = Hunk(2, 1, 2, 1, ("-b\n", "+c\n"))
    assert apply_hunks(b"a\nb\n", [hunk]) == b"a\nc\n"
    assert apply_hunks(b"", [Hunk(0, 0, 1, 1, ("+a",))]) == b"a"
    with pytest.raises(PatchError, match=r"line 2 is b'B\\n'; expected b'b\\n'"):
        apply_hunks(b"a\nB\n", [hunk])
    with pytest.raises(PatchError, match="line 2 is b'the end'"):
        apply_hunks(b"a\n", [hunk])
    with pytest.raises(PatchError, match="begins at line 2; expected one from 3"):
        apply_hunks(b"a\nb\n", [hunk, hunk])
    with pytest.raises(PatchError, match="not the last one"):
        apply_hunks(b"a\nb\n", [Hunk(1, 1, 1, 1, ("-a\n", "+a"))])


def test_a_list_of_changes_cut_short_is_told() -> None:
    with pytest.raises(ObjectError, match="damaged"):
        parse_raw(b":100644 100644 " + b"1" * 40 + b" " + b"2" * 40 + b" M\0")
