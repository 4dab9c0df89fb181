"""What a source file consists of, measured over its tree-sitter tree and its lines: the facts that the rubric rates.

Node kinds are recognised by their names, which most grammars form alike (``function_definition``, ``if_statement``, ``line_comment``).
Where a grammar names things otherwise (Lisps, Elixir, Racket: a definition is a call or a list) or a language has none, the facts
that need it are None, never 0.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import tree_sitter

from beam_seed.languages.registry import LANGUAGES
from beam_seed.syntax import grammars

# Kind patterns, matched in full against the names of a grammar's visible nodes.
_KINDS = {
    "function": r"(local_)?(function|method|constructor|generator_function|procedure|macro|subroutine_declaration)_"
    r"(definition|declaration|item|statement|def|declaration_statement)|(generator_)?function_expression|arrow_function|func_literal|"
    r"(singleton_)?method|lambda_(expression|literal)|subprogram_body|subroutine|functiondef|methoddef|fun_decl|defun|def_?Proc|"
    r"anonymous_(function|subroutine_expression|fun)|function_static_declaration|method_declaration_statement|function_body_declaration|"
    r"local_function_statement|value_definition|fun_expression|function",
    "branch": r"(if|elsif|elif|elseif|unless|for|foreach|while|until|when|case|rescue|repeat)(_modifier)?|"
    r"(?!preproc|end_)\w*(if|elif|else_if|elsif|elseif|for|foreach|for_in|while|until|loop|repeat|case|catch|except|rescue|conditional|ternary)_"
    r"(statement|expression|expr|clause|arm|item|loop|stmt|block|else_expr)|switch_(case|section|entry|label)|match_(arm|case)|"
    r"(expression|type|communication)_case|when_entry|case_of_branch|lambda_case|multi_way_if",
    "call": r"\w*(call|invocation|application|apply|command|instantiation)(_expression|_expr|_statement)?|message_send\w*",
    "type": r"(abstract_)?(class|struct|interface|trait|module|module_type|record|type|type_alias|annotation_type|impl|namespace|object|"
    r"protocol|contract|entity|package)_(definition|declaration|specifier|item|spec|binding)|(singleton_)?class|module|data_type|message|rule_set|"
    r"architecture_(definition|body)|function_declarator|(function|method)_signature|method_elem|(interface|struct)_type",
    "literal": r"(?!literal_value|.*(content|fragment|start|end|func|lambda|composite|object|array|list|set|type|null|class|regex))"
    r"\w*(string|number|integer|float|char|character|literal|decimal|hex|rational|lit)(_(literal|value|lit|scalar))?",
    "comment": r"(?!sexp)\w*(comment|pod|haddock)",
}

# Kinds that are called alike and are something else: names in calls, keywords, headers, the root of every tree.
_MISLEADING = {
    "cmake": {"function", "if", "while", "foreach"},
    "fortran": {"function_statement"},
    "perl": {"function", "method"},
    "python": {"module"},
    "systemverilog": {"data_type", "function_statement"},
    "verilog": {"data_type", "function_statement"},
}

# Above this a file is measured by its lines alone: trees take up to 150 bytes for a byte of source.
MAX_PARSED_BYTES = 1 << 19


class Function(NamedTuple):
    lines: int  # of its own: those of functions inside of it are theirs
    branches: int  # own decisions: if, loop, case, handler
    documented: bool  # a comment ends on the line before it, or a bare string or comment opens its body


class Anatomy(NamedTuple):
    """Facts about one file. Shares are in [0, 1]; what comes from the tree is None where there is no tree."""

    lines: int  # not blank
    code_lines: int  # not blank and not only comment
    functions: tuple[Function, ...] | None
    branches: int | None
    calls: int | None
    types: int | None  # classes, structures, interfaces, modules, declarations
    literal_share: float | None  # of the code's bytes that are no white space, strings and numbers
    longest_literal: int | None  # bytes
    error_share: float | None  # of the file's bytes
    comments: tuple[str, ...]  # their text, in order; bare strings (docstrings) included
    code: str  # the text without comments and literals
    content: str


def measure(content: str, language: str) -> Anatomy:
    """Measure one file; never raises for any text in any language."""
    content = content.replace("\r\n", "\n")
    source = content.encode("utf-8", "replace")
    best: _Tree | None = None
    for grammar in grammars.grammars_of(language) if 0 < len(source) <= MAX_PARSED_BYTES else ():
        tree = _parse(source, grammar)
        best = tree if best is None or tree.errors < best.errors else best
        if not best.errors:
            break
    return _by_lines(content, language) if best is None else _by_tree(source, best)


Span = tuple[int, int]  # first byte, byte after the last


class _Tree(NamedTuple):
    nodes: dict[str, list[tree_sitter.Node]]  # by capture name, in order of their position
    known: frozenset[str]  # captures that the grammar has node kinds for
    errors: int  # bytes
    root: tree_sitter.Tree  # owns the nodes


def _parse(source: bytes, grammar: str) -> _Tree:
    tree = tree_sitter.Parser(grammars.load(grammar)).parse(source)
    query = _query(grammar)
    nodes = tree_sitter.QueryCursor(query).captures(tree.root_node)
    known = frozenset(query.capture_name(number) for number in range(query.capture_count))
    return _Tree(nodes, known, _size(_union(_spans(nodes.get("error", ())))), tree)


@functools.cache
def _query(grammar: str) -> tree_sitter.Query:
    language = grammars.load(grammar)
    numbers = [n for n in range(language.node_kind_count) if language.node_kind_is_named(n) and language.node_kind_is_visible(n)]
    kinds = {kind for kind in map(language.node_kind_for_id, numbers) if kind} - _MISLEADING.get(grammar, set()) - {"ERROR"}
    lines = [f"({kind}) @{group}" for group, pattern in _KINDS.items() for kind in sorted(kinds) if re.fullmatch(pattern, kind)]
    return tree_sitter.Query(language, "\n".join([*lines, "(ERROR) @error"]))


def _by_tree(source: bytes, tree: _Tree) -> Anatomy:
    strings = tree.nodes.get("literal", [])
    bare = [node for node in strings if "string" in node.type and _is_statement(node)]
    documentation = {node.id for node in bare}
    comments = _union(_spans([*tree.nodes.get("comment", ()), *bare]))
    literals = _union(_spans(node for node in strings if node.id not in documentation))
    uncommented = _cut(source, comments)
    visible = len(re.sub(rb"\s", b"", uncommented))
    counts = {name: len(tree.nodes.get(name, ())) if name in tree.known else None for name in ("branch", "call", "type")}
    return Anatomy(
        lines=_count_lines(source.decode()),
        code_lines=_count_lines(uncommented.decode("utf-8", "replace")),
        functions=_functions(source, tree, comments) if "function" in tree.known else None,
        branches=counts["branch"],
        calls=counts["call"],
        types=counts["type"],
        literal_share=min(1.0, _size(literals) / visible) if visible else 0.0,
        longest_literal=max((end - start for start, end in literals), default=0),
        error_share=tree.errors / len(source),
        comments=tuple(source[start:end].decode("utf-8", "replace") for start, end in comments),
        code=_cut(source, _union([*comments, *literals])).decode("utf-8", "replace"),
        content=source.decode(),
    )


def _is_statement(string: tree_sitter.Node) -> bool:
    return string.parent is not None and string.parent.type in ("expression_statement", "block", "module", "unary_operator")


def _functions(source: bytes, tree: _Tree, comments: list[Span]) -> tuple[Function, ...]:
    """The functions of more than one line, in order; one-liners (callbacks, prototypes) are part of what is around them."""
    ends = [position for position, byte in enumerate(source) if byte == ord("\n")]
    row = functools.partial(bisect.bisect_left, ends)
    before = {row(end - 1) + 1 for _, end in comments}  # rows that follow a comment
    inside = {row(start) - offset for start, _ in comments for offset in (1, 2, 3)}  # rows from which a comment starts within three
    spans = {span for span in _spans(tree.nodes.get("function", ())) if row(span[1]) > row(span[0])}
    branches = [(start, 0, False) for start, _ in _spans(tree.nodes.get("branch", ()))]
    found: list[list[int]] = []  # [first row, own lines, own branches] of each function
    around: list[tuple[int, list[int]]] = []  # (end, function) of those that are open, innermost last
    for start, end, is_function in sorted([*((start, -end, True) for start, end in spans), *branches]):
        while around and around[-1][0] <= start:
            around.pop()
        if is_function:
            lines = row(-end) - row(start) + 1
            if around:
                around[-1][1][1] -= lines
            found.append([row(start), lines, 0])
            around.append((-end, found[-1]))
        elif around:
            around[-1][1][2] += 1
    return tuple(Function(max(1, lines), branches, first in before or first in inside) for first, lines, branches in found)


def _by_lines(content: str, language: str) -> Anatomy:
    """The facts that need no tree; comments by the language's comment marks, wherever they stand."""
    pattern = _comment_pattern(language)
    comments = tuple(found.group() for found in pattern.finditer(content)) if pattern else ()
    code = pattern.sub("", content) if pattern else content
    return Anatomy(_count_lines(content), _count_lines(code), None, None, None, None, None, None, None, comments, code, content)


@functools.cache
def _comment_pattern(language: str) -> re.Pattern[str] | None:
    known = {entry.name: entry for entry in LANGUAGES}.get(language)
    if known is None:
        return None
    lines = [rf"{re.escape(mark)}[^\n]*" for mark in known.line_comments]
    blocks = [rf"{re.escape(start)}(?s:.*?)(?:{re.escape(end)}|\Z)" for start, end in known.block_comments]
    return re.compile("|".join([*blocks, *lines])) if lines or blocks else None


def _spans(nodes: Iterable[tree_sitter.Node]) -> list[Span]:
    return [node.byte_range for node in nodes]


def _union(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _size(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def _cut(source: bytes, spans: list[Span]) -> bytes:
    edges = [0, *(edge for span in spans for edge in span), len(source)]
    return b"".join(source[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def _count_lines(text: str) -> int:
    return sum(not line.isspace() and line != "" for line in text.split("\n"))
