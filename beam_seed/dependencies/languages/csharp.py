"""C#: namespaces and the types declared in them.

A name that is used leads to the type of that name in the file's own namespaces, those around them, or one that a ``using`` opens;
``using static`` and ``using X =`` lead to the type they name. A type in several files is the nearest of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, distinct, imports_of, squeezed, text, texts
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import Declared, Tree

_QUERY = """
(using_directive) @using
(namespace_declaration name: (_) @package)
(file_scoped_namespace_declaration name: (_) @package)
[(class_declaration) (struct_declaration) (interface_declaration) (enum_declaration) (record_declaration) (delegate_declaration)] @type
(identifier) @use
"""

_NAMESPACES = ("namespace_declaration", "file_scoped_namespace_declaration")
_AROUND = ("declaration_list", "compilation_unit", "ERROR", "preproc_if", "preproc_else", "preproc_elif", "preproc_region")


def _read(found: Captures) -> Mentions:
    file_scoped = next((squeezed(node) for node in found.get("package", []) if _is_file_scoped(node)), "")
    packages = [_qualified(node, "") for node in found.get("package", [])]
    declares = [_qualified(node.child_by_field_name("name"), file_scoped) for node in found.get("type", []) if _is_outermost(node)]
    uses = (name for name in texts(found.get("use", [])) if name[0].isupper())  # types are, by a convention that all code follows
    usings = imports_of(told for node in found.get("using", []) for told in _told(text(node)))
    return Mentions(distinct(packages), usings, distinct(declares), distinct(uses))


def _is_file_scoped(name: tree_sitter.Node) -> bool:
    return name.parent is not None and name.parent.type == _NAMESPACES[1]


def _is_outermost(declaration: tree_sitter.Node) -> bool:
    node = declaration.parent
    while node is not None and node.type in _AROUND:
        node = node.parent
    return node is None or node.type in _NAMESPACES


def _qualified(name: tree_sitter.Node | None, file_scoped: str) -> str:
    """A name with those of the namespaces around it."""
    parts = []
    node = name
    while node is not None:
        if node is name or node.type in _NAMESPACES:
            own = node if node is name else node.child_by_field_name("name")
            if own is not None and (own is name or own != name):
                parts.append(squeezed(own))
        node = node.parent
    if file_scoped and file_scoped not in parts:
        parts.append(file_scoped)
    return ".".join(reversed(parts))


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
        for kind, name in self.tree.mentions[file].imports:
            yield [self._declared.find(name, file)] if kind == "type" else self._in_namespace(name, uses, file)

    def _in_namespace(self, namespace: str, uses: list[str], file: int) -> list[int]:
        found = (self._declared.find(f"{namespace}.{used}", file) for used in uses)
        return [number for number in found if number is not None]

    def uses(self, file: int) -> Nodes:
        mentions = self.tree.mentions[file]
        around = [""]
        for namespace in mentions.packages:
            parts = namespace.split(".")
            around += [".".join(parts[:end]) + "." for end in range(1, len(parts) + 1)]
        around = list(dict.fromkeys(reversed(around)))  # inner ones first
        for used in mentions.uses:
            if used in self._simple:
                yield next((self._declared.find(space + used, file) for space in around if space + used in self._declared), None)
