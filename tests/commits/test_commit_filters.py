"""The rules of commits and of repositories: each by a commit that violates it alone."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.commits.filters import Figures, RepositoryRules, Rules, repository_violations, told_changes, untold, violation
from beam_seed.commits.generated import is_generated
from beam_seed.commits.message import parse_commit, without_people
from beam_seed.commits.paths import quote, unquote
from beam_seed.commits.records import EMPTY_TREE, CommitRecord, FileChange, Hunk, ObjectError


def change(path: str = "a.py", status: str = "M", opaque: str = "", mode: str = "100644", lines: tuple[str, ...] = ("+x\n",)) -> FileChange:
    hunks = () if opaque else (Hunk(0, 0, 1, len(lines), lines),)
    return FileChange(status, path, path, mode, mode, "1" * 40, "2" * 40, 0, opaque, hunks)


GOOD = CommitRecord(
    *("/in", "repo", "f" * 40, ("e" * 40,), "d" * 40, EMPTY_TREE, 0, 0, 0, 0, "Make the parser faster", "utf-8", False, False),
    *((change(),), "9" * 40, None, None, ""),
)


def rule_of(rules: Rules | None = None, **fields: object) -> str:
    found = violation(GOOD._replace(**fields), rules or Rules())
    return found.rule if found else ""


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("", {}),
        ("merge", {"parents": ("e" * 40, "d" * 40), "merge": True}),
        ("root-commit", {"parents": ()}),
        ("no-changes", {"changes": ()}),
        ("message-undecodable", {"encoding": ""}),
        ("message-empty", {"message": ""}),
        ("message-short", {"message": "fix typo"}),
        ("message-long", {"message": "log line\n" * 2000}),
        ("message-reference", {"message": "https://example.org/issues/1234"}),
        ("message-reference", {"message": "Fixes #1234, closes #12."}),
        ("message-reference", {"message": "owner/name#1234567"}),
        ("message-reference", {"message": "See PROJ-1234 and 0123456789abcdef"}),
        ("", {"message": "Fixes #1234: crash at start"}),
        ("", {"message": "globset-0.4.18"}),
        ("revert", {"message": 'Revert "Make the parser faster"'}),
        ("revert", {"message": "Undo that\n\nThis reverts commit 0123456789abcdef."}),
        ("", {"message": "Revert to the old parser, which was faster"}),
        ("bot", {"bot": True}),
        ("too-many-files", {"changes": (change(),) * 101}),
        ("too-large", {"changes": (change(opaque="too-large"),)}),
        ("too-large", {"changes": (change(lines=("+" + "x" * (300 << 10) + "\n",)),)}),
        ("binary-only", {"changes": (change(opaque="binary"), change("b", opaque="not-utf8"))}),
        ("", {"changes": (change(opaque="binary"), change("b"))}),
        ("submodule-only", {"changes": (change(mode="160000"),)}),
        ("vendored-only", {"changes": (change("vendor/x/a.go"), change("web/node_modules/y.js"))}),
        ("generated-only", {"changes": (change("go.sum"), change("web/app.min.js"), change("web/bootstrap.css"))}),
        ("generated-only", {"changes": (change("go.sum"), change("vendor/x/a.go"), change("x.png", opaque="binary"))}),
        ("", {"changes": (change("Cargo.lock", lines=("+" + "x" * (300 << 10) + "\n",)), change("src/main.rs"))}),
    ],
)
def test_each_rule(rule: str, fields: dict[str, object]) -> None:
    assert rule_of(**fields) == rule


def test_merges_pass_where_asked_for() -> None:
    assert rule_of(Rules(merges=True), parents=("e" * 40, "d" * 40), merge=True) == ""


def test_evidence_tells_the_reasons() -> None:
    found = violation(GOOD._replace(changes=(change("go.sum"), change("x.png", opaque="binary"))), Rules())
    assert found is not None
    assert json.loads(found.evidence) == {"binary": 1, "generated": 1}


def test_a_target_tells_what_people_write() -> None:
    changes = tuple(change(path) for path in ("go.sum", "a.go", "vendor/b.go"))
    changes = (*changes, change("sub", mode="160000"), change("c", opaque="binary"))
    assert [each.new_path for each in told_changes(GOOD._replace(changes=changes))] == ["a.go"]
    assert untold(change(mode="120000")) == ""


@pytest.mark.parametrize("limits", [{"min_message": 0}, {"max_files": -1}])
def test_limits_out_of_range(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected a number above 0"):
        Rules(**limits)


def test_repositories() -> None:
    rules = RepositoryRules()
    enough = Figures(100, 10, 100, 100.0)
    assert repository_violations(enough, rules) == []
    for field, rule in {"stars": "few-stars", "forks": "few-forks", "commits": "few-commits", "days": "short-lived"}.items():
        less = enough._replace(**{field: getattr(enough, field) - 1})
        (found,) = repository_violations(less, rules)
        assert (found.rule, found.limit, json.loads(found.evidence)) == (rule, getattr(rules, f"min_{field}"), less._asdict())
    (unknown,) = repository_violations(enough._replace(stars=None), rules)
    assert (unknown.rule, unknown.measured) == ("few-stars", None)
    nothing = Figures(None, None, 1, 0.0)
    assert [found.rule for found in repository_violations(nothing, rules)] == ["few-stars", "few-forks", "few-commits", "short-lived"]
    assert repository_violations(nothing, RepositoryRules(0, 0, 0, 0)) == []
    with pytest.raises(ValueError, match="min_days is -1"):
        RepositoryRules(min_days=-1)


def stored(*lines: bytes, message: bytes = b"Message\n") -> bytes:
    return b"\n".join([b"tree " + b"1" * 40, *lines, b"", message])


def test_commit_fields() -> None:
    when = b"1700000000 -0730"
    commit = parse_commit(
        stored(
            b"parent " + b"2" * 40,
            b"parent " + b"3" * 40,
            b"author A <a@b> " + when,
            b"committer C <c@d> 1700000001 +0000",
            b"gpgsig -----BEGIN",
            b" tree " + b"4" * 40,
            b" -----END",
        )
    )
    assert commit.tree == "1" * 40
    assert commit.parents == ("2" * 40, "3" * 40)
    assert (commit.author_time, commit.author_offset, commit.commit_time, commit.commit_offset) == (1700000000, -450, 1700000001, 0)
    assert (commit.message, commit.encoding, commit.bot) == ("Message", "utf-8", False)


@pytest.mark.parametrize("person", [b"A <a@b>", b"A <a@b> soon", b"A <a@b> -5 +0000", b"A <a@b> " + b"9" * 30 + b" +0000", b""])
def test_times_that_are_none_are_zero(person: bytes) -> None:
    assert parse_commit(stored(b"author " + person)).author_time == 0


def test_messages_in_other_encodings() -> None:
    assert parse_commit(stored(b"encoding cp1251", message="Привет".encode("cp1251"))).message == "Привет"
    assert parse_commit(stored(b"encoding no-such", message="naïve".encode())).encoding == "utf-8"
    assert parse_commit(stored(message=b"caf\xe9"))[6:8] == ("caf\\xe9", "")
    assert parse_commit(stored(b"encoding hex", message=b"text")).message == "text"


@given(st.binary())
def test_any_bytes_are_a_commit_or_an_error(data: bytes) -> None:
    for text in (data, stored(data), stored(b"author " + data, message=data)):
        with contextlib.suppress(ObjectError):
            parse_commit(text).message.encode()


@pytest.mark.parametrize(
    ("author", "bot"),
    [
        (b"dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>", True),
        (b"renovate-bot <renovate@whitesourcesoftware.com>", True),
        (b"GitHub Actions <github-actions@github.com>", True),
        (b"CI Bot <ci@example.org>", True),
        (b"Jenkins <jenkins@ci.example.org>", True),
        (b"Abbot Smith <abbot@example.org>", False),
        (b"Bo Travisson <bo@travisson.org>", False),
        (b"Sabot <sabotage@robotics.example>", False),
    ],
)
def test_bots(author: bytes, bot: bool) -> None:
    assert parse_commit(stored(b"author " + author + b" 1700000000 +0000")).bot == bot


def test_people_are_taken_out_of_messages() -> None:
    message = "Fix: it\n\nWrite to <list@example.org> about it.\nSigned-off-by: A B <a@b.c>\nCo-authored-by: C <c@d.e>\nCloses: #12\n"
    assert without_people(message) == "Fix: it\n\nWrite to <list@example.org> about it.\nCloses: #12"


def test_generated_names() -> None:
    assert all(
        map(is_generated, ("yarn.lock", "a/Cargo.lock", "x/app.min.js", "api_pb2.py", "Form1.Designer.cs", "docs/public/Bootstrap.js"))
    )
    assert not any(
        map(is_generated, ("lock.py", "locks/yarn.py", "admin.js", "pb2.py", "bootstrap.py", "src/my-bootstrap.js", "jquery.js"))
    )


@given(st.binary(min_size=1).filter(lambda data: b"\0" not in data))
def test_paths_are_written_and_read_back(data: bytes) -> None:
    path = data.decode("utf-8", "surrogateescape")
    written = quote(path)
    written.encode()
    assert len(written.splitlines()) == 1
    assert unquote(written) == path


def test_paths_are_quoted_as_git_does(odd_history, git) -> None:
    listed = git(odd_history.folder, "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", odd_history.ids[18])
    raw = git(odd_history.folder, "ls-tree", "-r", "--name-only", "-z", odd_history.ids[18]).split(b"\0")[:-1]
    for line, name in zip(listed.split(b"\n"), raw, strict=False):
        if line.startswith(b'"'):
            assert unquote(line.decode("utf-8", "surrogateescape")) == name.decode("utf-8", "surrogateescape")
    for text in ('"', '"a', r'"\q"', r'"\400"'):
        with pytest.raises(ValueError, match="quot"):
            unquote(text)
