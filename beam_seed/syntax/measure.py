"""How much of a file its grammar cannot explain."""

from __future__ import annotations

import codecs
import itertools
from typing import NamedTuple

import tree_sitter

from beam_seed.syntax import grammars, readings


class SyntaxMeasure(NamedTuple):
    """The syntax errors of one file; all None where no grammar checks its language."""

    checked: bool
    error_bytes: int | None  # size of the union of all ERROR and MISSING nodes
    error_share: float | None  # error_bytes / bytes of the file, 0.0 for an empty file
    grammar: str | None  # the grammar that left the smallest share
    first_error: str | None  # 'line:column', both from 1, column in bytes; None where there is no error


UNCHECKED = SyntaxMeasure(False, None, None, None, None)


def measure(content: bytes, language: str, enough: float = 0.0) -> SyntaxMeasure:
    """Measure the syntax errors of ``content``, UTF-8 text in ``language`` (linguist's name).

    The share of bytes under ERROR nodes says more than "has an error": valid files of macro languages nearly always hold one.
    A MISSING node (a token the parser had to invent) has no width and counts as one byte, so that a limit of 0 catches it.
    Of several grammars the one with the smallest share counts, the earlier one on a tie; none is asked after one that leaves a share
    of at most ``enough`` (a limit that the file then meets), because recovering from errors takes several times as long as parsing.
    """
    # Some grammars stumble over a byte-order mark or carriage returns (F#, Dockerfile, MATLAB); the languages do not.
    text = content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")
    best = UNCHECKED
    for read, grammar in itertools.product(readings.readings_of(language), grammars.grammars_of(language)):
        found = _measure_by(grammar, read(text))
        if best.error_share is None or (found.error_share or 0.0) < best.error_share:
            best = found
        if best.error_share is None or best.error_share <= enough:
            break
    return best


def _measure_by(grammar: str, code: bytes) -> SyntaxMeasure:
    if not code:  # some grammars demand a token, but nothing is wrong with an empty file
        return SyntaxMeasure(True, 0, 0.0, grammar, None)
    root = tree_sitter.Parser(grammars.load(grammar)).parse(code).root_node
    if not root.has_error:
        return SyntaxMeasure(True, 0, 0.0, grammar, None)
    errors = _errors(root)
    # Bytes of neighbouring MISSING tokens may add up to more than a tiny file has.
    size = min(len(code), sum(map(_width, errors)))
    row, column = min(tuple(node.start_point) for node in errors)
    return SyntaxMeasure(True, size, size / len(code), grammar, f"{row + 1}:{column + 1}")


def _errors(root: tree_sitter.Node) -> list[tree_sitter.Node]:
    """The outermost ERROR nodes, the MISSING nodes outside of them, and the nodes that miss a token the grammar hides (an indent, say).

    Goes down only where there is an error, and never recurses: trees of hostile files are thousands of levels deep.
    """
    found = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        below = [] if node.is_error or node.is_missing else [child for child in node.children if child.has_error]
        if below:
            waiting += below
        else:
            found.append(node)
    return found


def _width(node: tree_sitter.Node) -> int:
    return max(1, node.end_byte - node.start_byte) if node.is_error else 1
