"""Which of the 89 languages a file is in, from its name and, where that does not settle it, from its text.

The order of evidence, first hit wins:

1. the file name (``Makefile``, ``CMakeLists.txt``);
2. an extension that one language owns;
3. for an ambiguous extension: an editor's mode line, the ``#!`` line, then the content rules of ``heuristics.py``;
4. for an extension that is not in our table, or none: the ``#!`` line, then an editor's mode line.

A file with another language's extension and neither of the last two is in none of ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from beam_seed.languages.heuristics import AMBIGUOUS, resolve
from beam_seed.languages.registry import LANGUAGES

# Enough to pass a licence header and a file's imports; reading on would make one huge file cost as much as a hundred others.
HEAD_CHARACTERS = 32_768

_MODELINE_CHARACTERS = 512  # mode lines stand in the first or last lines only


class Detection(NamedTuple):
    """``how`` is the kind of evidence: 'filename', 'extension', 'shebang', 'modeline' or 'content'."""

    language: str | None  # linguist's name; None: none of the 89
    how: str


def _filenames() -> dict[str, str]:
    return {name: language.name for language in LANGUAGES for name in language.filenames}


def _extensions() -> dict[str, str | None]:
    """The language of every extension of the table; None for an ambiguous one."""
    table: dict[str, str | None] = {}
    for language in LANGUAGES:
        for extension in language.extensions:
            if extension in table and extension not in AMBIGUOUS:
                raise ValueError(
                    f"extension {extension!r} belongs to {table[extension]!r} and {language.name!r}; add a rule to heuristics.AMBIGUOUS"
                )
            table[extension] = None if extension in AMBIGUOUS else language.name
    return table


def _candidates() -> dict[str, frozenset[str]]:
    """The languages of every ambiguous extension: what a mode line or '#!' line may decide between."""
    return {extension: frozenset(language.name for language in LANGUAGES if extension in language.extensions) for extension in AMBIGUOUS}


def _modes() -> dict[str, str]:
    """Editors' mode names, lower case: names, aliases and interpreters (vim's 'python', emacs' 'cperl')."""
    return {mode.lower(): language.name for language in LANGUAGES for mode in (*language.interpreters, *language.aliases, language.name)}


# Of other languages, although they end in the extension of one of ours or start with its '#!' or mode line.
_FOREIGN = (".blade.php", ".antlers.php", ".antlers.html", ".pyx", ".pxd", ".pxi", ".pod", ".po", ".diff", ".patch")
# Prose about a language, not in it: 'README.emacs', 'LICENSE.mysql'. Markup is what such files may be in.
_PROSE = re.compile(r"(?:README|LICENSE|LICENCE|COPYING|CHANGELOG)\.(?!(?i:md|markdown|mdown|mkd|rst|html?|tex|rmd)\b)")

_FILENAMES = _filenames()
_EXTENSIONS = _extensions()
_CANDIDATES = _candidates()
_INTERPRETERS: dict[str, str | None] = {name: language.name for language in LANGUAGES for name in language.interpreters} | {"perl6": None}
_MODES = _modes()

_OTHER_MODES = frozenset({"objc", "objective-c", "perl6", "raku", "coq", "forth"})  # of languages that share an extension with ours

_SHEBANG = re.compile(r"#![ \t]*(\S+)[ \t]*([^\r\n]*)")
_VERSION = re.compile(r"[\d.]+$")
# A shell that only starts the real interpreter on the same file: '# \' and 'exec tclsh "$0"'.
_EXEC = re.compile(r"^[ \t:'\"]*exec\b[^\n]*?[/ \t'\"]([a-z]+)[\d.]*['\"]?(?:[ \t]+-\S+)*[ \t]+['\"]?\$\{?0", re.MULTILINE)
_EMACS = re.compile(r"-\*-[ \t]*(?:[^\n]*?\bmode[ \t]*:[ \t]*)?([\w+#.-]+)[ \t]*(?:;[^\n]*)?-\*-", re.IGNORECASE)
_VIM = re.compile(r"(?:^|[ \t])(?:vim?|ex)[ \t]*:[^\n]*?\b(?:ft|filetype|syntax)=([\w+#-]+)", re.MULTILINE)


