"""A commit's record -> its sample, or why there is none. Every sample is applied again before it is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from beam_seed.commits.context import Context, ContextBuilder
from beam_seed.commits.datasets import CommitSample
from beam_seed.commits.filters import STAGE, Rules, Violation, told_changes, violation
from beam_seed.commits.patch import apply_hunks, submodule_content
from beam_seed.commits.paths import quote
from beam_seed.commits.records import SUBMODULE, CommitRecord, FileChange, ObjectError, Objects
from beam_seed.commits.sample_format import Budget, Sample, TooLarge, format_sample
from beam_seed.commits.target import parse_target, told
from beam_seed.commits.tokens import TokenCounter
from beam_seed.languages.detect import detect
from beam_seed.records import Failed, Rejected, document_id

SCORED_FILES = 5
"""Changed files of a commit that are scored: those with most changed lines."""

_SCORED_CHARACTERS = 64 << 10  # the scorer reads less of a file
_FILE_BYTES = 8 << 20  # what git compares as text


class RoundTripError(ValueError):
    """The target does not make of the snapshot what the commit made of it."""


class SampleMaker:
    """Makes the samples of one repository, fastest in order of history. Not for use by several threads."""

    def __init__(self, objects: Objects, rules: Rules, budget: Budget, counter: TokenCounter, created: str = ""):
        self._objects = objects
        self._contexts = ContextBuilder(objects)
        self._rules = rules
        self._budget = budget
        self._counter = counter
        self._created = created

    def make(self, record: CommitRecord) -> CommitSample | Rejected | Failed:
        """The sample of a commit; its Rejected, or its Failed where objects are missing or the round trip does not close."""
        found = violation(record, self._rules)
        if found is not None:
            return rejected(record, found)
        told_record = record._replace(changes=told_changes(record))
        try:
            scored = self._apply(told_record.changes)
            context = self._contexts.context(record.parent_tree, record.message)
            formatted = format_sample(told_record, context, self._budget, self._counter)
            if isinstance(formatted, TooLarge):
                return rejected(record, Violation("too-many-tokens", formatted.measured, formatted.limit))
            _check_target(formatted.target, told_record.changes)
        except (ObjectError, RoundTripError) as error:
            return failed(record, f"{type(error).__name__}: {error}")
        return self._sample(record, told_record.changes, scored, context, formatted)

    def _apply(self, changes: Sequence[FileChange]) -> list[dict[str, str]]:
        """Apply every change to its file, one file at a time; those that are scored, those with most changed lines first."""
        scored: list[dict[str, str]] = []
        for change in sorted(changes, key=lambda each: (-_lines(each, "+") - _lines(each, "-"), each.new_path)):
            after = self._applied(change)
            if len(scored) < SCORED_FILES:
                scored += _scored(change, after)
        return scored

    def _applied(self, change: FileChange) -> bytes:
        """The file after a change: the hunks applied to the file before it. Raises RoundTripError where that is not the commit's file."""
        before = self._content(change.old_mode, change.old_blob)
        try:
            after = apply_hunks(before, change.hunks)
        except ValueError as error:
            raise RoundTripError(f"{change.new_path or change.old_path!r}: {error}") from error
        made = blob_id(after) if change.new_blob else ""
        expected = change.new_blob
        if change.new_mode == SUBMODULE:
            made, expected = after.decode("ascii", "replace"), submodule_content(change.new_blob).decode()
        if made != expected or (change.status == "D" and after):
            raise RoundTripError(f"{change.new_path or change.old_path!r} becomes {made!r}; the commit has {expected!r}")
        return after

    def _content(self, mode: str, blob: str) -> bytes:
        if not blob:
            return b""
        return submodule_content(blob) if mode == SUBMODULE else self._objects.blob(blob, _FILE_BYTES)

    def _sample(
        self, record: CommitRecord, changes: Sequence[FileChange], scored: list[dict[str, str]], context: Context, formatted: Sample
    ) -> CommitSample:
        document = (formatted.prompt + formatted.target).encode()
        shown = ([context.readme[0]] if context.readme else []) + [found.path for found in context.files[: formatted.files]]
        paths = [change.new_path or change.old_path for change in changes]
        every = [change.new_path or change.old_path for change in record.changes]
        added, deleted = (sum(_lines(change, sign) for change in changes) for sign in "+-")
        return CommitSample(
            id=document_id(record.source, record.repo, record.id),
            source=record.source,
            repo=record.repo,
            path=record.id,
            revision=record.parents[0],
            content=formatted.target,
            size=len(document),
            sha256=hashlib.sha256(document).hexdigest(),
            license=record.license,
            stars=record.stars,
            forks=record.forks,
            created=self._created,
            language=scored[0]["language"] if scored else "",
            prompt=formatted.prompt,
            message=record.message,
            parents=" ".join(record.parents),
            merge=record.merge,
            author_time=record.author_time,
            author_offset=record.author_offset,
            commit_time=record.commit_time,
            commit_offset=record.commit_offset,
            snapshot=record.parent_tree,
            patch_id=record.patch_id,
            paths=_listed(paths),
            omitted_paths=_listed(sorted(set(every) - set(paths))),
            context_paths=_listed(shown),
            cut="\n".join(formatted.cut),
            files=len(paths),
            added_lines=added,
            deleted_lines=deleted,
            prompt_tokens=formatted.prompt_tokens,
            target_tokens=formatted.target_tokens,
            changed=scored,
        )


def blob_id(content: bytes) -> str:
    """The id git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _check_target(target: str, changes: Sequence[FileChange]) -> None:
    """Raise RoundTripError where the text does not tell the changes."""
    try:
        read_back = parse_target(target)
    except ValueError as error:
        raise RoundTripError(f"the target cannot be read back: {error}") from error
    if read_back != tuple(told(change) for change in changes):
        raise RoundTripError("the target does not tell the changes it was made of")


def _scored(change: FileChange, content: bytes) -> list[dict[str, str]]:
    """The file after its change as it is scored; nothing of a link, of a file that is gone and of one in no known language."""
    try:
        text = content.decode()[:_SCORED_CHARACTERS]
    except UnicodeDecodeError:
        return []  # the hunks are UTF-8, the rest of the file is not
    path = quote(change.new_path)
    language = detect(path, text).language if text else ""
    return [{"path": path, "language": language, "text": text}] if language and change.new_mode.startswith("100") else []


def _lines(change: FileChange, sign: str) -> int:
    return sum(line[0] == sign for hunk in change.hunks for line in hunk.lines)


def _listed(paths: Sequence[str]) -> str:
    return "\n".join(map(quote, paths))


def rejected(record: CommitRecord, found: Violation) -> Rejected:
    """The Rejected record of a commit; its size is that of its changed lines."""
    size = sum(len(line.encode()) for change in record.changes for hunk in change.hunks for line in hunk.lines)
    who = (document_id(record.source, record.repo, record.id), record.source, record.repo, record.id)
    evidence = json.dumps({"message": record.message.partition("\n")[0][:200]} | json.loads(found.evidence), ensure_ascii=False)
    return Rejected(*who, size, "", STAGE, found.rule, found.measured, found.limit, evidence)


def failed(record: CommitRecord, error: str) -> Failed:
    """The Failed record of a commit."""
    who = (document_id(record.source, record.repo, record.id), record.source, record.repo, record.id)
    return Failed(*who, 0, "", "read", " ".join(error.split())[:1000])
