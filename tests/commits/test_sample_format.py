import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.commits.context import ContextBuilder
from beam_seed.commits.records import CommitRecord, FileChange, Hunk
from beam_seed.commits.sample_format import Budget, Sample, TooLarge, format_sample
from beam_seed.commits.target import format_target, parse_target, told
from beam_seed.commits.tokens import EstimatedTokens
from beam_seed.special_tokens import SPECIAL_TOKENS

BYTES = EstimatedTokens(1.0)  # one token a byte: limits that can be told by hand
BLANK = CommitRecord(**dict.fromkeys(CommitRecord._fields, ""))  # type: ignore[arg-type]
CHANGE = FileChange("M", "a.py", "a.py", "100644", "100644", "1" * 40, "2" * 40, 0, "", (Hunk(1, 1, 1, 1, ("-word\n", "+words\n")),))
TARGET = "<[paths]>\nM\ta.py\n<[change]>a.py\n@@ -1 +1 @@\n-word\n+words\n"
FILES = {
    "README.md": b"# Title\nabout this and that\n",
    "a.py": b"word\nword word\n",
    "b.py": b"word",
    "lib/deep/another.py": b"nothing\n",
    "lib/deep/c.py": b"nothing\n",
    "lib/d.py": b"nothing\n",
}
WHOLE = (
    "<[repo]>owner/name\n"
    "<[readme]>README.md\n# Title\nabout this and that\n"
    "<[tree]>\nREADME.md\na.py\nb.py\nlib/\n  d.py\n  deep/\n    another.py\n    c.py\n"
    "<[file]>a.py\nword\nword word\n"
    "<[file]>b.py\nword\n"
    "<[message]>\nUse words for word\n"
)


def record(message="Use words for word", changes=(CHANGE,), repo="owner/name"):
    return BLANK._replace(repo=repo, message=message, changes=changes)


def sample_of(objects, files=FILES, budget=None, counter=None, **fields):
    commit = record(**fields)
    context = ContextBuilder(objects).context(objects.snapshot(files), commit.message)
    return format_sample(commit, context, budget, counter)


def test_the_form_of_a_sample(objects):
    assert sample_of(objects, counter=BYTES) == Sample(WHOLE, TARGET, len(WHOLE), len(TARGET), 2, ())


def test_parts_that_do_not_exist_are_left_out(objects):
    sample = sample_of(objects, {}, changes=(CHANGE._replace(status="A", old_path="", old_mode=""),))
    assert sample.prompt == "<[repo]>owner/name\n<[message]>\nUse words for word\n"
    assert sample.cut == ()


def cut_of(objects, tokens, **limits):
    return sample_of(objects, budget=Budget(tokens, len(TARGET), **limits), counter=BYTES)


def test_what_is_cut_first(objects):
    """The last file, then the others, then the structure, then the README; message and target never."""
    seen = []
    for tokens in range(len(WHOLE), 0, -1):
        sample = cut_of(objects, tokens)
        if isinstance(sample, TooLarge):
            assert sample == TooLarge(len("<[repo]>owner/name\n<[message]>\nUse words for word\n"), tokens)
            continue
        assert len(sample.prompt) == sample.prompt_tokens
        assert sample.prompt_tokens <= tokens
        assert (sample.target, sample.target_tokens) == (TARGET, len(TARGET))
        assert sample.prompt.startswith("<[repo]>owner/name\n")
        assert sample.prompt.endswith("<[message]>\nUse words for word\n")
        if sample.cut not in seen:
            seen.append(sample.cut)
    assert [sorted(cut) for cut in seen] == [
        [],
        ["b.py"],
        ["a.py", "b.py"],
        ["a.py", "b.py", "listing"],
        ["a.py", "b.py", "listing", "readme"],
    ]


@given(st.integers(100, 300), st.lists(st.text("ab", max_size=40), min_size=1, max_size=20))
def test_a_prompt_says_nothing_of_its_target(new_objects, tokens, lines):
    hunk = Hunk(0, 0, 1, len(lines), tuple(f"+{line}\n" for line in lines))
    other = CHANGE._replace(status="A", old_path="", old_mode="", new_path="quite/another.py", hunks=(hunk,))
    samples = [sample_of(new_objects(), budget=Budget(tokens), counter=BYTES, changes=changes) for changes in ((CHANGE,), (other,))]
    assert samples[0].target != samples[1].target
    assert samples[0][0] == samples[1][0]
    assert samples[0]._replace(target="", target_tokens=0) == samples[1]._replace(target="", target_tokens=0)


