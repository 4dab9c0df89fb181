"""Python: ``import`` and ``from`` statements, wherever they stand.

A statement leads to the deepest module that it names: ``from a.b import c`` to module ``a.b.c`` where there is one, else to ``a.b``. The
packages on the way (``a``) run too, but to say that every module needs the ``__init__`` above it, which often imports
the module, would only put whole packages into one cycle.

A file is known by its name under the folder above its topmost package (so ``src/`` needs no rule), under the repository and, of two
components or more, under every folder that is no package (namespace packages). Names of the standard library are not looked for, except
beside the file's own topmost package.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, squeezed
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_DEPTH, Tree, below, parent

_QUERY = """
(import_statement) @import
(import_from_statement) @from
"""

_ROOTS = ("", "src", "lib", "python")  # folders that are put on the path by convention


def _read(found: Captures) -> Mentions:
    named = [("import", name) for node in found.get("import", []) for name in _names(node)]
    for node in found.get("from", []):
        module = node.child_by_field_name("module_name")
        if module is not None:
            named += [("from", f"{squeezed(module)} {name}") for name in _names(node) or [""]]
    return Mentions(imports=imports_of(named))


def _names(node: tree_sitter.Node) -> list[str]:
    named = (child.child_by_field_name("name") or child for child in node.children_by_field_name("name"))
    return [squeezed(child) for child in named]


PYTHON = Language(_QUERY, _read)


class PythonResolver(Resolver):
    """Modules by their dotted names."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._modules: dict[str, list[int]] = {}
        self._tops: dict[int, str] = {}  # file -> the folder above its topmost package
        self._packages = {
            tree.folders[number] for number, path in enumerate(tree.paths) if posixpath.basename(path) in ("__init__.py", "__init__.pyi")
        }
        python = [number for number, language in enumerate(tree.languages) if language == "Python"]
        for number in sorted(python, key=lambda number: (tree.paths[number].endswith(".pyi"), tree.paths[number])):
            self._tops[number] = self._top(tree.folders[number])
            for name in self._names_of(number):
                self._modules.setdefault(name, []).append(number)

    def _top(self, folder: str) -> str:
        while folder and folder in self._packages:
            folder = parent(folder)
        return folder

    def _names_of(self, number: int) -> Iterator[str]:
        parts = self.tree.paths[number].rsplit(".", 1)[0].split("/")
        if parts[-1] == "__init__":
            parts.pop()
        for start in range(max(0, len(parts) - MAX_DEPTH), len(parts)):
            folder = "/".join(parts[:start])
            is_top = folder == self._tops[number]
            if folder in _ROOTS or is_top or (folder not in self._packages and start < len(parts) - 1):
                yield ".".join(parts[start:])

    def imports(self, file: int) -> Iterator[Nodes]:
        for kind, name in self.tree.mentions[file].imports:
            if kind == "import":
                yield [self._find(name, file)]
            else:
                module, _, member = name.partition(" ")
                yield [self._member(module, member, file)]

    def _member(self, module: str, member: str, file: int) -> int | None:
        if not module.startswith("."):
            found = self._find(f"{module}.{member}", file) if member else None
            return self._find(module, file) if found is None else found
        name = module.lstrip(".")
        folder: str | None = self.tree.folders[file]
        for _ in range(len(module) - len(name) - 1):
            folder = parent(folder) if folder else None
        if folder is None:
            return None
        base = below(folder, *name.split(".")) if name else folder
        found = self._at(below(base, member)) if member else None
        return self._at(base) if found is None else found

    def _at(self, base: str) -> int | None:
        named = [f"{base}.py", f"{base}.pyi"] if base else []
        return self.tree.first([*named[:1], below(base, "__init__.py"), *named[1:], below(base, "__init__.pyi")])

    def _find(self, name: str, file: int) -> int | None:
        top = name.split(".", 1)[0]
        if (found := self._at(below(self._tops[file], *name.split(".")))) is not None:
            return found
        if top in sys.stdlib_module_names:
            return None
        candidates = self._modules.get(name, [])
        if "." not in name:
            candidates = [number for number in candidates if self._is_known_alone(number)]
        return self.tree.nearest(candidates, file)

    def _is_known_alone(self, number: int) -> bool:
        """Whether one word is enough to import a file from anywhere: a package, or a module that lies where modules are looked for."""
        return self._tops[number] in _ROOTS or self.tree.folders[number] in self._packages
