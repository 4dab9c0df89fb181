"""JavaScript and TypeScript: ``import``, ``export ... from``, ``import()``, ``require()`` and ``import x = require()`` with literal names.

Relative names are tried as they are, with every ending, and as a folder (the main of its ``package.json``, or ``index``); a ``.js`` that
does not exist may be the ``.ts`` it is compiled from. Bare names are packages of the repository (the names in its
``package.json`` files, so workspaces too) or what ``paths`` and ``baseUrl`` of a ``tsconfig.json`` make of them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, unquoted
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_OPENED, Tree, ancestors, below, join

_QUERY = """
(import_statement source: (string) @source)
(export_statement source: (string) @source)
(call_expression function: (import) arguments: (arguments . (string) @source))
((call_expression function: (identifier) @_function arguments: (arguments . (string) @source)) (#eq? @_function "require"))
"""
_TYPESCRIPT_QUERY = _QUERY + "(import_require_clause source: (string) @source)"

# A language looks for its own files first; the other's are what they are compiled from or to.
_OWN = {"TypeScript": (".ts", ".tsx", ".d.ts", ".mts", ".cts"), "JavaScript": (".js", ".json", ".jsx", ".mjs", ".cjs")}
_ENDINGS = {
    "TypeScript": (*_OWN["TypeScript"], *_OWN["JavaScript"], ".vue", ".svelte"),
    "JavaScript": (*_OWN["JavaScript"], *_OWN["TypeScript"], ".vue", ".svelte"),
}
_COMPILED = {".js": (".ts", ".tsx", ".d.ts"), ".jsx": (".tsx", ".d.ts"), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts")}
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
        language = self.tree.languages[file]
        for _, name in self.tree.mentions[file].imports:
            if name.startswith("."):
                place = join(folder, name)
                if place is None and join(below("x", folder), name) == "x":
                    place = ""  # the repository itself
                yield [self._at(place, language, is_folder=name.endswith(("/", "/.", "/..")) or name in (".", ".."))]
            elif not name.startswith("/"):
                yield [self._bare(name, folder, language)]
            else:
                yield []

    def _at(self, path: str | None, language: str, is_folder: bool = False) -> int | None:
        """What a name stands for, the way Node and TypeScript look for it."""
        if path is None:
            return None
        found = None if is_folder or not path else self.tree.first(_spellings(path, language))
        if found is None:
            mains = (join(path, main) for main in self._mains.get(path, ()))
            found = self.tree.first(each for main in mains if main for each in _spellings(main, language))
        if found is None and path in self.tree.all_folders:
            found = self.tree.first(below(path, f"index{ending}") for ending in _ENDINGS[language])
        return found

    def _bare(self, name: str, folder: str, language: str) -> int | None:
        for above in ancestors(folder):
            for target in self._mapped(above, name):
                if (found := self._at(target, language)) is not None:
                    return found
        parts = name.split("/")
        package = "/".join(parts[: 2 if name.startswith("@") else 1])
        if package not in self._packages:
            return None
        root, rest = self._packages[package], name[len(package) + 1 :]
        places = [below(root, *top, rest) for top in ((), ("src",), ("lib",))] if rest else [root, below(root, "src"), below(root, "lib")]
        return next((found for place in places if (found := self._at(place, language)) is not None), None)

    def _mapped(self, folder: str, name: str) -> Iterator[str | None]:
        base, patterns = self._configs.get(folder, (None, {}))
        for pattern, targets in patterns.items():
            start, star, end = pattern.partition("*")
            if name == pattern or (star and len(name) >= len(start) + len(end) and name.startswith(start) and name.endswith(end)):
                middle = name[len(start) : len(name) - len(end)]
                yield from (join(below(folder, base or "."), target.replace("*", middle, 1)) for target in targets)
        if base is not None:
            yield join(below(folder, base), name)


def _spellings(path: str, language: str) -> Iterator[str]:
    """The files that a path, with an ending or without, may be written for."""
    stem, dot, ending = path.rpartition(".")
    compiled = [stem + other for other in _COMPILED.get(dot + ending, ())]
    yield from (*compiled, path) if language == "TypeScript" else (path, *compiled)
    yield from (path + ending for ending in _ENDINGS[language])


def _path_patterns(content: str) -> tuple[str | None, dict[str, list[str]]]:
    """baseUrl (None where there is none) and paths of a tsconfig.json."""
    told = _json_object(content).get("compilerOptions")
    told = told if isinstance(told, dict) else {}
    base, paths = told.get("baseUrl"), told.get("paths")
    patterns = paths.items() if isinstance(paths, dict) else ()
    kept = {pattern: [each for each in targets if isinstance(each, str)] for pattern, targets in patterns if isinstance(targets, list)}
    return (base if isinstance(base, str) else None), dict(itertools.islice(kept.items(), MAX_OPENED))


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
