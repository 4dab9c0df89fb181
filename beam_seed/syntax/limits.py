"""How much of a file may be under syntax errors, language by language.

No grammar knows all of its language: macros, dialects and templates end in ERROR nodes though the file is valid. So each limit was set
on real, published files of installed packages, source distributions and repositories, 100 bytes to 200 kB, at most 400 distinct ones of
a language spread evenly over its packages, taken to be valid (which a few are not). A limit is the smallest of 0, 1, 2, 5, 10 and 25 %
that loses at most 4 % of them; where none does, 25 % if that loses at most 10 %, and otherwise the language is not checked.
"""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """The limit of a language and what it was set on."""

    share: float  # largest share of bytes under ERROR and MISSING nodes; 0.0 = strict
    files: int  # real files measured
    with_errors: float  # % of these with any error
    above: float  # % of these above the limit: valid files that the check loses


MEASURED: dict[str, Limit] = {
    "Ada": Limit(0.00, 400, 0.0, 0.0),
    "Agda": Limit(0.10, 400, 33.0, 0.8),
    "Bluespec": Limit(0.25, 400, 74.2, 7.2),
    "C": Limit(0.10, 800, 49.8, 3.9),
    "C#": Limit(0.01, 400, 5.0, 0.0),
    "C++": Limit(0.10, 400, 33.8, 2.5),
    "CMake": Limit(0.00, 400, 0.2, 0.2),
    "CSS": Limit(0.01, 239, 19.2, 3.8),
    "Clojure": Limit(0.00, 119, 0.0, 0.0),
    "Common Lisp": Limit(0.25, 400, 12.2, 7.0),
    "Cuda": Limit(0.02, 163, 20.2, 3.7),
    "Dart": Limit(0.01, 361, 8.6, 0.6),
    "Dockerfile": Limit(0.05, 85, 52.9, 2.4),
    "Elixir": Limit(0.00, 400, 0.0, 0.0),
    "Elm": Limit(0.00, 145, 2.1, 2.1),
    "Emacs Lisp": Limit(0.00, 136, 0.0, 0.0),
    "Erlang": Limit(0.00, 400, 0.5, 0.5),
    "Fortran": Limit(0.00, 481, 4.0, 4.0),
    "GLSL": Limit(0.02, 400, 24.2, 2.0),
    "Go": Limit(0.00, 174, 0.0, 0.0),
    "Groovy": Limit(0.10, 400, 63.8, 3.8),
    "HTML": Limit(0.02, 400, 15.8, 2.5),
    "Haskell": Limit(0.00, 400, 0.8, 0.8),
    "JSON": Limit(0.00, 400, 0.2, 0.2),
    "Java Server Pages": Limit(0.00, 238, 0.0, 0.0),
    "Java": Limit(0.00, 400, 0.0, 0.0),
    "JavaScript": Limit(0.00, 400, 2.2, 2.2),
    "Julia": Limit(0.00, 82, 3.7, 3.7),
    "Kotlin": Limit(0.01, 400, 6.5, 1.0),
    "Literate Agda": Limit(0.05, 1, 100.0, 0.0),  # half of Agda's, about half of such a file being prose
    "Literate Haskell": Limit(0.00, 12, 0.0, 0.0),
    "Lua": Limit(0.00, 400, 0.0, 0.0),
    "MATLAB": Limit(0.00, 400, 3.2, 3.2),
    "Makefile": Limit(0.25, 400, 25.5, 5.5),
    "OCaml": Limit(0.00, 400, 0.2, 0.2),
    "PHP": Limit(0.00, 400, 0.2, 0.2),
    "Pascal": Limit(0.25, 400, 25.0, 9.8),
    "Perl": Limit(0.01, 400, 9.8, 1.8),
    "PowerShell": Limit(0.10, 320, 24.4, 3.1),
    "Protocol Buffer": Limit(0.10, 286, 10.1, 2.1),
    "Python": Limit(0.00, 400, 0.2, 0.2),
    "R": Limit(0.00, 400, 0.0, 0.0),
    "Racket": Limit(0.00, 400, 0.0, 0.0),
    "Ruby": Limit(0.00, 400, 0.0, 0.0),
    "Rust": Limit(0.00, 400, 3.5, 3.5),
    "SPARQL": Limit(0.25, 195, 17.9, 3.1),
    "Scala": Limit(0.01, 400, 6.8, 3.8),
    "Scheme": Limit(0.01, 400, 13.2, 3.5),
    "Shell": Limit(0.00, 400, 2.5, 2.5),
    "Smalltalk": Limit(0.00, 400, 2.5, 2.5),
    "Solidity": Limit(0.00, 276, 0.0, 0.0),
    "Swift": Limit(0.02, 345, 11.6, 2.0),
    "SystemVerilog": Limit(0.05, 400, 16.0, 1.5),
    "Tcl": Limit(0.25, 400, 64.2, 8.8),
    "TeX": Limit(0.25, 400, 45.2, 7.8),
    "Thrift": Limit(0.00, 165, 0.0, 0.0),
    "TypeScript": Limit(0.00, 400, 1.8, 1.8),
    "VHDL": Limit(0.02, 400, 4.5, 3.5),
    "Verilog": Limit(0.05, 400, 20.8, 3.0),
    "Visual Basic .NET": Limit(0.25, 61, 9.8, 0.0),
    "XSLT": Limit(0.01, 319, 5.0, 0.0),
    "YAML": Limit(0.00, 400, 1.5, 1.5),
    "Zig": Limit(0.25, 400, 18.5, 2.0),
}

LIMITS: dict[str, float] = {language: limit.share for language, limit in MEASURED.items()}
"""Language -> largest share of bytes in error of a file that is kept."""


def limit_of(language: str) -> float | None:
    """The limit of a language; None where it is not checked."""
    return LIMITS.get(language)
