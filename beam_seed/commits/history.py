"""The commits of a history: which there are, and the record of each one against its first parent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from beam_seed.commits.git import RENAME_SIMILARITY, Conversation, Store, TooLongError, lines
from beam_seed.commits.message import Commit, parse_commit
from beam_seed.commits.objects import GitObjects
from beam_seed.commits.patch import Patch, parse_patch, parse_raw
from beam_seed.commits.records import EMPTY_TREE, CommitRecord, FileChange, ObjectError

MAX_COMMITS = 2_000_000
"""Longest history that is listed: half as long again as Linux's."""

_WALK_SECONDS = 1800.0
_RAW_BYTES = 256 << 20  # two million changed files
_RECENT = 4096  # commits whose trees are remembered: a parent is nearly always among the last ones read
_DIFF = ["diff-tree", "--stdin", "-r", f"-M{RENAME_SIMILARITY}%", "--no-ext-diff", "--no-textconv", "--full-index"]


class Walk(NamedTuple):
    """The commits that can be reached from one, parents before children (where ``fault`` is '')."""

    ids: bytes  # 20 bytes each
    merges: int
    first: int  # Unix seconds, the earliest commit time
    last: int
    fault: str  # why the history is longer than this: missing or damaged objects


class Fault(NamedTuple):
    """A commit whose record could not be made."""

    id: str
    rule: str  # 'shallow-boundary'; '' where it failed
    error: str


@dataclass(frozen=True)
class PatchLimits:
    """Up to which size a patch is made; a commit beyond has changes that are ``opaque`` as 'too-large'."""

    files: int = 100
    patch_bytes: int = 1 << 20


def walk(store: Store, head: str) -> Walk:
    """The history behind ``head``. Raises ObjectError where not even its first commit can be listed, or there are too many."""
    try:
        return _walk(store, ["--topo-order", "--reverse", head], "")
    except ObjectError as error:
        # In another order git lists what it can reach before it stops.
        return _walk(store, [head], str(error))


def _walk(store: Store, arguments: list[str], fault: str) -> Walk:
    ids = bytearray()
    merges, times = 0, []
    try:
        for line in lines(store, ["rev-list", "--parents", "--timestamp", *arguments], _WALK_SECONDS):
            time, commit, *parents = line.split(b" ")
            ids += bytes.fromhex(commit.decode())
            merges += len(parents) > 1
            times.append(int(time))
            if len(times) > MAX_COMMITS:
                raise ValueError(f"the history has more than {MAX_COMMITS:,} commits, the most that are read")
    except ObjectError:
        if not (fault and times):
            raise
    if not times:
        raise ObjectError(f"no commit can be listed from {arguments[-1]}")
    return Walk(bytes(ids), merges, min(times), max(times), fault)


class CommitReader:
    """Makes the records of commits. ``close`` it after use; its memory does not grow with the history."""

    def __init__(self, store: Store, blank: CommitRecord, limits: PatchLimits | None = None, shallow: Iterable[str] = ()):
        self.objects = GitObjects(store)
        self._blank = blank
        self._limits = limits or PatchLimits()
        self._shallow = frozenset(shallow)
        self._raw = Conversation(store, [*_DIFF, "--raw", "-z"])
        self._patch = Conversation(store, [*_DIFF, "-p"])
        self._trees: OrderedDict[str, str] = OrderedDict()

    def read(self, ids: bytes) -> Iterator[CommitRecord | Fault]:
        """The record of each commit (20 bytes each), in the same order."""
        for start in range(0, len(ids), 20):
            yield self.read_one(ids[start : start + 20].hex())

    def read_one(self, commit: str) -> CommitRecord | Fault:
        """The record of one commit, or why there is none."""
        try:
            found = self._commit(commit)
            if commit in self._shallow and found.parents:
                return Fault(commit, "shallow-boundary", f"its parent {found.parents[0]} was not fetched")
            before = self._tree(found.parents[0]) if found.parents else EMPTY_TREE
            patch = self._compare(before, found.tree)
        except ObjectError as error:
            return Fault(commit, "", str(error))
        merge = len(found.parents) > 1
        return self._blank._replace(id=commit, parent_tree=before, merge=merge, changes=patch.changes, patch_id=patch.id, **found._asdict())

    def _commit(self, commit: str) -> Commit:
        found = parse_commit(self.objects.commit(commit))
        self._trees[commit] = found.tree
        if len(self._trees) > _RECENT:
            self._trees.popitem(last=False)
        return found

    def _tree(self, commit: str) -> str:
        return self._trees.get(commit) or self._commit(commit).tree

    def _compare(self, before: str, after: str) -> Patch:
        question = f"{before} {after}\n".encode("ascii")
        told = self._raw.ask_marked(question, _RAW_BYTES)
        changes = parse_raw(_without_header(told, question))
        if not changes:
            return Patch((), "")
        if len(changes) > self._limits.files:
            return _too_large(changes)
        try:
            patch = self._patch.ask_marked(question, self._limits.patch_bytes)
        except TooLongError:
            return _too_large(changes)
        return parse_patch(changes, _without_header(patch, question))

    def close(self) -> None:
        self.objects.close()
        self._raw.close()
        self._patch.close()


def _too_large(changes: list[FileChange]) -> Patch:
    return Patch(tuple(change._replace(opaque="too-large") for change in changes), "")


def _without_header(answer: bytes, question: bytes) -> bytes:
    """The answer without the two trees, which git repeats first. Raises ObjectError where it has not read them."""
    if not answer.startswith(question):
        raise ObjectError(f"git diff-tree did not compare {question.decode().strip()}")
    return answer[len(question) :]
