"""JavaScript and TypeScript: ``import``, ``export ... from``, ``import()``, ``require()`` and ``import x = require()`` with literal names.

Relative names are tried as they are, with every ending, and as a folder (the main of its ``package.json``, or ``index``); a ``.js`` that
does not exist may be the ``.ts`` it is compiled from. Bare names are packages of the repository (the names in its
``package.json`` files, so workspaces too) or what ``paths`` and ``baseUrl`` of a ``tsconfig.json`` make of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, unquoted
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import Tree, ancestors, below, join

_QUERY = """
(import_statement source: (string) @source)
(export_statement source: (string) @source)
(call_expression function: (import) arguments: (arguments . (string) @source))
((call_expression function: (identifier) @_function arguments: (arguments . (string) @source)) (#eq? @_function "require"))
"""
_TYPESCRIPT_QUERY = _QUERY + "(import_require_clause source: (string) @source)"

_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".d.ts", ".json", ".vue", ".svelte")
_COMPILED = {".js": (".ts", ".tsx", ".d.ts", ".jsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_MAIN_FIELDS = ("source", "module", "main", "types")


def _read(found: Captures) -> Mentions:
    return Mentions(imports=imports_of(("import", unquoted(node)) for node in found.get("source", [])))


JAVASCRIPT = Language(_QUERY, _read)
TYPESCRIPT = Language(_TYPESCRIPT_QUERY, _read)


class EcmaScriptResolver(Resolver):
    """Modules by path, and packages by name."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._mains: dict[str, list[str]] = {}  # folder -> paths that its package.json names
        self._packages: dict[str, str] = {}  # name -> folder
        for folder, content in tree.manifests("package.json"):
            told = _json_object(content)
            self._mains[folder] = [main for field in _MAIN_FIELDS if isinstance(main := told.get(field), str)]
            if isinstance(name := told.get("name"), str) and name:
                self._packages.setdefault(name, folder)
        self._configs = {folder: _path_patterns(content) for folder, content in tree.manifests("tsconfig.json")}

    def imports(self, file: int) -> Iterator[Nodes]:
        folder = self.tree.folders[file]
        for _, name in self.tree.mentions[file].imports:
            if name.startswith("."):
                yield [self._at(join(folder, name) or ("" if name.strip("./") == "" else None), index_only=name.endswith("/"))]
            elif not name.startswith("/"):
                yield [self._bare(name, folder)]
            else:
                yield []

    def _at(self, path: str | None, index_only: bool = False) -> int | None:
        """What a name without an ending stands for, the way Node and TypeScript look for it."""
        if path is None:
            return None
        stem, dot, ending = path.rpartition(".")
        compiled = [stem + other for other in _COMPILED.get(dot + ending, ())]
        tries = [] if index_only or not path else [path, *(path + ending for ending in _ENDINGS), *compiled]
        found = self.tree.first(tries)
        if found is None and path in self._mains:
            mains = [join(path, main) for main in self._mains[path]]
            found = self.tree.first(each for main in mains if main for each in (main, *(main + ending for ending in _ENDINGS)))
        if found is None and path in self.tree.all_folders:
            found = self.tree.first(below(path, f"index{ending}") for ending in _ENDINGS)
        return found

    def _bare(self, name: str, folder: str) -> int | None:
        for above in ancestors(folder):
            for target in self._mapped(above, name):
                if (found := self._at(target)) is not None:
                    return found
        parts = name.split("/")
        package = "/".join(parts[: 2 if name.startswith("@") else 1])
        if package not in self._packages:
            return None
        root, rest = self._packages[package], name[len(package) + 1 :]
        places = [below(root, *top, rest) for top in ((), ("src",), ("lib",))] if rest else [root, below(root, "src"), below(root, "lib")]
        return next((found for place in places if (found := self._at(place)) is not None), None)

    def _mapped(self, folder: str, name: str) -> Iterator[str | None]:
        base, patterns = self._configs.get(folder, (None, {}))
        for pattern, targets in patterns.items():
            start, star, end = pattern.partition("*")
            if name == pattern or (star and len(name) >= len(start) + len(end) and name.startswith(start) and name.endswith(end)):
                middle = name[len(start) : len(name) - len(end)]
                yield from (join(below(folder, base or "."), target.replace("*", middle, 1)) for target in targets)
        if base is not None:
            yield join(below(folder, base), name)


def _path_patterns(content: str) -> tuple[str | None, dict[str, list[str]]]:
    """baseUrl (None where there is none) and paths of a tsconfig.json."""
    told = _json_object(content).get("compilerOptions")
    told = told if isinstance(told, dict) else {}
    base, paths = told.get("baseUrl"), told.get("paths")
    patterns = paths.items() if isinstance(paths, dict) else ()
    kept = {pattern: [each for each in targets if isinstance(each, str)] for pattern, targets in patterns if isinstance(targets, list)}
    return (base if isinstance(base, str) else None), kept


# Strings are kept, comments and trailing commas are not: tsconfig.json has both.
_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')


def _json_object(content: str) -> dict[str, Any]:
    """A manifest's object; {} where it is none."""
    plain = _TRAILING_COMMA.sub(r"\1", _COMMENT.sub(r"\1", content))
    try:
        told = json.loads(plain)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
