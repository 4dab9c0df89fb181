"""The rubric: an offline oracle that rates a file 0 to 10 by counting, without a model.

It follows the four aspects and the zero-score policy that Seed-Coder (arXiv 2506.03524) has a large model judge by, with what static
analysis can see of them. It is an oracle to make labels with when no model is at hand, and a deterministic one to test with. It is no
substitute for judgement: it cannot tell whether code is correct, useful or well thought out, whether a comment or a name says anything,
or what a file means to the rest of its repository; languages without a grammar are rated by their lines alone.
The limits below are ours: common style guides' limits where there are any, else chosen on the files of a hundred packages such that the
ratings spread over the scale.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from beam_seed.quality.anatomy import Anatomy, measure

ASPECTS = ("readability", "modularity", "clarity", "reusability")

CONFIGURATION = frozenset({"JSON", "YAML"})
"""Languages that hold configuration or data and no logic."""

PROSE = frozenset({"Markdown", "RMarkdown", "reStructuredText", "TeX", "HTML"})
"""Languages of documents: no code is expected of them, and headings stand for functions."""


# Of 1,500 files of a hundred packages that get any points, none makes a worse impression than 3.2: the scale begins a little below.
_WORST_IMPRESSION = 2.5


class Rating(NamedTuple):
    """What the rubric says of one file."""

    rating: float  # 0 to 10, in tenths
    aspects: dict[str, float]  # each of ASPECTS, 0 to 10; empty where the zero-score policy applies
    zero: str  # the reason of a zero score; '' where the policy does not apply
    explanation: str  # one line


def rate(content: str, language: str) -> Rating:
    """Rate one file. Pure and deterministic; about 300 files a second on one core."""
    anatomy = measure(content, language)
    zero = zero_reason(anatomy, language)
    if zero:
        return Rating(0.0, {}, zero, f"Zero score: {zero}.")
    parts = _prose_parts(anatomy) if language in PROSE else _code_parts(anatomy)
    aspects = {name: round(10 * _impression(found.values()), 1) for name, found in parts.items()}
    rating = round(10 * _ramp(_impression(aspects.values()), _WORST_IMPRESSION, 10), 1)
    worst = sorted((value, f"{name} ({aspect})") for aspect, found in parts.items() for name, value in found.items() if value < 0.5)
    text = ", ".join(f"{name} {aspects[name]}" for name in ASPECTS)
    return Rating(rating, aspects, "", f"{text}; weak: {', '.join(name for _, name in worst[:4]) or 'nothing'}.")


# ---- the zero-score policy, checked first

_GENERATED = re.compile(
    r"^\W*(this (file|code|module) (is|was|has been) )?(auto-?|automatically |machine[- ]|code )?generated "
    r"(by|from|with|using|on|automatically)\b|"
    r"\b(auto-?generated|automatically generated|machine[- ]generated) (by|from|file|code)\b|"
    r"\bdo not (edit|modify|change)( this file| by hand| manually| directly|[.!]|\W*$)|@generated",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD = 1000  # characters of comment: generators announce themselves at the top

# Share of strings and numbers above which a file holds data rather than code, and the length of lines that no person writes.
_DATA_SHARE = 0.6
_MINIFIED_LINE = 250


def zero_reason(anatomy: Anatomy, language: str) -> str:
    """Why the file gets no points at all; '' where it is to be rated."""
    if anatomy.code_lines == 0:
        return "no code"
    if language in CONFIGURATION:
        return "configuration or data"
    if _GENERATED.search("\n".join(anatomy.comments)[:_HEAD]):
        return "generated"
    if language in PROSE:
        return ""
    if len(anatomy.content) / anatomy.lines > _MINIFIED_LINE:
        return "minified or data"
    if anatomy.literal_share is not None and anatomy.literal_share > _DATA_SHARE:
        return "mostly literals"
    logic = [count for count in (anatomy.branches, anatomy.calls, anatomy.types) if count is not None]
    defined = len(anatomy.functions or ())
    if logic and sum(logic) + defined == 0:
        return "hardly any logic"
    return ""


# ---- the four aspects: each a set of named parts in [0, 1]


def _code_parts(anatomy: Anatomy) -> dict[str, dict[str, float]]:
    return {
        "readability": _readability(anatomy),
        "modularity": _modularity(anatomy),
        "clarity": _clarity(anatomy),
        "reusability": _reusability(anatomy),
    }


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SNAKE = re.compile(r"[a-z0-9]_[a-z0-9]")
_CAMEL = re.compile(r"[a-z0-9][A-Z]")


def _readability(anatomy: Anatomy) -> dict[str, float]:
    """Comments, documented functions, names, formatting."""
    lines = _lines(anatomy.content)
    comment_share = 1 - anatomy.code_lines / anatomy.lines
    names = Counter(_WORD.findall(anatomy.code))
    snake, camel = (sum(n for name, n in names.items() if style.search(name)) for style in (_SNAKE, _CAMEL))
    short = sum(n for name, n in names.items() if len(name) == 1)
    tabs, spaces = (sum(line.startswith(start) for line in lines) for start in ("\t", "  "))
    parts = {
        # No comments at all is a third of the way; from a twentieth of the lines on they are reasonable; above two thirds they
        # bury the code.
        "comments": min(_ramp(comment_share, -0.025, 0.05), _ramp(comment_share, 0.95, 0.65)),
        "short names": _ramp(short / max(1, sum(names.values())), 0.25, 0.06),
        "naming style": _ramp(min(snake, camel) / max(1, snake + camel), 0.5, 0.1),
        "line length": _ramp(sum(len(line) > 100 for line in lines) / len(lines), 0.2, 0.02),
        "indentation": _ramp(min(tabs, spaces) / max(1, tabs + spaces), 0.5, 0.05),
        "trailing space": _ramp(sum(line != line.rstrip() for line in lines) / len(lines), 0.3, 0.02),
    }
    if anatomy.functions:
        parts["documented functions"] = _ramp(_mean(function.documented for function in anatomy.functions), -0.2, 0.7)
    return parts


def _modularity(anatomy: Anatomy) -> dict[str, float]:
    """Length and complexity of functions, nesting, size of the file."""
    lines = _lines(anatomy.content)
    parts = {
        "file length": _ramp(anatomy.code_lines, 2500, 400),
        "nesting": _ramp(_mean(_depth(line) > 6 for line in lines), 0.25, 0.02),
    }
    functions = anatomy.functions or ()
    if functions:
        inside = max(1, sum(function.lines for function in functions))
        parts["function length"] = _ramp(sum(f.lines for f in functions if f.lines > 60) / inside, 0.7, 0.05)
        parts["longest function"] = _ramp(max(function.lines for function in functions), 200, 50)
        parts["complexity"] = _ramp(sum(f.lines for f in functions if f.branches > 10) / inside, 0.7, 0.05)
    if anatomy.functions is not None:
        # A long script without functions is not taken apart; a short one need not be.
        outside = 1 - min(1.0, sum(function.lines for function in functions) / anatomy.code_lines)
        parts["code outside of functions"] = max(
            _ramp(outside, 1.0, 0.6), _ramp(anatomy.code_lines, 120, 30), 0.6 if anatomy.types else 0.0
        )
    return parts


_CODE_LINE = re.compile(r"[;{}]$|^(if|for|while|return|def|var|let|const|import|else|elif|print)\b.*[(:=;]|^[\w.]+\(.*\)$|^[\w.]+ ?= ?\S+$")
_COMMENT_MARK = re.compile(r"^(//+|#+|--+|\*+|;+|%+|/\*+|<!--|\"\"\")?\s*")
_DEBUG = re.compile(r"\b(console\.(log|debug)|debugger|var_dump|print_r|dbg!|System\.out\.print\w*|pdb\.set_trace|binding\.pry|alert\()")
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def _clarity(anatomy: Anatomy) -> dict[str, float]:
    """Repetition, code in comments, debugging left-overs, open ends."""
    commented = [_COMMENT_MARK.sub("", line.strip()) for comment in anatomy.comments for line in comment.split("\n")]
    dead = sum(len(line) > 4 and _CODE_LINE.search(line) is not None for line in commented)
    return {
        "repetition": _ramp(_repeated(anatomy.content), 0.45, 0.08),
        "code in comments": _ramp(dead / anatomy.lines, 0.15, 0.02),
        "debugging": _ramp(len(_DEBUG.findall(anatomy.code)) / anatomy.code_lines, 0.08, 0.005),
        "unfinished": _ramp(sum(map(len, map(_UNFINISHED.findall, anatomy.comments))) / anatomy.lines, 0.05, 0.0),
    }


_HARD_CODED = re.compile(
    r"[\"'](?:/(?:home|Users|usr|tmp|var|etc)/|[A-Za-z]:\\)|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b0x[0-9a-fA-F]{6,}\b|[A-Za-z0-9+/]{80,}"
)


def _reusability(anatomy: Anatomy) -> dict[str, float]:
    """Syntax, hard-coded data, completeness."""
    parts = {
        "hard-coded values": _ramp(len(_HARD_CODED.findall(anatomy.content)) / anatomy.lines, 0.15, 0.0),
        # Three lines are hardly something to reuse; from twenty on there is enough to be complete.
        "substance": _ramp(anatomy.code_lines, 0, 20),
    }
    if anatomy.error_share is not None:
        parts["syntax"] = _ramp(anatomy.error_share, 0.05, 0.0)
    if anatomy.literal_share is not None:
        parts["literals"] = _ramp(anatomy.literal_share, _DATA_SHARE, 0.25)
    if anatomy.longest_literal is not None:
        parts["longest literal"] = _ramp(anatomy.longest_literal, 4000, 500)
    if anatomy.functions is not None:
        parts["definitions"] = 1.0 if anatomy.functions or anatomy.types else 0.3
    return parts


_HEADING = re.compile(r"^(#{1,6} .+|[=\-~^*]{4,}|\\(sub)*section\b.*|<h[1-6].*)$", re.MULTILINE)


def _prose_parts(anatomy: Anatomy) -> dict[str, dict[str, float]]:
    """The same aspects of a document: its lines, sections, repetition, substance."""
    lines = _lines(anatomy.content)
    headings = len(_HEADING.findall(anatomy.content))
    words = len(_WORD.findall(anatomy.content))
    tags = anatomy.content.count("<")
    return {
        "readability": {
            "line length": _ramp(sum(len(line) > 200 for line in lines) / len(lines), 0.5, 0.05),
            "markup": _ramp(tags / max(1, words), 0.5, 0.05),
            "trailing space": _ramp(sum(line != line.rstrip() for line in lines) / len(lines), 0.3, 0.02),
        },
        "modularity": {
            "sections": max(_ramp(headings / anatomy.lines, 0.0, 0.02), _ramp(anatomy.lines, 60, 15)),
            "file length": _ramp(anatomy.lines, 3000, 600),
        },
        "clarity": {"repetition": _ramp(_repeated(anatomy.content), 0.5, 0.1), "unfinished": _clarity(anatomy)["unfinished"]},
        "reusability": {"substance": _ramp(words, 0, 150), "hard-coded values": _reusability(anatomy)["hard-coded values"]},
    }


def _lines(content: str) -> list[str]:
    """Lines that are not blank; at least one."""
    return [line for line in content.split("\n") if line.strip()] or [""]


def _depth(line: str) -> int:
    """Levels of indentation, four spaces or a tab each."""
    space = line[: len(line) - len(line.lstrip())].expandtabs(4)
    return len(space) // 4


def _repeated(content: str) -> float:
    """Share of the lines of twelve characters or more that were there before; shorter ones repeat in any code."""
    lines = [line.strip() for line in content.split("\n")]
    long = [line for line in lines if len(line) >= 12]
    return 1 - len(set(long)) / len(long) if long else 0.0


def _ramp(value: float, worst: float, best: float) -> float:
    """0 at ``worst`` or beyond, 1 at ``best`` or beyond, linear between."""
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


def _impression(values: Iterable[float]) -> float:
    """Mean of the mean and the minimum: a reader judges by the whole, but the worst side spoils it."""
    found = list(values)
    return (_mean(found) + min(found)) / 2


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
