"""Rust: ``mod`` declarations, ``use``, and paths that begin with ``crate``, ``super`` or ``self``.

``mod`` makes the tree of modules, so the file with the declaration needs the declared one. A path leads to the deepest module of it that
is a file. Other crates of the repository are known by the name in their ``Cargo.toml``, or else that of their folder.
"""

from __future__ import annotations

import posixpath
import tomllib
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, squeezed, text, with_scopes
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import Tree, below, join, parent

_QUERY = """
(mod_item !body) @mod
(mod_item body: (_)) @scope
(use_declaration argument: (_) @use)
(extern_crate_declaration name: (identifier) @crate)
((scoped_identifier) @path (#match? @path "^(crate|super|self)::"))
((scoped_type_identifier) @path (#match? @path "^(crate|super|self)::"))
"""

_ROOTS = ("lib.rs", "main.rs", "mod.rs")


def _read(found: Captures) -> Mentions:
    scopes = found.get("scope", [])
    told = [("crate", text(node)) for node in found.get("crate", [])]
    told += [_declared(node, around) for node, around in with_scopes(found.get("mod", []), scopes)]
    for node, around in with_scopes(found.get("use", []), scopes):
        told += [("use", _from_file(path, around)) for path in _paths(node)]
    end = 0
    for node, around in with_scopes(found.get("path", []), scopes):
        if node.start_byte >= end:  # else it is the beginning of a longer path
            told.append(("use", _from_file(squeezed(node), around)))
            end = node.end_byte
    return Mentions(imports=imports_of(told))


def _declared(node: tree_sitter.Node, around: list[str]) -> tuple[str, str]:
    name = node.child_by_field_name("name")
    named = "" if name is None else text(name)
    attribute = node.prev_named_sibling
    while attribute is not None and attribute.type == "attribute_item":
        told = squeezed(attribute)
        if told.startswith('#[path="') and told.endswith('"]'):
            return "path", f"{named} {told[8:-2]}"
        attribute = attribute.prev_named_sibling
    return "mod", "::".join([*around, named])


def _paths(argument: tree_sitter.Node) -> Iterator[str]:
    """The paths of a use declaration, its braces multiplied out."""
    waiting = [("", argument)]
    while waiting:
        prefix, node = waiting.pop()
        if node.type == "scoped_use_list":
            path, below_ = node.child_by_field_name("path"), node.child_by_field_name("list")
            prefix += squeezed(path) + "::" if path is not None else ""
            waiting += [(prefix, child) for child in (below_.named_children if below_ is not None else [])][::-1]
        elif node.type == "use_list":
            waiting += [(prefix, child) for child in node.named_children][::-1]
        elif node.type == "use_as_clause" and (path := node.child_by_field_name("path")) is not None:
            waiting.append((prefix, path))
        else:
            yield (prefix + squeezed(node)).removesuffix("::*").removesuffix("::self")


def _from_file(path: str, around: list[str]) -> str:
    """``path``, written within inline modules, as it would read at the top of the file."""
    parts = path.split("::")
    up = next((place for place, part in enumerate(parts) if part != "super"), len(parts))
    if up == 0 and parts[0] != "self":
        return path
    rest = parts[up:] if up else parts[1:]
    left = around[: len(around) - up] if up <= len(around) else []
    return "::".join(["super"] * (up - len(around)) + ([] if up > len(around) else ["self"]) + left + rest)


RUST = Language(_QUERY, _read)


class RustResolver(Resolver):
    """The tree of modules."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._children: dict[int, dict[str, int]] = {}
        self._parents: dict[int, int] = {}
        files = [number for number, language in enumerate(tree.languages) if language == "Rust"]
        for file in files:
            for kind, name in tree.mentions[file].imports:
                child = self._module(file, kind, name) if kind in ("mod", "path") else None
                if child is not None and child != file:
                    self._children.setdefault(file, {})[name.partition(" ")[0]] = child
                    self._parents.setdefault(child, file)
        self._crates: dict[str, int] = {}
        told = {folder: _crate_name(content) for folder, content in tree.manifests("Cargo.toml")}
        for file in files:
            folder, name = posixpath.split(tree.paths[file])
            if name == "lib.rs" and posixpath.basename(folder) == "src":
                crate = told.get(parent(folder)) or posixpath.basename(parent(folder))
                self._crates.setdefault(crate.replace("-", "_"), file)

    def _module(self, file: int, kind: str, name: str) -> int | None:
        folder, base = posixpath.split(self.tree.paths[file])
        if kind == "path":
            return self.tree.find(join(folder, name.partition(" ")[2]))
        parts = name.split("::")
        own = below(folder, base.removesuffix(".rs"))
        for place in (folder,) if base in _ROOTS else (own, folder):  # a program in src/bin or tests is the root of a crate, too
            found = self.tree.first(f"{below(place, *parts)}{ending}" for ending in (".rs", "/mod.rs"))
            if found is not None:
                return found
        return None

    def imports(self, file: int) -> Iterator[Nodes]:
        for kind, name in self.tree.mentions[file].imports:
            if kind == "crate":
                yield [self._crates.get(name)]
            elif kind == "use":
                yield [self._find(name.split("::"), file)]
            else:
                yield [self._children.get(file, {}).get(name.partition(" ")[0])]

    def _find(self, parts: list[str], file: int) -> int | None:
        if parts[0] == "crate":
            return self._descend(self._root(file), parts[1:])
        if parts[0] in ("self", "super"):
            start: int | None = file
            rest = parts[1:] if parts[0] == "self" else parts
            while rest and rest[0] == "super" and start is not None:
                start, rest = self._parents.get(start), rest[1:]
            return None if start is None else self._descend(start, rest)
        if parts[0] in self._children.get(file, {}):
            return self._descend(file, parts)
        crate = self._crates.get(parts[0])
        return None if crate is None else self._descend(crate, parts[1:])

    def _root(self, file: int) -> int:
        seen = set()
        while file in self._parents and file not in seen:  # a file may say that it is its own ancestor
            seen.add(file)
            file = self._parents[file]
        return file

    def _descend(self, file: int, parts: list[str]) -> int:
        inline = ""
        for part in parts:
            child = self._children.get(file, {}).get(inline + part)
            if child is None:
                inline += part + "::"
            else:
                file, inline = child, ""
        return file


def _crate_name(content: str) -> str:
    try:
        told = tomllib.loads(content)
    except (ValueError, RecursionError):
        return ""
    names = [section.get("name") for section in (told.get("lib"), told.get("package")) if isinstance(section, dict)]
    return next((name for name in names if isinstance(name, str)), "")