def test_each_part_has_its_own_limit(objects):
    sample = cut_of(objects, 10_000, file=len("<[file]>a.py\nword\n<[cut]>\n"))
    assert "<[file]>a.py\nword\n<[cut]>\n<[file]>b.py\nword\n<[message]>" in sample.prompt
    assert (sample.cut, sample.files) == (("a.py",), 2)
    sample = cut_of(objects, 10_000, file=0)
    assert "<[file]>" not in sample.prompt
    assert (sample.cut, sample.files) == (("a.py", "b.py"), 0)
    sample = cut_of(objects, 10_000, readme=len("<[readme]>README.md\n# Title\n<[cut]>\n"))
    assert "<[readme]>README.md\n# Title\n<[cut]>\n<[tree]>" in sample.prompt
    sample = cut_of(objects, 10_000, listing=len("<[tree]>\nREADME.md\na.py\nb.py\nlib/\n  d.py\n  deep/ (2 files)\n"))
    assert "<[tree]>\nREADME.md\na.py\nb.py\nlib/\n  d.py\n  deep/ (2 files)\n<[file]>" in sample.prompt
    sample = cut_of(objects, 10_000, listing=len("<[tree]>\nREADME.md\na.py\nb.py\nlib/ (3 files)\n"))
    assert "<[tree]>\nREADME.md\na.py\nb.py\nlib/ (3 files)\n<[file]>" in sample.prompt
    sample = cut_of(objects, 10_000, listing=len("<[tree]>\nREADME.md\na.py\n<[cut]>\n"))
    assert "<[tree]>\nREADME.md\na.py\n<[cut]>\n<[file]>" in sample.prompt
    assert sample.cut == ("listing",)


hostile = st.lists(st.sampled_from([*SPECIAL_TOKENS, "<[\\file]>", "\n", "\r\n", "word", "é", " ", "<[", "x" * 30]), max_size=12).map(
    "".join
)


@settings(deadline=None)
@given(hostile, hostile, hostile, st.sampled_from(["owner/name", "<[file]>/x"]), st.integers(60, 600))
def test_special_tokens_occur_only_where_they_mean_something(new_objects, text, message, line, repo, tokens):
    line = line.replace("\n", "")
    commit = record(message, (CHANGE._replace(new_path="<[repo]>", old_path="<[repo]>", hunks=(Hunk(0, 0, 1, 1, (f"+{line}\n",)),)),), repo)
    objects = new_objects()
    files = {"README": text.encode(), "<[tree]>": b"word", "b/<[message]>": text.encode(), "c": b"word " + text.encode()}
    context = ContextBuilder(objects).context(objects.snapshot(files), message)
    sample = format_sample(commit, context, Budget(tokens, tokens), BYTES)
    if isinstance(sample, TooLarge):
        assert sample.measured > tokens
        return
    document = sample.prompt + sample.target
    assert len(document.encode()) == sample.prompt_tokens + sample.target_tokens
    assert max(sample.prompt_tokens, sample.target_tokens) <= tokens
    tokens_found = re.findall(r"<\[[a-z]+\]>", document)
    assert [token for token in tokens_found if token not in ("<[file]>", "<[cut]>", "<[readme]>", "<[tree]>")] == [
        "<[repo]>",
        "<[message]>",
        "<[paths]>",
        "<[change]>",
    ]
    assert tokens_found.count("<[file]>") == sample.files
    assert tokens_found.count("<[readme]>") <= 1 >= tokens_found.count("<[tree]>")
    assert all(f"\n{token}" in f"\n{document}" for token in tokens_found)
    assert parse_target(sample.target) == tuple(map(told, commit.changes))


def test_the_target_alone_may_be_too_large(objects):
    long = CHANGE._replace(hunks=(Hunk(0, 0, 1, 1, ("+" + "x" * 200_000 + "\n",)),))
    result = sample_of(objects, changes=(long,))
    assert isinstance(result, TooLarge)
    assert result.limit == 8_192
    assert result.measured > len(format_target((long,))) / 3


def test_a_negative_limit():
    with pytest.raises(ValueError, match="readme is -1; expected a number of tokens"):
        Budget(readme=-1)
