"""Java, Kotlin and Scala, which see one another: packages and the names declared in them.

An explicit import leads to the file that declares the name, or the class around it (``import static a.B.c`` to ``a.B``); ``a.*`` to the
files of package ``a`` that declare a name which is used. Names of the own package are used without an import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from beam_seed.dependencies.mentions import Captures, Language, Mentions, distinct, imports_of, squeezed, text, texts
from beam_seed.dependencies.resolver import Nodes, Resolver
from beam_seed.dependencies.tree import MAX_DEPTH, MAX_OPENED, Declared, Tree

LANGUAGES = ("Java", "Kotlin", "Scala")

_JAVA = """
(package_declaration [(identifier) (scoped_identifier)] @package)
(import_declaration) @import
(program [
  (class_declaration name: (identifier) @declare) (interface_declaration name: (identifier) @declare)
  (enum_declaration name: (identifier) @declare) (record_declaration name: (identifier) @declare)
  (annotation_type_declaration name: (identifier) @declare)])
(type_identifier) @use
(method_invocation object: (identifier) @use)
(field_access object: (identifier) @use)
(method_reference . (identifier) @use)
(marker_annotation name: (identifier) @use)
(annotation name: (identifier) @use)
"""

_KOTLIN = """
(package_header (identifier) @package)
(import_header) @import
(source_file [
  (class_declaration (type_identifier) @declare) (object_declaration (type_identifier) @declare) (type_alias . (type_identifier) @declare)
  (function_declaration (simple_identifier) @declare) (property_declaration (variable_declaration (simple_identifier) @declare))])
(type_identifier) @use
(call_expression . (simple_identifier) @use)
(navigation_expression . (simple_identifier) @use)
"""

_SCALA = """
(package_clause name: (package_identifier) @package)
(import_declaration) @import
(compilation_unit [
  (class_definition name: (identifier) @declare) (object_definition name: (identifier) @declare)
  (trait_definition name: (identifier) @declare) (enum_definition name: (identifier) @declare)])
(package_clause body: (template_body [
  (class_definition name: (identifier) @declare) (object_definition name: (identifier) @declare)
  (trait_definition name: (identifier) @declare) (enum_definition name: (identifier) @declare)]))
(type_identifier) @use
(call_expression function: (identifier) @use)
(field_expression value: (identifier) @use)
"""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_OUTER = 3  # an import may name a member of a member: so many components are left off at most


def _read(found: Captures) -> Mentions:
    package = ".".join(squeezed(node) for node in found.get("package", []))  # Scala's clauses add up
    declares = distinct(".".join(filter(None, (package, text(node)))) for node in found.get("declare", []))
    imports = imports_of(("import", name) for node in found.get("import", []) for name in _imported(text(node)))
    return Mentions(distinct([package]), imports, declares, texts(found.get("use", [])))


def _imported(statement: str) -> Iterator[str]:
    """The names of an import statement; what is named under another name counts as itself, and every wildcard is ``*``."""
    words = _COMMENT.sub(" ", statement).replace("`", "").split()
    rest = " ".join(words[2:] if words[1:2] == ["static"] else words[1:]).rstrip("; ")
    for part in re.split(r",(?![^{]*\})", rest):
        base, brace, inner = part.partition("{")
        for each in inner.rstrip("} ").split(",") if brace else [""]:
            name = re.split(r"=>|\bas\b", base + each)[0].replace(" ", "")
            yield re.sub(r"\.(_|given)$", ".*", name)


JAVA, KOTLIN, SCALA = Language(_JAVA, _read), Language(_KOTLIN, _read), Language(_SCALA, _read)


class JvmResolver(Resolver):
    """Names with their packages."""

    def __init__(self, tree: Tree):
        super().__init__(tree)
        self._declared = Declared(tree, LANGUAGES)

    def imports(self, file: int) -> Iterator[Nodes]:
        mentions = self.tree.mentions[file]
        opened = 0
        for _, name in mentions.imports:
            opened += name.endswith(".*")
            if opened > MAX_OPENED:
                return
            found = self._imported(name, file)
            if not found and self.tree.languages[file] == "Scala":  # whose imports may be relative to the package
                found = next((near for package in self._enclosing(file) if (near := self._imported(f"{package}.{name}", file))), [])
            yield found

    def _enclosing(self, file: int) -> Iterator[str]:
        for package in self.tree.mentions[file].packages:
            parts = package.split(".")[:MAX_DEPTH]
            yield from (".".join(parts[:end]) for end in range(len(parts), 0, -1))

    def _imported(self, name: str, file: int) -> list[int]:
        if name.endswith(".*"):
            package = name[:-2]
            of_package = (self._declared.find(f"{package}.{used}", file) for used in self.tree.mentions[file].uses)
            found = [number for number in of_package if number is not None]
            if found:
                return found
            name = package  # the members of a class
        for _ in range(_OUTER):
            if (number := self._declared.find(name, file)) is not None:
                return [number]
            name = name.rpartition(".")[0]
        return []

    def uses(self, file: int) -> Nodes:
        mentions = self.tree.mentions[file]
        package = "".join(f"{package}." for package in mentions.packages)
        imported = {name.rpartition(".")[2] for _, name in mentions.imports}
        return (self._declared.find(package + name, file) for name in mentions.uses if name not in imported)
