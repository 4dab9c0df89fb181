"""The dependencies among the files of one repository."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from beam_seed.dependencies.mentions import Mentions
from beam_seed.dependencies.resolver import Resolver
from beam_seed.dependencies.table import LANGUAGES, MANIFESTS
from beam_seed.dependencies.tree import Tree
from beam_seed.syntax.isolation import ParserFailure, ParserProcess

# A larger manifest is data: the largest package.json of the benchmarks' packages has 10 kB.
MAX_MANIFEST = 1 << 20

# Files that are sent to the parser at a time: their text is copied on the way.
_BATCH = 256

Edges = npt.NDArray[np.int64]
"""``[edges, 2]``: the node that needs, the node that is needed; sorted, each once, none to itself."""


class SourceFile(NamedTuple):
    """One file of a repository."""

    path: str
    language: str  # linguist's name
    content: str


class Counts(NamedTuple):
    """Of one language in one repository."""

    files: int
    unread: int  # files that the parser failed on: they have no dependencies
    imports: int
    resolved: int  # imports that lead to a file of the repository; the others lead out of it, or to what is not there
    edges: int  # pairs of distinct files, those that need no import included


class Graph(NamedTuple):
    """Nodes 0 to ``files`` are the files, in the order given; those from there to ``nodes`` stand for files that are only named together,
    such as a Go package: who names it needs the group, and the group needs its members."""

    files: int
    nodes: int
    edges: Edges
    counts: dict[str, Counts]  # language -> counts, for the languages of the table


def read_graph(files: Sequence[SourceFile], process: ParserProcess) -> Graph:
    """The graph of a repository's files. A file on which the parser crashes or hangs has no dependencies."""
    known = [number for number, file in enumerate(files) if file.language in LANGUAGES]
    mentions = [Mentions()] * len(files)
    unread = set()
    for batch in (known[start : start + _BATCH] for start in range(0, len(known), _BATCH)):
        texts = [(files[number].content.encode("utf-8", "surrogatepass"), files[number].language) for number in batch]
        for number, answer in zip(batch, process.read_mentions(texts), strict=True):
            if isinstance(answer, ParserFailure):
                unread.add(number)
            else:
                mentions[number] = answer
    manifests = {file.path: file.content for file in files if _is_manifest(file)}
    return build_graph([file.path for file in files], [file.language for file in files], mentions, manifests, unread)


def _is_manifest(file: SourceFile) -> bool:
    return posixpath.basename(file.path) in MANIFESTS and len(file.content) <= MAX_MANIFEST


def build_graph(
    paths: Sequence[str],
    languages: Sequence[str],
    mentions: Sequence[Mentions],
    manifests: dict[str, str] | None = None,
    unread: Iterable[int] = (),
) -> Graph:
    """The graph of files whose mentions are known."""
    tree = Tree(paths, languages, mentions, manifests)
    resolvers: dict[type[Resolver], Resolver] = {}
    needed: list[tuple[int, int]] = []
    counts: dict[str, list[int]] = {}
    lost = set(unread)
    for number, language in enumerate(languages):
        if language not in LANGUAGES:
            continue
        kind = LANGUAGES[language].resolver
        if kind not in resolvers:
            resolvers[kind] = kind(tree)
        resolver = resolvers[kind]
        found: set[int] = set()
        told = counts.setdefault(language, [0, 0, 0, 0, 0])
        told[0] += 1
        told[1] += number in lost
        for nodes in resolver.imports(number):
            own = {node for node in nodes if node is not None}
            told[2] += 1
            told[3] += bool(own)
            found |= own
        found.update(node for node in resolver.uses(number) if node is not None)
        found.discard(number)
        told[4] += len(found)
        needed += [(number, node) for node in sorted(found)]
    for group, members in enumerate(tree.groups, len(paths)):
        needed += [(group, member) for member in sorted(members)]
    edges = np.array(needed, np.int64).reshape(-1, 2)
    return Graph(len(paths), len(paths) + len(tree.groups), edges, {name: Counts(*told) for name, told in sorted(counts.items())})
