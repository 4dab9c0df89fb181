"""PHP: ``use``, names of classes, ``require`` and ``include``.

A name is made a full one by the file's ``use`` statements and namespace, as PHP does, and leads to the file that declares it, or the one
where the PSR-4 rules of a ``composer.json`` expect it. A required path counts where it is a literal, alone or
after ``__DIR__`` or ``dirname(__FILE__)``.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator

import tree_sitter

from beam_seed.dependencies.mentions import Captures, Language, Mentions, distinct, imports_of, squeezed, text, unquoted
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_OPENED, Declared, Tree, join

_QUERY = """
(namespace_definition name: (namespace_name) @package)
(namespace_use_declaration) @import
[(class_declaration name: (name) @declare) (interface_declaration name: (name) @declare) (trait_declaration name: (name) @declare)
 (enum_declaration name: (name) @declare) (function_definition name: (name) @declare)]
(base_clause [(name) (qualified_name)] @use)
(class_interface_clause [(name) (qualified_name)] @use)
(use_declaration [(name) (qualified_name)] @use)
(object_creation_expression [(name) (qualified_name)] @use)
(scoped_call_expression scope: [(name) (qualified_name)] @use)
(class_constant_access_expression . [(name) (qualified_name)] @use)
(named_type [(name) (qualified_name)] @use)
(attribute [(name) (qualified_name)] @use)
[(require_expression) (require_once_expression) (include_expression) (include_once_expression)] @include
"""

_USE = re.compile(r"^\s*use\s+(?:(?:function|const)\s+)?|;\s*$")
_KIND = re.compile(r"^\s*(?:function|const)\s+")


def _read(found: Captures) -> Mentions:
    spaces = sorted((node.start_byte, squeezed(node)) for node in found.get("package", []))
    starts = [start for start, _ in spaces]

    def full(node: tree_sitter.Node) -> str:
        place = bisect.bisect(starts, node.start_byte)
        return f"{spaces[place - 1][1]}\\{text(node)}" if place else text(node)

    imports = [told for node in found.get("import", []) for told in _used(text(node))]
    imports += [told for node in found.get("include", []) for told in _included(node)]
    declares = (full(node) for node in found.get("declare", []))
    uses = (squeezed(node) for node in found.get("use", []))
    return Mentions(distinct(space for _, space in spaces), imports_of(imports), distinct(declares), distinct(uses))


def _used(statement: str) -> Iterator[tuple[str, str]]:
    r"""('use', 'A\B C') for each imported name, with the alias it is given here."""
    for part in re.split(r",(?![^{]*\})", _USE.sub("", statement)):
        base, brace, inner = part.partition("{")
        for each in inner.rstrip("} ").split(",") if brace else [""]:
            words = (base.strip() + _KIND.sub("", each).strip()).split()
            if words:
                name = words[0].lstrip("\\")
                yield "use", f"{name} {words[-1] if len(words) == 3 else name.rpartition(chr(92))[2]}"


def _included(node: tree_sitter.Node) -> Iterator[tuple[str, str]]:
    told = node.named_children[0] if node.named_children else node
    while told.type == "parenthesized_expression" and told.named_children:
        told = told.named_children[0]
    kind = "include"
    if told.type == "binary_expression" and len(told.named_children) == 2:
        left, told = told.named_children
        if squeezed(left) not in ("__DIR__", "dirname(__FILE__)"):
            return
        kind = "beside"
    if told.type in ("string", "encapsed_string") and all(child.type == "string_content" for child in told.named_children):
        yield kind, unquoted(told)


PHP = Language(_QUERY, _read)


class PhpResolver(Resolver):
    """Classes and functions with their namespaces, and paths."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._declared = Declared(tree, ("PHP",))
        self._roots = [rule for folder, content in tree.manifests("composer.json") for rule in _psr4(folder, content)][:MAX_OPENED]

    def imports(self, file: int) -> Iterator[Nodes]:
        for kind, name in self.tree.mentions[file].imports:
            if kind == "use":
                yield [self._find(name.partition(" ")[0], file)]
            else:
                beside = self.tree.find(join(self.tree.folders[file], name.lstrip("/") if kind == "beside" else name))
                yield [self.tree.find(join("", name)) if beside is None and kind == "include" else beside]

    def uses(self, file: int) -> Nodes:
        mentions = self.tree.mentions[file]
        pairs = (name.split(" ", 1) for kind, name in mentions.imports if kind == "use")
        aliases = {alias: name for name, alias in pairs}
        for used in mentions.uses:
            first, _, rest = used.partition("\\")
            if not first:  # \A\B
                yield self._find(rest, file)
            elif first in aliases:
                yield self._find(aliases[first] + ("\\" + rest if rest else ""), file)
            else:
                tries = [f"{space}\\{used}" for space in mentions.packages] or [used]
                yield next((found for name in tries if (found := self._find(name, file)) is not None), None)

    def _find(self, name: str, file: int) -> int | None:
        found = self._declared.find(name, file)
        if found is None:
            rules = ((folder, name[len(prefix) :]) for prefix, folder in self._roots if name.startswith(prefix))
            found = self.tree.first(join(folder, rest.replace("\\", "/") + ".php") for folder, rest in rules)
        return found


def _psr4(folder: str, content: str) -> Iterator[tuple[str, str]]:
    """(prefix, folder) of a composer.json."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return
    for section in ("autoload", "autoload-dev"):
        rules = told.get(section) if isinstance(told, dict) else None
        prefixes = rules.get("psr-4") if isinstance(rules, dict) else None
        for prefix, places in prefixes.items() if isinstance(prefixes, dict) else ():
            for place in places if isinstance(places, list) else [places]:
                if isinstance(place, str) and (path := join(folder, place or ".")) is not None:
                    yield prefix, path
                elif isinstance(place, str) and not folder and place.strip("./") == "":
                    yield prefix, ""