def detect(path: str, content: str) -> Detection:
    """The language of the file at ``path`` ('/' separated) with text ``content``. Never raises on any text."""
    name = path.rpartition("/")[2]
    by_name = _FILENAMES.get(name)
    if by_name is not None:
        return Detection(by_name, "filename")
    if name.endswith(_FOREIGN):
        return Detection(None, "extension")
    extension = _extension(name)
    if extension is not None:
        language = _EXTENSIONS[extension]
        return Detection(language, "extension") if language is not None else _disambiguate(extension, content)
    if name.startswith("Dockerfile.") and re.search(r"^FROM[ \t]+[^\s{]", content[:HEAD_CHARACTERS], re.MULTILINE):
        return Detection("Dockerfile", "filename")
    return _by_first_lines(content)


def extension_of(path: str) -> str:
    """The last extension of a path, lower case with its dot; '' where it has none."""
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    return dot + extension.lower() if stem else ""


def _extension(name: str) -> str | None:
    """The longest extension of ``name`` that the table knows."""
    if name.endswith((".C", ".H")):
        return ".h"  # C++ on Unix, C from systems without lower case
    if name[:1] in "RLC" and _PROSE.match(name):
        return None
    lower = name.lower()
    dot = lower.find(".", 1)
    while dot != -1:
        if lower[dot:] in _EXTENSIONS:
            return lower[dot:]
        dot = lower.find(".", dot + 1)
    return None


def _disambiguate(extension: str, content: str) -> Detection:
    mode = _mode(content)
    language = _MODES.get(mode)
    # 'C' is what editors are told for C++ headers too, to say how to indent.
    if language in _CANDIDATES[extension] and language != "C":
        return Detection(language, "modeline")
    if mode in _OTHER_MODES:
        return Detection(None, "modeline")
    language = _interpreter(content)
    if language in _CANDIDATES[extension]:
        return Detection(language, "shebang")
    return Detection(resolve(extension, content[:HEAD_CHARACTERS]), "content")


def _by_first_lines(content: str) -> Detection:
    language = _interpreter(content)
    if language is not None:
        return Detection(language, "shebang")
    language = _MODES.get(_mode(content))
    return Detection(language, "modeline") if language is not None else Detection(None, "extension")


def _interpreter(content: str) -> str | None:
    """The language of the interpreter in the ``#!`` line."""
    if not content.startswith("#!"):
        return None
    line = _SHEBANG.match(content)
    if line is None:
        return None
    program, arguments = line[1].rpartition("/")[2], line[2].split()
    if program == "env":
        program = next((word.rpartition("/")[2] for word in arguments if not word.startswith("-") and "=" not in word), "")
    if program in ("sh", "bash"):
        restarted = _EXEC.search(content, 0, _MODELINE_CHARACTERS)
        program = restarted[1] if restarted and _language_of(restarted[1]) else program
    return _language_of(program)


def _language_of(program: str) -> str | None:
    return _INTERPRETERS[program] if program in _INTERPRETERS else _INTERPRETERS.get(_VERSION.sub("", program))


def _mode(content: str) -> str:
    """The mode an emacs or vim mode line asks for, lower case; '' where there is none."""
    head = content[:_MODELINE_CHARACTERS]
    if "-*-" in head:
        emacs = _EMACS.search(head)
        if emacs:
            return emacs[1].lower()
    for part in (head, content[-_MODELINE_CHARACTERS:]):
        if "vi" in part or "ex:" in part:
            vim = _VIM.search(part)
            if vim:
                return vim[1].lower()
    return ""
