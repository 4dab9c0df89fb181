"""Go: an import names a package, which is all files of a folder except its tests.

The path of the module comes from ``go.mod``; where that is not among the files (it is no source code, so our corpora lack it), it is the
beginning that most imports share before a folder of the repository. Within a package files need no import and have no order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from beam_seed.dependencies.mentions import Captures, Language, Mentions, imports_of, texts, unquoted
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_DEPTH, Tree, below

_QUERY = """
(package_clause (package_identifier) @package)
(import_spec path: (_) @path)
"""


def _read(found: Captures) -> Mentions:
    paths = imports_of(("import", unquoted(node)) for node in found.get("path", []))
    return Mentions(packages=texts(found.get("package", [])[:1]), imports=paths)


GO = Language(_QUERY, _read)


class GoResolver(Resolver):
    """Packages by folder, below the paths of the modules."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._packages: dict[str, list[int]] = {}
        for number, path in enumerate(tree.paths):
            if tree.languages[number] == "Go" and not path.endswith("_test.go"):
                self._packages.setdefault(tree.folders[number], []).append(number)
        self._modules = self._told_modules() or self._likely_modules()

    def _told_modules(self) -> dict[str, str]:
        """Module path -> folder."""
        modules: dict[str, str] = {}
        for folder, content in self.tree.manifests("go.mod"):
            for line in content.splitlines():
                words = line.split("//")[0].split()
                if len(words) == 2 and words[0] == "module":
                    modules.setdefault(words[1].strip('"'), folder)
        return modules

    def _likely_modules(self) -> dict[str, str]:
        go = [number for number, language in enumerate(self.tree.languages) if language == "Go"]
        votes: Counter[str] = Counter()
        for name in {name for number in go for _, name in self.tree.mentions[number].imports}:
            parts = name.split("/")
            if "." in parts[0] and len(parts) <= MAX_DEPTH:  # without a dot it is the standard library's
                votes.update("/".join(parts[:cut]) for cut in range(1, len(parts)) if "/".join(parts[cut:]) in self._packages)
        best = max(votes, key=lambda module: (votes[module], module), default="")
        return {best: ""} if best else {}

    def imports(self, file: int) -> Iterator[Nodes]:
        for _, name in self.tree.mentions[file].imports:
            yield [self._find(name)]

    def _find(self, name: str) -> int | None:
        for cut in range(len(name), 0, -1):
            if cut < len(name) and name[cut] != "/":
                continue
            folder = self._modules.get(name[:cut])
            if folder is not None:
                folder = below(folder, name[cut + 1 :]) if cut < len(name) else folder
                members = self._packages.get(folder)
                return None if members is None else self.tree.group(f"go {folder}", members)
        return None
