"""What one file says of others: found by a tree-sitter query, without looking at any other file."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import tree_sitter

from beam_seed.syntax.grammars import load

Captures = dict[str, list[tree_sitter.Node]]

# Longer "names" are data: the longest in the 95 packages of the benchmarks has 119 characters.
MAX_NAME = 1_000

# Of each kind, in a file: bounds what one hostile file can make a repository's index hold. The most in a file of these packages is 946.
MAX_NAMES = 20_000


class Mentions(NamedTuple):
    """Names in one file, each once, in order of their first place."""

    packages: tuple[str, ...] = ()  # packages or namespaces that it says it belongs to
    imports: tuple[tuple[str, str], ...] = ()  # (kind, name); the kinds are the language's own
    declares: tuple[str, ...] = ()  # names that others can use, with their package
    uses: tuple[str, ...] = ()  # names used that need no import where the package is the same

    @classmethod
    def from_json(cls, fields: Sequence[Sequence[Any]]) -> Mentions:
        """From the lists that JSON makes of the fields."""
        packages, imports, declares, uses = fields
        return cls(tuple(packages), tuple((kind, name) for kind, name in imports), tuple(declares), tuple(uses))


class Language(NamedTuple):
    """How the mentions of a language are found."""

    query: str  # of tree-sitter; names its captures for ``read``
    read: Callable[[Captures], Mentions]


def text(node: tree_sitter.Node) -> str:
    """A node's source."""
    return (node.text or b"").decode("utf-8", "replace")


def squeezed(node: tree_sitter.Node) -> str:
    """A node's source without white space, for names that may be written over several lines."""
    return "".join(text(node).split())


def unquoted(node: tree_sitter.Node) -> str:
    """The inside of a string literal with one delimiter at each end."""
    return text(node)[1:-1]


def with_scopes(nodes: Sequence[tree_sitter.Node], scopes: Sequence[tree_sitter.Node]) -> Iterator[tuple[tree_sitter.Node, list[str]]]:
    """Each node with the names of the scopes around it, outermost first; both are in order of place.

    One pass, because asking a node for its parent takes as long as the node is deep.
    """
    around: list[tuple[int, int, str]] = []  # end, id, name
    waiting = list(scopes)[::-1]
    for node in nodes:
        while waiting and waiting[-1].start_byte <= node.start_byte:
            scope = waiting.pop()
            while around and around[-1][0] <= scope.start_byte:
                around.pop()
            name = scope.child_by_field_name("name")
            around.append((scope.end_byte, scope.id, "" if name is None else squeezed(name)))
        while around and around[-1][0] <= node.start_byte:
            around.pop()
        yield node, [name for _, identity, name in around if identity != node.id]


def texts(nodes: Iterable[tree_sitter.Node]) -> tuple[str, ...]:
    return distinct(map(text, nodes))


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, without those that are no names, see MAX_NAME and MAX_NAMES."""
    return tuple(name for name in dict.fromkeys(names) if 0 < len(name) <= MAX_NAME)[:MAX_NAMES]


def imports_of(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """:func:`distinct` of (kind, name)."""
    return tuple((kind, name) for kind, name in dict.fromkeys(found) if 0 < len(name) <= MAX_NAME)[:MAX_NAMES]


def read_file(content: bytes, grammars: Sequence[str], language: Language) -> Mentions:
    """The mentions in ``content``, read by the first grammar that finds no error, or else by the first.

    Broken code is read as far as the grammar makes sense of it.
    """
    trees = ((grammar, tree_sitter.Parser(load(grammar)).parse(content)) for grammar in grammars)
    grammar, tree = first = next(trees)
    if tree.root_node.has_error:
        grammar, tree = next((other for other in trees if not other[1].root_node.has_error), first)
    found = tree_sitter.QueryCursor(_compiled(grammar, language.query)).captures(tree.root_node)
    # The library gives them in an order that differs from run to run.
    return language.read({name: sorted(nodes, key=_place) for name, nodes in found.items()})


def _place(node: tree_sitter.Node) -> tuple[int, int]:
    return node.start_byte, -node.end_byte


@functools.cache
def _compiled(grammar: str, query: str) -> tree_sitter.Query:
    return tree_sitter.Query(load(grammar), query)
