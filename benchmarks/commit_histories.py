"""Whole histories against git itself: which commits there are, their changes, and that every change applied gives git's own objects.

    python -m benchmarks.commit_histories /path/to/repository.git ...

For each commit: parents, tree, times and merge status as ``git log`` prints them; status, modes, ids and paths as
``git diff-tree -r -M`` of the first parent; the patch id as ``git patch-id --stable`` prints it; and every change
whose hunks tell it, applied to the parent's file, has the id of the commit's own file.
"""

from __future__ import annotations

import collections
import hashlib
import subprocess
import sys
import time

from beam_seed.commits.history import CommitReader, Fault, PatchLimits, walk
from beam_seed.commits.patch import apply_hunks, submodule_content
from beam_seed.commits.records import SUBMODULE, CommitRecord, FileChange, Objects
from beam_seed.commits.repository import blank_record, list_histories, open_history
from beam_seed.sources.repository import Limits


def git(path: str, *arguments: str) -> bytes:
    return subprocess.run(["git", "--no-replace-objects", "-C", path, *arguments], capture_output=True, check=True).stdout


def logged(path: str) -> dict[str, tuple[str, ...]]:
    """id -> (tree, parents, author time, commit time) of every commit, as git log prints them."""
    text = git(path, "log", "--format=%H%x00%T%x00%P%x00%at%x00%ct", "HEAD").decode()
    return {fields[0]: tuple(fields[1:]) for fields in (line.split("\0") for line in text.splitlines())}


def patch_ids(path: str) -> dict[str, str]:
    """id -> patch id of the commits of one parent, as git patch-id prints them."""
    commits = git(path, "rev-list", "--no-merges", "HEAD")
    command = ["git", "-C", path, "-c", "core.bigFileThreshold=8m", "diff-tree", "--stdin", "--root", "-r", "-p", "-M", "--full-index"]
    patches = subprocess.run(command, input=commits, capture_output=True, check=True).stdout
    told = subprocess.run(["git", "patch-id", "--stable"], input=patches, capture_output=True, check=True).stdout.decode()
    return {commit: patch for patch, commit in (line.split() for line in told.splitlines())}


def raw_changes(path: str, record: CommitRecord) -> list[tuple[str, ...]]:
    """The changes as git diff-tree prints them."""
    arguments = ["-c", "core.quotePath=false", "-c", "core.bigFileThreshold=512m", "diff-tree", "-r", "-M", "-z", "--raw"]
    fields = git(path, *arguments, record.parent_tree, record.tree).split(b"\0")
    changes = []
    while len(fields) > 1:
        modes = fields.pop(0).decode().lstrip(":").split(" ")
        names = [fields.pop(0) for _ in range(2 if modes[4][0] == "R" else 1)]
        changes.append((*modes, *(name.decode("utf-8", "surrogateescape") for name in names)))
    return changes


def as_raw(change: FileChange) -> tuple[str, ...]:
    similarity = f"{change.similarity:03d}" if change.status == "R" else ""
    paths = (change.old_path, change.new_path) if change.status == "R" else (change.old_path or change.new_path,)
    ids = (change.old_blob or "0" * 40, change.new_blob or "0" * 40)
    return (change.old_mode or "0" * 6, change.new_mode or "0" * 6, *ids, change.status + similarity, *paths)


def content(objects: Objects, mode: str, blob: str) -> bytes:
    if not blob:
        return b""
    return submodule_content(blob) if mode == SUBMODULE else objects.blob(blob, 1 << 30)


def is_round_trip(objects: Objects, change: FileChange) -> bool:
    """Whether the hunks turn the parent's file into one with the id of the commit's."""
    after = apply_hunks(content(objects, change.old_mode, change.old_blob), change.hunks)
    if not change.new_blob:
        return after == b""
    if change.new_mode == SUBMODULE:
        return after == submodule_content(change.new_blob)
    return hashlib.sha1(b"blob %d\0" % len(after) + after).hexdigest() == change.new_blob


def check(path: str) -> collections.Counter[str]:
    """Compare the whole history of the repository at ``path``; returns what was compared. Raises AssertionError at a difference."""
    (unit,) = list_histories(path)
    counts: collections.Counter[str] = collections.Counter()
    ids: dict[str, str] = {}
    with open_history(unit, Limits()) as history:
        listed = walk(history.store, history.head)
        expected = logged(path)
        reader = CommitReader(history.store, blank_record(unit, None), PatchLimits(files=10**6, patch_bytes=1 << 30), history.shallow)
        for record in reader.read(listed.ids):
            counts["commits"] += 1
            if isinstance(record, Fault):
                counts[f"fault {record.rule}"] += 1
                print(record)
                continue
            compare(path, reader, record, expected, counts)
            if record.patch_id and len(record.parents) < 2:
                ids[record.id] = record.patch_id
        reader.close()
    assert counts["commits"] == len(expected), (counts, len(expected))
    for commit, patch in patch_ids(path).items():
        if ids.get(commit) == patch:
            counts["patch ids"] += 1
        else:  # git patch-id reads a line up to a NUL only
            assert b"\0" in git(path, "show", "--format=", "-M", commit), commit
            counts["patch ids of NULs"] += 1
    assert listed.merges == int(git(path, "rev-list", "--count", "--min-parents=2", "HEAD"))
    return counts


def compare(
    path: str, reader: CommitReader, record: CommitRecord, expected: dict[str, tuple[str, ...]], counts: collections.Counter[str]
) -> None:
    assert expected[record.id] == (record.tree, " ".join(record.parents), str(record.author_time), str(record.commit_time)), record.id
    counts["merges"] += record.merge
    assert [as_raw(change) for change in record.changes] == raw_changes(path, record), record.id
    for change in record.changes:
        counts[f"changes {change.status}"] += 1
        if change.opaque:
            counts[f"opaque {change.opaque}"] += 1
        else:
            assert is_round_trip(reader.objects, change), (record.id, change.new_path)
            counts["changes applied"] += 1
        counts["mode changes"] += change.status == "M" and change.old_mode != change.new_mode
        counts["of links"] += "120000" in (change.old_mode, change.new_mode)
        counts["of submodules"] += SUBMODULE in (change.old_mode, change.new_mode)
        counts["with CRLF"] += any(line.endswith("\r\n") for hunk in change.hunks for line in hunk.lines)
        counts["without a last newline"] += any(not line.endswith("\n") for hunk in change.hunks for line in hunk.lines)
    counts["mail"] += "@" in record.message


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        started = time.monotonic()
        told = ", ".join(f"{number:,} {what}" for what, number in sorted(check(argument).items()))
        print(f"{argument}: {told} ({time.monotonic() - started:.0f} s)", flush=True)
