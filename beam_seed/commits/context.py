"""What a model is given beside the message: README, directory structure and the files that BM25 finds, all from before the commit.

A context is a function of the snapshot before the commit and of the message. Nothing here is told what the commit changed, so the answer
cannot leak into the question; and whatever was asked before, the same question has the same answer.

README: of the files at the root whose name is README with one of ``README_EXTENSIONS``, in any case, the first by that order, then by
name. It is not found again. A file is found by the terms of its text and of its own path.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from beam_seed.commits.bm25 import Index
from beam_seed.commits.documents import Documents
from beam_seed.commits.listing import Folder, Folders, Listing
from beam_seed.commits.records import EMPTY_TREE, FOLDER, LINK, SUBMODULE, ObjectError, Objects, TreeEntry
from beam_seed.commits.terms import TermCounts, Vocabulary

FILES = 5
"""Files of a context (Seed-Coder, section 2.3.1: "top 5")."""

README_EXTENSIONS = (".md", ".markdown", ".rst", ".adoc", ".asciidoc", ".org", ".txt", "")


class FoundFile(NamedTuple):
    """A file of the snapshot that the message finds."""

    path: str
    content: str
    score: float  # BM25, above 0


class Context(NamedTuple):
    """The context of one commit, at full length. ``listing`` is of use until the next context is asked for."""

    readme: tuple[str, str] | None  # path and content
    listing: Listing
    files: tuple[FoundFile, ...]  # best first; of the same score, in order of path


class ContextBuilder:
    """Contexts of the commits of one repository, fastest in order of history. Not for use by several threads.

    Memory is bounded by the largest snapshot, not by the length of the history.
    """

    def __init__(self, objects: Objects):
        self._objects = objects
        self._restart()

    def _restart(self) -> None:
        self._folders = Folders(self._objects)
        self._vocabulary = Vocabulary()
        self._documents = Documents(self._objects, self._vocabulary)
        self._index = Index()
        self._tree = EMPTY_TREE
        self._numbers: dict[str, int] = {}  # by path, of the files in the index
        self._files: list[tuple[str, TreeEntry]] = []  # by number
        self._unread: dict[str, TreeEntry] = {}  # files of the snapshot that could not be read so far

    def context(self, tree: str, message: str, files: int = FILES) -> Context:
        """The context of a commit with ``message`` on the snapshot ``tree``.

        Raises ObjectError where a file or folder of the snapshot cannot be read; other snapshots can be asked for all the same.
        """
        try:
            root = self._folders.snapshot(tree)
            self._move(tree)
            readme = self._readme(root)
            return Context(readme, Listing(self._folders, root), tuple(self._search(message, files, readme[0] if readme else "")))
        except ObjectError:
            self._folders.forget(self._tree)
            raise
        except BaseException:
            self._restart()  # what was done by half must not be built upon
            raise

    def _move(self, tree: str) -> None:
        """Make the index that of ``tree``."""
        difference = self._folders.difference(self._tree, tree)
        for path, _ in difference.removed:
            self._unread.pop(path, None)
            number = self._numbers.pop(path, None)
            if number is not None:
                self._index.remove(number)
        self._unread.update(difference.added)
        self._tree = tree
        self._folders.forget(tree)
        for path, entry in [*self._unread.items()]:
            counts = self._documents.counts(path, entry)
            if counts is not None:
                self._add(path, entry, counts)
            del self._unread[path]
        self._renumber()

    def _add(self, path: str, entry: TreeEntry, counts: tuple[TermCounts, TermCounts]) -> None:
        number = self._index.add(*counts)
        self._numbers[path] = number
        if number == len(self._files):
            self._files.append((path, entry))
        self._files[number] = (path, entry)

    def _renumber(self) -> None:
        used = self._index.used_terms(len(self._vocabulary))
        if self._vocabulary.is_full(int(used.sum())):
            self._index.renumber(self._vocabulary.keep(used))
            self._documents.forget_counts()

    def _readme(self, root: Folder) -> tuple[str, str] | None:
        for entry in sorted(
            (entry for entry in root.entries if _readme_rank(entry) >= 0), key=lambda entry: (_readme_rank(entry), entry.name)
        ):
            text = self._documents.text(entry)
            if text is not None:
                return entry.name, text
        return None

    def _search(self, message: str, files: int, readme: str) -> list[FoundFile]:
        found = self._index.score(self._vocabulary.known(message))
        if len(found.scores) > files + 1:
            lowest = np.partition(found.scores, -files - 1)[-files - 1]  # one more: the README may be among them
            kept = found.scores >= lowest
            found = found._replace(documents=found.documents[kept], scores=found.scores[kept])
        best = sorted((-score, self._files[number]) for number, score in zip(found.documents.tolist(), found.scores.tolist(), strict=True))
        shown = [(path, entry, -score) for score, (path, entry) in best if path != readme][:files]
        return [FoundFile(path, self._documents.text(entry) or "", score) for path, entry, score in shown]


def _readme_rank(entry: TreeEntry) -> int:
    """The place of a README's extension, -1 for any other entry."""
    name = entry.name.lower()
    if entry.mode in (FOLDER, LINK, SUBMODULE) or not name.startswith("readme") or name[6:] not in README_EXTENSIONS:
        return -1
    return README_EXTENSIONS.index(name[6:])
