"""Which tree-sitter grammar checks which language, and why some languages are not checked.

Grammars are loaded when they are first asked for: the whole set takes hundreds of MB of address space, a shard needs a few.
"""

from __future__ import annotations

import functools
import importlib
from typing import cast

import tree_sitter
import tree_sitter_language_pack

from beam_seed.syntax.limits import LIMITS

_PACK = "tree-sitter-language-pack"

# Grammars that the pack lacks, by the distribution that ships them.
_WHEELS = {
    "bsv": "tree-sitter-bsv",
    "embedded-template": "tree-sitter-embedded-template",
    "systemverilog": "tree-sitter-systemverilog",
    "tonel-smalltalk": "tree-sitter-tonel-smalltalk",
    "vb-dotnet": "tree-sitter-vb-dotnet",
}

# More than one grammar: a file is measured by the one that explains most of it (a C header may be C++, TypeScript may hold JSX).
GRAMMARS: dict[str, tuple[str, ...]] = {
    "Ada": ("ada",),
    "Agda": ("agda",),
    "Bluespec": ("bsv",),
    "C": ("c", "cpp"),
    "C#": ("csharp",),
    "C++": ("cpp", "c"),
    "CMake": ("cmake",),
    "CSS": ("css",),
    "Clojure": ("clojure",),
    "Common Lisp": ("commonlisp",),
    "Cuda": ("cuda",),
    "Dart": ("dart",),
    "Dockerfile": ("dockerfile",),
    "Elixir": ("elixir",),
    "Elm": ("elm",),
    "Emacs Lisp": ("elisp",),
    "Erlang": ("erlang",),
    "Fortran": ("fortran",),
    "GLSL": ("glsl",),
    "Go": ("go",),
    "Groovy": ("groovy",),
    "HTML": ("html",),
    "Haskell": ("haskell",),
    "JSON": ("json",),
    "Java": ("java",),
    "Java Server Pages": ("embedded-template",),
    "JavaScript": ("javascript",),
    "Julia": ("julia",),
    "Kotlin": ("kotlin",),
    "Literate Agda": ("agda",),
    "Literate Haskell": ("haskell",),
    "Lua": ("lua",),
    "MATLAB": ("matlab",),
    "Makefile": ("make",),
    "OCaml": ("ocaml", "ocaml_interface"),
    "PHP": ("php",),
    "Pascal": ("pascal",),
    "Perl": ("perl",),
    "PowerShell": ("powershell",),
    "Protocol Buffer": ("proto",),
    "Python": ("python",),
    "R": ("r",),
    "Racket": ("racket",),
    "Ruby": ("ruby",),
    "Rust": ("rust",),
    "SPARQL": ("sparql",),
    "Scala": ("scala",),
    "Scheme": ("scheme",),
    "Shell": ("bash",),
    "Smalltalk": ("tonel-smalltalk",),
    "Solidity": ("solidity",),
    "Swift": ("swift",),
    "SystemVerilog": ("systemverilog", "verilog"),
    "Tcl": ("tcl",),
    "TeX": ("latex",),
    "Thrift": ("thrift",),
    "TypeScript": ("typescript", "tsx"),
    "VHDL": ("vhdl",),
    "Verilog": ("verilog", "systemverilog"),
    "Visual Basic .NET": ("vb-dotnet",),
    "XSLT": ("xml",),
    "YAML": ("yaml",),
    "Zig": ("zig",),
}

_NO_GRAMMAR = "no grammar ships inside a Python wheel"
_ACCEPTS_ALL = "its grammar accepts any text"

UNCHECKED: dict[str, str] = {
    # Figures: share of real files, taken to be valid, that the grammar flags, measured as in limits.py (n = files).
    "ANTLR": _NO_GRAMMAR,
    "Alloy": _NO_GRAMMAR,
    "AppleScript": _NO_GRAMMAR,
    "Assembly": "its grammar knows too few dialects: 36 % of valid files have over 5 % of their bytes in error (n = 400)",
    "Augeas": _NO_GRAMMAR,
    "Awk": _NO_GRAMMAR,
    "Batchfile": "its grammar flags valid files: 15 % have over 25 % of their bytes in error (n = 181)",
    "CoffeeScript": _NO_GRAMMAR,
    "F#": "its grammar flags valid files: 29 % have over 25 % of their bytes in error (n = 41)",
    "Idris": _NO_GRAMMAR + " (the Haskell grammar flags valid Idris)",
    "Isabelle": _NO_GRAMMAR,
    "Lean": _NO_GRAMMAR,
    "Literate CoffeeScript": _ACCEPTS_ALL,
    "Maple": _NO_GRAMMAR,
    "Markdown": _ACCEPTS_ALL,
    "Prolog": _NO_GRAMMAR,
    "RMarkdown": _ACCEPTS_ALL,
    "SAS": "its grammar flags valid files: 14 % have over 25 % of their bytes in error (n = 400)",
    "SQL": "its grammar knows too few dialects: 43 % of valid files have over 25 % of their bytes in error (n = 60)",
    "Stan": _NO_GRAMMAR,
    "Standard ML": _NO_GRAMMAR,
    "Stata": _NO_GRAMMAR,
    "Tcsh": _NO_GRAMMAR + " (the Bash grammar flags valid csh)",
    "Wolfram Language": _NO_GRAMMAR,
    "Yacc": _NO_GRAMMAR,
    "reStructuredText": _ACCEPTS_ALL,
}
"""Language -> why no grammar checks it; such files pass, marked as unchecked."""


def grammars_of(language: str) -> tuple[str, ...]:
    """Names of the grammars that may check ``language``, first choice first; empty where it is unchecked or not one of the 89."""
    return GRAMMARS.get(language, ())


@functools.cache
def load(grammar: str) -> tree_sitter.Language:
    """The grammar of this name. Raises LookupError where the language pack has none of that name."""
    if grammar not in _WHEELS:
        return tree_sitter_language_pack.get_language(cast(tree_sitter_language_pack.SupportedLanguage, grammar))
    made = importlib.import_module(_WHEELS[grammar].replace("-", "_")).language()
    return made if isinstance(made, tree_sitter.Language) else tree_sitter.Language(made)  # tonel-smalltalk wraps it itself


def package_of(grammar: str) -> str:
    """The distribution that ships the grammar."""
    return _WHEELS.get(grammar, _PACK)


def describe(language: str) -> str:
    """How one of the 89 languages is checked, as a line for a table. Raises KeyError for any other language."""
    if language in UNCHECKED:
        return f"unchecked: {UNCHECKED[language]}"
    used = " or ".join(f"{name} ({package_of(name)})" for name in GRAMMARS[language])
    share = LIMITS[language]
    return f"tree-sitter {used}, " + (f"up to {share:.0%} of bytes in error" if share else "strict")
