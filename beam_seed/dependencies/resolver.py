"""What every family of languages answers: which files of the repository a file's imports lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beam_seed.dependencies.tree import Tree

Nodes = Iterable[int | None]
"""Numbers of files or of groups (see :meth:`Tree.group`); None is nothing of this repository."""


class Resolver:
    """Made once for a repository. Subclasses read the names of ``tree`` and keep what index they need."""

    def __init__(self, tree: Tree):
        self.tree = tree

    def imports(self, file: int) -> Iterator[Nodes]:
        """For each import of the file what it leads to."""
        raise NotImplementedError

    def uses(self, file: int) -> Nodes:
        """What the file needs without importing it, where the language has such a thing."""
        return ()
