"""C#: namespaces and the types declared in them.

A name that is used leads to the type of that name in the file's own namespaces, those around them, or one that a ``using`` opens;
``using static`` and ``using X =`` lead to the type they name. A type in several files is the nearest of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, distinct, imports_of, squeezed, text, texts, with_scopes
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_DEPTH, MAX_OPENED, Declared, Tree

_TYPES = """[(class_declaration) (struct_declaration) (interface_declaration) (enum_declaration) (record_declaration)
 (delegate_declaration)]"""

_QUERY = f"""
(using_directive) @using
(file_scoped_namespace_declaration name: (_) @package)
(namespace_declaration) @namespace
{_TYPES} @type
(identifier) @use
"""


def _read(found: Captures) -> Mentions:
    file_scoped = [squeezed(node) for node in found.get("package", [])][:1]
    namespaces, types = found.get("namespace", []), found.get("type", [])
    packages = [".".join([*file_scoped, *around, _name(node)]) for node, around in with_scopes(namespaces, namespaces)]
    nested = {node.id for node, around in with_scopes(types, types) if around}
    outer = [(node, around) for node, around in with_scopes(types, namespaces) if node.id not in nested]
    declares = (".".join([*file_scoped, *around, _name(node)]) for node, around in outer)
    own = set(map(_name, types))
    # Types begin with a capital, by a convention that all code follows. Nested ones hide those of the same name elsewhere.
    uses = (name for name in texts(found.get("use", [])) if name[0].isupper() and name not in own)
    usings = imports_of(told for node in found.get("using", []) for told in _told(text(node)))
    return Mentions(distinct([*file_scoped, *packages]), usings, distinct(declares), distinct(uses))


def _name(declaration: tree_sitter.Node) -> str:
    name = declaration.child_by_field_name("name")
    return "" if name is None else squeezed(name)


def _told(statement: str) -> Iterator[tuple[str, str]]:
    words = re.sub(r"^\s*(global\s+)?using\s+|;\s*$", "", statement)
    static = re.match(r"static\s+", words)
    alias, equals, target = words.partition("=")
    name = "".join((target if equals else words[static.end() :] if static else alias).split())
    yield ("type" if static or equals else "namespace"), name.partition("<")[0].removeprefix("global::")


CSHARP = Language(_QUERY, _read)


class CSharpResolver(Resolver):
    """Types with their namespaces."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._declared = Declared(tree, ("C#",))
        self._simple = {name.rpartition(".")[2] for mentions in tree.mentions for name in mentions.declares}

    def imports(self, file: int) -> Iterator[Nodes]:
        uses = [name for name in self.tree.mentions[file].uses if name in self._simple]
        opened = 0
        for kind, name in self.tree.mentions[file].imports:
            opened += kind == "namespace"
            if opened > MAX_OPENED:
                return
            yield [self._declared.find(name, file)] if kind == "type" else self._in_namespace(name, uses, file)

    def _in_namespace(self, namespace: str, uses: list[str], file: int) -> list[int]:
        found = (self._declared.find(f"{namespace}.{used}", file) for used in uses)
        return [number for number in found if number is not None]

    def uses(self, file: int) -> Nodes:
        mentions = self.tree.mentions[file]
        around = [""]
        for namespace in mentions.packages[:MAX_DEPTH]:
            parts = namespace.split(".")[:MAX_DEPTH]
            around += [".".join(parts[:end]) + "." for end in range(1, len(parts) + 1)]
        around = list(dict.fromkeys(reversed(around)))[:MAX_OPENED]  # inner ones first
        for used in mentions.uses:
            if used in self._simple:
                yield next((self._declared.find(space + used, file) for space in around if space + used in self._declared), None)
