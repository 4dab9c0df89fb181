import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.commits.records import LINK, SUBMODULE, FileChange, Hunk
from beam_seed.commits.target import format_target, parse_target, told
from beam_seed.special_tokens import SPECIAL_TOKENS, escape, unescape

pieces = st.sampled_from(
    [*SPECIAL_TOKENS, "<[\\file]>", "<[\\\\change]>", "<[", "]>", "\\", "<", "@@ -1 +1 @@", "mode 100755", "\r", "\x0b", "\u2028"]
)
contents = st.lists(st.one_of(pieces, st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=6)), max_size=5).map("".join)
paths = st.one_of(
    st.lists(
        st.sampled_from(["src", "é", "a b", " x ", "tab\t", "new\nline", 'q"', "b\\", "\udcff", "<[file]>", "<[\\x]>"]),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=5), min_size=1, max_size=2),
).map("/".join)
modes = st.sampled_from(["100644", "100755", LINK, SUBMODULE, "100664"])


@st.composite
def hunks(draw, signs):
    lines = [draw(st.sampled_from(signs)) + draw(contents) + "\n" for _ in range(draw(st.integers(1, 6)))]
    for side in (" -", " +"):  # the last line of either side may lack its newline
        last = max((at for at, line in enumerate(lines) if line[0] in side), default=None)
        if last is not None and draw(st.booleans()) and not any(line[0] in side for line in lines[last + 1 :]):
            lines[last] = lines[last].removesuffix("\n") if lines[last][0] != " " or last == len(lines) - 1 else lines[last]
    counts = [sum(line[0] in side for line in lines) for side in (" -", " +")]
    return Hunk(draw(st.integers(0, 99)), counts[0], draw(st.integers(0, 99)), counts[1], tuple(lines))


@st.composite
def changes(draw, path):
    status = draw(st.sampled_from("ADMRT"))
    old, new = path, (draw(paths) + "2" if status == "R" else path)
    old_mode, new_mode = draw(modes), draw(modes)
    opaque = draw(st.sampled_from(["", "", "", "binary", "not-utf8", "too-large"]))
    told_hunks = [] if opaque else draw(st.lists(hunks({"A": "+", "D": "-"}.get(status, " -+")), max_size=3))
    if status == "A":
        old = old_mode = ""
    elif status == "D":
        new = new_mode = ""
    return FileChange(status, old, new, old_mode, new_mode, "1" * 40, "2" * 40, 90, opaque, tuple(told_hunks))


commits = st.lists(paths, max_size=4, unique=True).flatmap(lambda given_paths: st.tuples(*map(changes, given_paths)))


@given(commits)
def test_a_target_reads_back_as_the_changes(commit):
    if len({change.new_path or change.old_path for change in commit}) < len(commit):
        return  # a rename onto another change's path: no commit has it
    text = format_target(commit)
    assert parse_target(text) == tuple(told(change) for change in commit)
    text.encode()


def change(status="M", old="a.py", new="a.py", old_mode="100644", new_mode="100644", opaque="", hunks=()):
    return FileChange(status, old, new, old_mode, new_mode, "1" * 40, "2" * 40, 0, opaque, hunks)


def test_the_form_of_a_target():
    commit = (
        change(hunks=(Hunk(1, 2, 1, 2, (" one\r\n", "-two", "+<[file]>")), Hunk(9, 0, 9, 1, ("+x\n",)))),
        change("A", "", "b", "", "100755", hunks=(Hunk(0, 0, 1, 1, ("+#!/bin/sh\n",)),)),
        change("A", "", "empty", ""),
        change("D", "c d", "", "100644", "", hunks=(Hunk(1, 1, 0, 0, ("-gone\n",)),)),
        change("R", "e", "f\t"),
        change("M", "run", "run", "100644", "100755"),
        change("T", "g", "g", "100644", LINK, hunks=(Hunk(1, 1, 1, 1, ("-text\n", "+target")),)),
        change("M", "h.png", "h.png", opaque="binary"),
    )
    text = (
        '<[paths]>\nM\ta.py\nA\tb\nA\tempty\nD\tc d\nR\te\t"f\\t"\nM\trun\nT\tg\nM\th.png\n'
        "<[change]>a.py\n@@ -1,2 +1,2 @@\n one\r\n-two\n\\ No newline at end of file\n+<[\\file]>\n\\ No newline at end of file\n"
        "@@ -9,0 +9 @@\n+x\n"
        "<[change]>b\nmode 100755\n@@ -0,0 +1 @@\n+#!/bin/sh\n"
        "<[change]>run\nmode 100644 100755\n"
        "<[change]>g\nmode 100644 120000\n@@ -1 +1 @@\n-text\n+target\n\\ No newline at end of file\n"
        "<[change]>h.png\nopaque binary\n"
    )
    assert format_target(commit) == text
    assert parse_target(text) == tuple(told(each) for each in commit)


def test_a_commit_without_changes():
    assert format_target(()) == "<[paths]>\n"
    assert parse_target("<[paths]>\n") == ()


GOOD = "<[paths]>\nM\ta\n<[change]>a\n@@ -1 +1 @@\n-x\n+y\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with the line"),
        ("M\ta\n", "begins with the line"),
        (GOOD[:-1], "ends with a newline"),
        (GOOD.replace("M\t", "X\t"), "no line of paths"),
        (GOOD.replace("M\t", "R\t"), "no line of paths"),
        (GOOD.replace("M\ta", "M\ta\tb"), "no line of paths"),
        (GOOD.replace("M\ta", "M"), "no line of paths"),
        (GOOD.replace("M\ta", 'M\t"a'), "does not end with one"),
        (GOOD.replace(">a\n", ">b\n"), "'b', which is not among its paths"),
        (GOOD.replace("M\ta\n", "M\ta\nM\ta\n"), "twice"),
        (GOOD + "<[change]>a\n@@ -1 +1 @@\n-x\n+y\n", "twice"),
        (GOOD.replace("@@ -1", "@@ -x"), "no hunk's header"),
        (GOOD.replace("@@ -1 +1 @@\n", ""), "where a hunk's header"),
        (GOOD.replace("+y\n", ""), "has 1 old and 0 new lines"),
        (GOOD.replace("+y\n", "y\n"), "no line of a hunk"),
        (GOOD.replace("+y\n", "+y\n\n"), "no line of a hunk"),
        (GOOD.replace("-x\n", "\\ No newline at end of file\n-x\n"), "no line of a hunk"),
        (GOOD.replace("@@ -1 +1", "mode\n@@ -1 +1"), "where a hunk's header"),
        (GOOD.replace("@@ -1 +1", "mode rwx\n@@ -1 +1"), "where a hunk's header"),
    ],
)
def test_what_is_no_target(text, message):
    with pytest.raises(ValueError, match=message):
        parse_target(text)


@given(st.lists(pieces, max_size=8).map("".join))
@example("<<[file]>><[\\\\\\file]><[a-b_C9]>")
def test_escaped_text_has_no_special_token_and_reads_back(text):
    escaped = escape(text)
    assert unescape(escaped) == text
    assert not any(token in escaped for token in SPECIAL_TOKENS)
    assert escape("<[fim-suffix]>") == "<[\\fim-suffix]>"
