"""Names of the modules that a file imports, as its language writes imports; by lines, not by a parser.

What is asked of it is whether a file uses a framework or not. A line in a comment or a string that looks like an import counts as one;
that costs a seed one file in some hundreds, where a second parse of every file would cost more than all the rest of its measuring.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_NAMES = 200  # a file that imports more is a list of names
MAX_NAME = 120  # characters

_QUOTED = r"[\"'`]([^\"'`\n]{1,120})[\"'`]"
_DOTTED = r"([\w.]{1,120})"

_JVM = (rf"^\s*import\s+(?:static\s+)?{_DOTTED}",)
_JS = (
    rf"^\s*(?:import|export)\b[^\n;]{{0,300}}?(?:from\s*)?{_QUOTED}",
    rf"^[ \t}}]*from\s+{_QUOTED}",
    rf"\b(?:require|import)\(\s*{_QUOTED}",
)
_C = (r"^[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"\n]{1,120})[>\"]",)
_PATTERNS: dict[str, tuple[str, ...]] = {
    "C": _C,
    "C++": _C,
    "C#": (rf"^\s*(?:global\s+)?using\s+(?:static\s+)?{_DOTTED}\s*;",),
    "Go": (rf"^\s*import\s+(?:[\w.]+\s+)?{_QUOTED}", rf"^\t(?:[\w.]+\s+)?{_QUOTED}\s*(?://[^\n]*)?$"),
    "Haskell": (rf"^import\s+(?:qualified\s+)?{_DOTTED}",),
    "Java": _JVM,
    "JavaScript": _JS,
    "Kotlin": _JVM,
    "OCaml": (rf"^\s*open\s+{_DOTTED}",),
    "PHP": (r"^\s*use\s+(?:function\s+)?([\w\\]{1,120})",),
    "Perl": (r"^\s*(?:use|require)\s+([\w:]{1,120})",),
    "R": (r"\b(?:library|require)\(\s*[\"']?([\w.]{1,120})",),
    "Ruby": (rf"^\s*require\s*\(?\s*{_QUOTED}",),
    "Rust": (r"^\s*(?:pub\s+)?use\s+([\w:]{1,120})",),
    "Scala": _JVM,
    "Swift": (rf"^\s*import\s+{_DOTTED}",),
    "TypeScript": _JS,
}
_COMPILED = {language: tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns) for language, patterns in _PATTERNS.items()}

# Of Python also what is taken out of a module, as in `from collections import deque`.
_PYTHON = re.compile(
    r"^[ \t]*(?:import[ \t]+([^\n#]{1,500})|from[ \t]+([\w.]{1,120})[ \t]+import[ \t]+(\([^)]{1,2000}\)|[^\n#]{1,500}))",
    re.MULTILINE,
)
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_AS = re.compile(r"\bas[ \t]+\w+")


def imported_modules(content: str, language: str) -> list[str]:
    """Names in the order they first come, each once; an empty list for languages that are not known here.

    >>> imported_modules("import os.path as p, re\\nfrom collections import deque\\n", "Python")
    ['os.path', 're', 'collections', 'collections.deque']
    """
    names = _python(content) if language in ("Python", "Jupyter Notebook") else _by_patterns(content, language)
    kept = dict.fromkeys(name for name in names if name and len(name) <= MAX_NAME)
    return list(kept)[:MAX_NAMES]


def _by_patterns(content: str, language: str) -> Iterator[str]:
    for pattern in _COMPILED.get(language, ()):
        for found in pattern.finditer(content):
            yield found[1]


def _python(content: str) -> Iterator[str]:
    for found in _PYTHON.finditer(content):
        if found[1]:
            yield from _NAME.findall(_AS.sub("", found[1]))
        else:
            yield found[2]
            yield from (f"{found[2]}.{name}" for name in _NAME.findall(_AS.sub("", found[3])))


_SEPARATOR = re.compile(r"[./\\:]+|-(?=\d)")


def imports_any(imported: frozenset[str] | set[str], wanted: frozenset[str]) -> bool:
    """Whether a module is one of ``wanted``, or inside of one; ``.``, ``/``, ``::`` and ``\\`` separate.

    >>> imports_any({"django.db.models"}, frozenset({"django"})), imports_any({"djangology"}, frozenset({"django"}))
    (True, False)
    """
    return any(not wanted.isdisjoint(_prefixes(name)) for name in imported)


def _prefixes(name: str) -> Iterator[str]:
    yield name
    for separator in _SEPARATOR.finditer(name):
        yield name[: separator.start()]
