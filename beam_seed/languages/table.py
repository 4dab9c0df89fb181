"""The table of the 89 languages in the documentation: ``python -m beam_seed.languages.table > docs/languages.md``."""

from __future__ import annotations

from beam_seed.languages.heuristics import AMBIGUOUS
from beam_seed.languages.registry import LANGUAGES, RECIPE_NAMES, Language
from beam_seed.syntax.grammars import describe

_HEADER = """# The 89 languages

How a file's language is detected and how its syntax is checked. Names are GitHub linguist's, with the Seed-Coder report's
in parentheses where it differs. This page is made by `python -m beam_seed.languages.table > docs/languages.md`.

Evidence counts in this order: the file name; an extension of one language only; for a shared extension (fourth column) an editor's
mode line, the `#!` line, then patterns in the first 32,768 characters; for a file with no known extension, the `#!` line and the mode
line. A file that none of this places is rejected as `unsupported-language`, and so are files of other languages with a shared
extension (Objective-C in `.m`, Coq in `.v`, Qt translations in `.ts`, Forth in `.fs`, ...).

Not counted although linguist lists them: notebooks (`.nb`, `.ipynb`), files a program writes for itself (`.aux`, `.toc`, lock files,
`.d`, histories) and documentation formats of a language (`.rd`, `.sthlp`). Counted as their language's dialect: free-form Fortran, TSX,
Lean 4, all assemblers, Bison, the SQL dialects.

| language | extensions | file names, `#!` interpreters | shared extensions, decided by content | syntax check and its limit |
|---|---|---|---|---|
"""


def _code(values: tuple[str, ...]) -> str:
    return " ".join(f"`{value}`" for value in values)


def _shared(language: Language) -> str:
    """The shared extensions of a language, each with the other of the 89 that use it."""
    parts = []
    for extension in language.extensions:
        if extension in AMBIGUOUS:
            rivals = [other.name for other in LANGUAGES if other is not language and extension in other.extensions]
            parts.append(f"`{extension}` ({', '.join([*rivals, 'others'])})")
    return ", ".join(parts)


def _row(language: Language) -> str:
    called = RECIPE_NAMES.get(language.name)
    name = f"{language.name} (*{called}*)" if called else language.name
    start = "; ".join(part for part in (_code(language.filenames), _code(tuple(f"#!{name}" for name in language.interpreters))) if part)
    cells = (name, _code(language.extensions), start, _shared(language), describe(language.name))
    return "| " + " | ".join(cell.replace("|", "\\|") or "-" for cell in cells) + " |"


def render() -> str:
    """The page as Markdown, one row for each language in the order of the registry."""
    return _HEADER + "\n".join(map(_row, LANGUAGES)) + "\n"


if __name__ == "__main__":
    print(render(), end="")
