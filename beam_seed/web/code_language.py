"""The programming language that the markup around a code block tells."""

from __future__ import annotations

import re
from functools import cache

from pygments.lexers import get_all_lexers

_TOLD_NOTHING = frozenset(
    [
        "none",
        "plain",
        "plaintext",
        "plain-text",
        "text",
        "txt",
        "nohighlight",
        "no-highlight",
        "default",
        "undefined",
        "unknown",
        "auto",
        "null",
        "raw",
        "output",
        "console-output",
        "code",
    ]
)
# Prefixes that name a language whatever follows: HTML5's recommendation and highlighters' own.
_PREFIXED = re.compile(
    r"^(?:language|lang|highlight-source|highlight-text|highlight|brush|sourceCode|src|prettyprint|code)[-_:]+([\w+#.-]{1,30})$",
    re.IGNORECASE,
)
_SURE_PREFIX = re.compile(r"^(?:language|lang|highlight-source|brush)[-_:]", re.IGNORECASE)
_BRUSH = re.compile(r"\bbrush:\s*([\w+#.-]{1,30})", re.IGNORECASE)
_WORD = re.compile(r"^[a-z][\w+#.-]{0,29}$")
_ATTRIBUTES = ("data-lang", "data-language", "data-code-language", "data-highlight-language", "data-lexer", "syntax", "lang")
# Bare words count only beside a word that says that this is code.
_SAYS_CODE = frozenset(
    [
        "sourcecode",
        "highlight",
        "hljs",
        "code",
        "codehilite",
        "src",
        "prettyprint",
        "pygments",
        "rouge",
        "chroma",
        "prism",
        "shiki",
        "syntaxhighlighter",
        "rust",
        "snippet",
    ]
)
_CODE_ELEMENTS = ("pre", "code", "textarea", "samp")
_OUTLINE = frozenset(("html", "body", "main"))


@cache
def _known() -> frozenset[str]:
    aliases = {alias for _, names, _, _ in get_all_lexers(plugins=False) for alias in names}
    return (
        frozenset(
            aliases | {"golang", "py3", "cxx", "h", "hpp", "vue", "svelte", "jsonc", "wasm", "plsql", "pycon", "objectivec", "delphi"}
        )
        - _TOLD_NOTHING
    )


def language_of(name: str, attributes: dict[str, str]) -> str:
    """Language that an element tells for the code in it, in lower case as the page says it; '' = tells none.

    Args:
        name: of the element.
        attributes: by lower-case name.
    """
    if name in _OUTLINE:
        return ""
    is_code = name in _CODE_ELEMENTS
    for attribute in _ATTRIBUTES:
        # ``lang`` is the natural language everywhere but on GitHub's <pre lang="go">.
        if attribute in attributes and (attribute != "lang" or is_code):
            told = _accepted(attributes[attribute], sure=attribute != "lang")
            if told:
                return told
    classes = attributes.get("class", "")
    return _of_classes(classes, is_code) if classes else ""


def _of_classes(classes: str, is_code: bool) -> str:
    brush = _BRUSH.search(classes)
    if brush:
        return _accepted(brush[1], sure=True)
    words = classes.split()
    for word in words:
        prefixed = _PREFIXED.match(word)
        if prefixed:
            told = _accepted(prefixed[1], sure=is_code and _SURE_PREFIX.match(word) is not None)
            if told:
                return told
    lower = [word.lower() for word in words]
    if is_code or not _SAYS_CODE.isdisjoint(lower):
        return next((word for word in lower if word in _known() and (word not in _SAYS_CODE or word == "rust")), "")
    return ""


def _accepted(word: str, sure: bool) -> str:
    word = word.strip().lower().removeprefix("source-").removeprefix("language-")
    word = word.removesuffix("-highlight")
    if word in _TOLD_NOTHING or not _WORD.match(word):
        return ""
    return word if sure or word in _known() else ""
