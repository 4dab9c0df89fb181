"""Which commits become samples: few rules, each with a name, the first that is violated decides.

====================== ============================================================== ============ ====================
rule                   drops                                                          measured     limit
====================== ============================================================== ============ ====================
merge                  commits of several parents (unless ``Rules.merges``)           parents      1
root-commit            commits without a parent: there is no snapshot to change
no-changes             commits that change nothing against their first parent
message-undecodable    messages that are in no known encoding
message-empty          nothing but white space (and trailers that name people)
message-short          messages that say too little                                   characters   ``min_message``
message-long           pasted logs, squashed histories                                characters   ``max_message``
message-reference      nothing but a link, an issue number or a commit's id
revert                 commits that undo another one, as git words it
bot                    commits whose author is a program
too-many-files         sweeping changes                                               files        ``max_files``
too-large              patches beyond what is read, or changes of too many characters characters   ``max_bytes``
binary-only            only files that are no UTF-8 text
submodule-only         only submodules moved to another commit
vendored-only          only files in folders that hold somebody else's code
generated-only         only lock files and other files that tools write or build (and any of the three above)
too-many-tokens        target or message are longer than their part of a sample       tokens       ``Budget``
====================== ============================================================== ============ ====================

Of a commit that passes, the sample's target is its *told* changes: text, links, modes and names of files that people write. Its other
changes (binary, not UTF-8, submodules, vendored, generated) are no part of it; their paths are kept beside it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import NamedTuple

from beam_seed.commits.generated import is_generated
from beam_seed.commits.records import SUBMODULE, CommitRecord, FileChange
from beam_seed.sources.vendored import vendored_folder

STAGE = "commit_rules"


@dataclass(frozen=True)
class Rules:
    """The limits of the rules. Raises ValueError where one is out of range."""

    merges: bool = False  # whether merges, against their first parent, become samples too
    min_message: int = 10  # characters; "fix", "update", "wip." say nothing a change could be told from
    max_message: int = 10_000  # characters; 2,500 tokens, beyond which messages hold logs rather than reasons
    max_files: int = 100  # a hundred files changed alike are one edit by a tool
    max_bytes: int = 256 << 10  # characters of the changed lines; 64 K tokens, twice the longest context that is trained on

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "merges" and not value > 0:
                raise ValueError(f"{field.name} is {value!r}; expected a number above 0, leave it out for its default")


class Violation(NamedTuple):
    """Why a commit becomes no sample."""

    rule: str
    measured: float | None = None
    limit: float | None = None
    evidence: str = "{}"  # JSON object


def violation(record: CommitRecord, rules: Rules) -> Violation | None:
    """The first rule that a commit violates."""
    return _of_history(record, rules) or _of_message(record, rules) or _of_changes(record, rules)


def _of_history(record: CommitRecord, rules: Rules) -> Violation | None:
    if record.merge and not rules.merges:
        return Violation("merge", len(record.parents), 1.0)
    if not record.parents:
        return Violation("root-commit")
    return None if record.changes else Violation("no-changes")


_REFERENCE = re.compile(
    r"https?://\S+|\b[\w.-]*/?[\w.-]*#\d+\b|(?-i:\b[A-Z][A-Z0-9]+-\d+\b)|\b[0-9a-f]{7,40}\b|\d+"
    r"|\b(?:fix(?:e[sd])?|clos(?:e[sd]?|ing)|resolve[sd]?|see|refs?|references?|issues?|bugs?|gh|pr|pull request|ticket|for|and)\b",
    re.IGNORECASE,
)
_REVERT = re.compile(r'Revert "|(?:.*\n)?\s*This reverts commit [0-9a-f]{7,40}', re.IGNORECASE)


def _of_message(record: CommitRecord, rules: Rules) -> Violation | None:
    message = record.message
    if not record.encoding:
        return Violation("message-undecodable")
    if not message.strip():
        return Violation("message-empty")
    if len(message) < rules.min_message:
        return Violation("message-short", len(message), rules.min_message)
    if len(message) > rules.max_message:
        return Violation("message-long", len(message), rules.max_message)
    if not any(character.isalpha() for character in _REFERENCE.sub("", message)):
        return Violation("message-reference")
    if _REVERT.match(message):
        return Violation("revert")
    return Violation("bot") if record.bot else None


def _of_changes(record: CommitRecord, rules: Rules) -> Violation | None:
    changes = record.changes
    if len(changes) > rules.max_files:
        return Violation("too-many-files", len(changes), rules.max_files)
    if any(change.opaque == "too-large" for change in changes):
        return Violation("too-large", None, rules.max_bytes)
    size = sum(len(line) for change in told_changes(record) for hunk in change.hunks for line in hunk.lines)
    if size > rules.max_bytes:
        return Violation("too-large", size, rules.max_bytes)
    reasons = [untold(change) for change in changes]
    if "" in reasons:
        return None
    rule = reasons[0] if len(set(reasons)) == 1 else "generated"
    return Violation(f"{rule}-only", evidence=json.dumps({reason: reasons.count(reason) for reason in sorted(set(reasons))}))


def untold(change: FileChange) -> str:
    """Why a change is no part of a sample's target: 'binary', 'submodule', 'vendored' or 'generated'; '' where it is one."""
    path = change.new_path or change.old_path
    if change.opaque:
        return "binary"
    if SUBMODULE in (change.old_mode, change.new_mode):
        return "submodule"
    if vendored_folder(path.rpartition("/")[0]):
        return "vendored"
    return "generated" if is_generated(path) else ""


def told_changes(record: CommitRecord) -> tuple[FileChange, ...]:
    """The changes that a sample's target tells."""
    return tuple(change for change in record.changes if not untold(change))


@dataclass(frozen=True)
class RepositoryRules:
    """What a repository must have (Seed-Coder, section 2.3); all of it. 0 switches a rule off."""

    min_stars: int = 100
    min_forks: int = 10
    min_commits: int = 100
    min_days: int = 100  # between the first and the last commit

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}; expected 0 or a number above it")


class Figures(NamedTuple):
    """What a repository has."""

    stars: int | None  # None = unknown: no rule but 0 lets it pass
    forks: int | None
    commits: int | None  # None = not counted, as are days
    days: float | None


def repository_violations(figures: Figures, rules: RepositoryRules) -> list[Violation]:
    """The rules that a repository violates, of 'few-stars', 'few-forks', 'few-commits' and 'short-lived', each with all its figures."""
    checks: list[tuple[str, float | None, int]] = [
        ("few-stars", figures.stars, rules.min_stars),
        ("few-forks", figures.forks, rules.min_forks),
    ]
    if figures.commits is not None:
        checks += [("few-commits", figures.commits, rules.min_commits), ("short-lived", figures.days, rules.min_days)]
    evidence = json.dumps(figures._asdict())
    return [Violation(rule, have, limit, evidence) for rule, have, limit in checks if limit and (have is None or have < limit)]
