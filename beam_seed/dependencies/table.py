"""The languages whose imports are understood, in one table."""

from __future__ import annotations

from typing import NamedTuple

from beam_seed.dependencies.languages.c_family import C_FAMILY, IncludeResolver
from beam_seed.dependencies.languages.csharp import CSHARP, CSharpResolver
from beam_seed.dependencies.languages.ecmascript import JAVASCRIPT, TYPESCRIPT, EcmaScriptResolver
from beam_seed.dependencies.languages.go import GO, GoResolver
from beam_seed.dependencies.languages.jvm import JAVA, KOTLIN, SCALA, JvmResolver
from beam_seed.dependencies.languages.php import PHP, PhpResolver
from beam_seed.dependencies.languages.python import PYTHON, PythonResolver
from beam_seed.dependencies.languages.ruby import RUBY, RubyResolver
from beam_seed.dependencies.languages.rust import RUST, RustResolver
from beam_seed.dependencies.mentions import Language, Mentions, read_file
from beam_seed.dependencies.resolver import Resolver


class Entry(NamedTuple):
    """How imports of a language are found and followed."""

    grammars: tuple[str, ...]  # of tree-sitter, see read_file
    language: Language
    resolver: type[Resolver]  # one of a class for a repository: its languages see one another


LANGUAGES: dict[str, Entry] = {
    "C": Entry(("c", "cpp"), C_FAMILY, IncludeResolver),
    "C#": Entry(("csharp",), CSHARP, CSharpResolver),
    "C++": Entry(("cpp",), C_FAMILY, IncludeResolver),
    "Cuda": Entry(("cuda",), C_FAMILY, IncludeResolver),
    "Go": Entry(("go",), GO, GoResolver),
    "Java": Entry(("java",), JAVA, JvmResolver),
    "JavaScript": Entry(("javascript",), JAVASCRIPT, EcmaScriptResolver),
    "Kotlin": Entry(("kotlin",), KOTLIN, JvmResolver),
    "PHP": Entry(("php",), PHP, PhpResolver),
    "Python": Entry(("python",), PYTHON, PythonResolver),
    "Ruby": Entry(("ruby",), RUBY, RubyResolver),
    "Rust": Entry(("rust",), RUST, RustResolver),
    "Scala": Entry(("scala",), SCALA, JvmResolver),
    "TypeScript": Entry(("typescript", "tsx"), TYPESCRIPT, EcmaScriptResolver),
}

MANIFESTS = ("package.json", "tsconfig.json", "composer.json", "go.mod", "Cargo.toml")
"""Base names of the files whose content a resolver may ask for."""


def read_mentions(content: bytes, language: str) -> Mentions:
    """The mentions in a file of one of LANGUAGES. Raises KeyError for any other."""
    entry = LANGUAGES[language]
    return read_file(content, entry.grammars, entry.language)
