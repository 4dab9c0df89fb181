"""Ruby: ``require``, ``require_relative``, ``load`` and ``autoload`` with literal names.

A name is looked for in ``lib`` (and the folders like it) of each folder above the file, then in every ``lib`` of the repository.
``autoload :Name`` without a path, as Rails has it, is looked for in the folder that is named after the file, and beside it.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, text
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_DEPTH, Tree, ancestors, below, join

_QUERY = """
((call method: (identifier) @_method arguments: (argument_list)) @call
 (#any-of? @_method "require" "require_relative" "load" "autoload"))
"""

_ROOTS = ("lib", "", "test", "spec", "ext")


def _read(found: Captures) -> Mentions:
    return Mentions(imports=imports_of(each for node in found.get("call", []) for each in _told(node)))


def _told(call: tree_sitter.Node) -> Iterator[tuple[str, str]]:
    method, arguments = call.child_by_field_name("method"), call.child_by_field_name("arguments")
    if method is None or arguments is None:
        return
    kind, given = text(method), arguments.named_children
    if kind == "autoload" and given and given[0].type == "simple_symbol":
        if len(given) == 1:
            yield "constant", text(given[0])[1:]
        kind, given = "require", given[1:]
    if len(given) == 1 and given[0].type == "string" and all(child.type == "string_content" for child in given[0].named_children):
        yield kind, text(given[0])[1:-1]


RUBY = Language(_QUERY, _read)


class RubyResolver(Resolver):
    """Files by their names below a folder of the load path."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._loadable: dict[str, list[int]] = {}
        for number, path in enumerate(tree.paths):
            if tree.languages[number] == "Ruby":
                for match in itertools.islice(re.finditer(r"(?:^|/)lib/", path), MAX_DEPTH):
                    self._loadable.setdefault(path[match.end() :], []).append(number)

    def imports(self, file: int) -> Iterator[Nodes]:
        folder = self.tree.folders[file]
        for kind, name in self.tree.mentions[file].imports:
            if kind == "constant":
                own = posixpath.splitext(self.tree.paths[file])[0]
                yield [self.tree.first(f"{place}/{_underscored(name)}.rb" for place in (own, folder))]
            elif kind == "require_relative" or name.startswith(("./", "../")):
                yield [self.tree.find(join(folder, _with_ending(name)))]
            else:
                yield [self._find(_with_ending(name), file)]

    def _find(self, name: str, file: int) -> int | None:
        candidates = self._loadable.get(name, [])
        places = (below(folder, *filter(None, (root,)), name) for folder in ancestors(self.tree.folders[file]) for root in _ROOTS)
        found = self.tree.first(places)
        return self.tree.nearest(candidates, file) if found is None else found


def _with_ending(name: str) -> str:
    return name if name.endswith(".rb") else f"{name}.rb"


def _underscored(constant: str) -> str:
    """The file name of a constant, as ActiveSupport makes it: ``HTTPClient`` is ``http_client``."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", constant)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", words).lower()
