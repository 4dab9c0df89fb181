"""Content rules for the extensions that several languages share.

For each such extension, rules are tried in order on the head of the file; the first whose pattern occurs decides. A rule for
``None`` recognises another language than ours (Objective-C, Coq, Raku, Qt translations, ...). Where no rule fires the file is
of none of ours, unless the last entry is a bare language name: the one nearly all other files of that extension are in.
Patterns match at line starts wherever the construct allows, so that prose in comments seldom triggers them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from beam_seed.languages.evidence import (
    ASSEMBLY,
    C_LIKE,
    COMMON_LISP,
    COQ,
    CPP,
    CPP_INSIDE,
    FORTRAN,
    GLSL,
    OBJECTIVE_C,
    OTHER_LISP,
    PASCAL,
    PERL,
    PROLOG,
    RAKU,
    SQL,
    STANDARD_ML,
    STRICT_PERL,
    TREE_QUERY,
    VERILOG,
    XML,
)


class Rule(NamedTuple):
    """``language`` (None: another language than ours) where one of ``patterns`` occurs, or always where there are none."""

    language: str | None
    patterns: tuple[re.Pattern[str], ...]
    needs: tuple[str, ...] = ()  # texts one of which every match contains, looked for first at a hundredth of the cost; () = any


def _rules(*entries: tuple[str | None, *tuple[str, ...]] | Rule | str) -> tuple[Rule, ...]:
    """Rules from (language, pattern, ...) entries; a bare language name applies always."""
    return tuple(map(_rule, entries))


def _rule(entry: tuple[str | None, *tuple[str, ...]] | Rule | str) -> Rule:
    if isinstance(entry, Rule):
        return entry
    return Rule(entry, ()) if isinstance(entry, str) else Rule(entry[0], _compile(entry[1:]))


def _compile(alternatives: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Alternatives as few patterns that start with a literal newline where they can, on which a search skips from line to line.

    ``^`` at their start becomes that newline (resolve puts one before the text); what follows leading blanks is joined. That makes
    a search ten times as fast as one pattern of many alternatives that is tried at every character.
    """
    indented, flush, other = [], [], []
    for alternative in alternatives:
        flag, pattern = ("i", alternative[4:]) if alternative.startswith("(?i)") else ("", alternative)
        if pattern.startswith("^[ \\t]*"):
            indented.append(f"(?{flag}:{pattern[7:]})")
        elif pattern.startswith("^"):
            flush.append(f"(?{flag}:{pattern[1:]})")
        else:
            other.append(f"(?{flag}:{pattern})".replace(r"\A", r"\A\n"))
    joined = [rf"\n[ \t]*(?:{'|'.join(indented)})"] if indented else []
    joined += [rf"\n(?:{'|'.join(flush)})"] if flush else []
    return tuple(re.compile(pattern, re.MULTILINE) for pattern in joined + other)


_CPP_EXPRESSION = Rule("C++", _compile(CPP_INSIDE), ("::", "operator", "_cast"))
_HEADER = _rules((None, *OBJECTIVE_C), ("C++", *CPP), _CPP_EXPRESSION, "C")
_GLSL_ONLY = _rules((None, *XML), ("GLSL", *GLSL), ("GLSL", r"^[ \t]*void[ \t]+main(?:Image)?[ \t]*\("))
_SCRIPT = _rules(("PHP", r"\A<\?php\b"))  # the '#!' line, looked at before, says nearly always
_YACC = _rules((None, r"^%(?:tokentype|monad|lexer|name)\b"), ("Yacc", r"^%%[ \t\r]*(?:$|/)"))  # not Happy, of Haskell
_MAPLE = _rules(
    ("Maple", r"\b(?:end[ \t]+(?:proc|if|do|module|use)|end|od|fi)[ \t]*[:;]"),
    ("Maple", r"^[ \t]*(?:with\([\w\[\]]+\)|restart|read[ \t]*[\"`])[ \t]*[:;]", r"^[ \t]*\w+[ \t]*:=[^=\n]+[:;][ \t\r]*$"),
)

AMBIGUOUS: dict[str, tuple[Rule, ...]] = {
    ".al": _rules((None, r"(?i)^(?:codeunit|page\w*|table\w*|report\w*|enum\w*|xmlport|query)[ \t]+\d"), ("Perl", *PERL)),
    ".app": _rules(("Erlang", r"^\{[ \t]*application[ \t]*,")),
    ".bb": _rules(("Clojure", r"^\((?:ns|def\w*|require|comment|let|println|do|when|if)[\s(]", r"\A#!")),
    ".builder": _rules((None, *XML), "Ruby"),
    ".cake": _rules(
        ("C#", r"^#(?:addin|tool|load|r)\b", r";[ \t\r]*$"),
        ("CoffeeScript", "->", r"^[ \t]*(?:task|option)[ \t]+['\"]", r"=[ \t]*require\b"),
    ),
    ".cgi": _SCRIPT,
    ".cl": _rules(("Common Lisp", *COMMON_LISP)),
    ".cls": _rules(
        ("TeX", r"^[ \t]*\\(?:NeedsTeXFormat|ProvidesClass|LoadClass|documentclass|def|newcommand|RequirePackage|DeclareOption)\b")
    ),
    ".cmd": _rules((None, r"\A\s*/\*", r"^cmd_\S+[ \t]*:="), "Batchfile"),  # REXX; make's record of a command
    ".comp": _GLSL_ONLY,
    ".cs": _rules(("Smalltalk", r"^![\w ]+(?:class )?methodsFor:", r"\A'From [^\n]*'!", r"^Object subclass:[ \t]*#"), "C#"),
    ".ddl": _rules(("SQL", *SQL)),
    ".do": _rules(
        (  # ModelSim, redo
            None,
            r"^[ \t]*(?:vlib|vlog|vcom|vsim|vmap|add[ \t]+(?:wave|log)|quietly[ \t]+(?:Wave|Virtual)|radix|onerror|redo-\w+)\b",
            r"\A#!",
        ),
        "Stata",
    ),
    ".es": _rules(("Erlang", r"^[ \t]*%%", r"^main\([^\n]*->", r"^-(?:module|export|mode)\b"), "JavaScript"),
    ".ex": _rules(
        ("Elixir", r"^[ \t]*(?:defmodule|defimpl|defprotocol)[ \t]"),
        (  # Euphoria
            None,
            r"(?i)^[ \t]*(?:include[ \t]+[\w./]+\.e\b|(?:global[ \t]+)?(?:procedure|function)[ \t]+\w+\(|end[ \t]+(?:procedure|"
            r"function|if|for)\b)",
        ),
        (None, r"^[ \t]*(?:atom|sequence|constant|integer|object)[ \t]+\w"),
        "Elixir",
    ),
    ".f": _rules((None, r"^:[ \t]+\S", r"^\\[ \t]"), (None, r"\bflowop\b"), ("Fortran", *FORTRAN)),  # Forth, Filebench
    ".fcgi": _SCRIPT,
    ".fp": _GLSL_ONLY,
    ".fpp": _rules(
        (  # F Prime
            None,
            r"^[ \t]*(?:module|topology|enum|struct|port|interface)[ \t]+[\w$]+[ \t]*\{",
            r"^[ \t]*(?:active|passive|queued)[ \t]+component\b",
        ),
        ("Fortran", *FORTRAN),
    ),
    ".frag": _rules(
        (None, *XML),
        ("GLSL", *GLSL),
        ("JavaScript", r"^[ \t]*\(?function\b", r"^[ \t]*var[ \t]+\w+[ \t]*="),
        ("GLSL", r"\bvoid[ \t]+main"),
    ),
    ".fs": _rules(
        (None, r"^:[ \t]+\S", r"^\\[ \t]", r"^new-device\b"),  # Forth
        (None, r"^[ \t]*#pragma[ \t]+(?:rs|version)\b"),  # Filterscript
        ("GLSL", *GLSL),
        ("F#", r"^[ \t]*(?:#light|#if|#nowarn|open[ \t]+[\w.]+|(?:module|namespace|let|type|do|and|member|exception)\b|\[<)"),
        ("GLSL", r"^[ \t]*void[ \t]+main[ \t]*\("),
    ),
    ".fun": _rules(("Standard ML", *STANDARD_ML)),
    ".geo": _GLSL_ONLY,
    ".gs": _rules(
        ("GLSL", *GLSL),
        (None, r"^[ \t]*uses[ \t]+[\w.]+", r"^\[indent=", r"^init[ \t\r]*$", "^(?:category|method|classmethod):"),  # Gosu, Genie, GemStone
        ("JavaScript", r"^[ \t]*(?:(?:async[ \t]+)?function|var|let|const|class)\b", "=>"),
    ),
    ".h": _HEADER,
    ".h.in": _HEADER,
    ".hh": _rules((None, r"\A<\?hh"), "C++"),
    ".inc": _rules(
        (  # POV-Ray, BitBake, Pawn, SourcePawn
            None,
            r"^[ \t]*#(?:declare|local|macro|while)[ \t]",
            r"^inherit[ \t]+\w",
            r"^(?:SRC_URI|LICENSE|DEPENDS)\b",
            "^#endinput",
            r"^(?:methodmap|native|forward|stock)[ \t]",
            r"^#pragma[ \t]+(?:semicolon|tabsize)\b",
        ),
        ("PHP", r"^[ \t]*<\?(?:php|=|[ \t\r]*$)"),
        ("HTML", r"(?i)^[ \t]*<(?:!doctype|html|head|div|table|p|ul|form|script|link|meta|!--)\b"),
        ("C++", *CPP),
        _CPP_EXPRESSION,
        ("Pascal", *PASCAL),
        ("Assembly", *ASSEMBLY),
        ("C++", *C_LIKE),
        ("SQL", r"(?i)^[ \t]*(?:create[ \t]+(?:table|view|procedure)|insert[ \t]+into|drop[ \t]+table|select[ \t]+[\w*, ]+[ \t]+from)\b"),
    ),
    ".l": _rules(("Common Lisp", *COMMON_LISP)),
    ".lisp": _rules((None, *OTHER_LISP), "Common Lisp"),
    ".lsp": _rules((None, *OTHER_LISP), ("Common Lisp", *COMMON_LISP)),
    ".m": _rules(
        (None, *OBJECTIVE_C),
        (
            None,
            r"^[ \t]*:-[ \t]*(?:module|interface)\b",
            r"^:[ \t]+\S+",
            r"^implement[ \t]+\w+;",
            r"^\w+[ \t]*:[ \t]*module[ \t]*\{",
        ),  # Mercury, MUF, Limbo
        (None, r"\A%?\w*[ \t]+;", r"^[ \t]+;[ \t;]", r"^[a-z]\w*\([\w,]*\)[ \t\r]*\n[ \t]+(?:quit|set|new|do|write|kill)\b"),  # MUMPS
        (None, *C_LIKE),
        ("MATLAB", r"^[ \t]*(?:function\b|classdef\b|%|(?:clear|close|clc|hold|figure|endif|endfunction)\b|end[ \t]*;?[ \t\r]*$)"),
        (
            "Wolfram Language",
            r"^[ \t]*\(\*",
            r"\(\*[^\n(]{0,300}\*\)",
            r"^[ \t]*(?:BeginPackage|Begin|Needs|Get|Off|Clear|ClearAll|SetOptions)\[",
            r"\w\[(?:\{)?\w+_\w*[,\]}]",
        ),
        (
            "MATLAB",
            r"^[ \t]*(?:\[[\w, ~]+\]|[A-Za-z]\w*(?:\([^()=\n]*\)|\.\w+)*)[ \t]*=[^=\n]*",
            r"^##?[ \t]",
            r"^[ \t]*\w+\([^\n]*\);?[ \t\r]*$",
        ),
    ),
    ".maple": _MAPLE,
    ".md": _rules((None, r"^\(define_(?:insn|expand|split|peephole|attr|constants|mode)"), "Markdown"),
    ".ml": _rules(
        ("OCaml", r"^let[ \t]", r"^[ \t]*let[ \t]+(?:rec|open|module|\(\))", ";;", r"^module[ \t]", r"^include[ \t]"),
        ("Standard ML", *STANDARD_ML),
        "OCaml",
    ),
    ".mpl": _MAPLE,
    ".mt": _rules(("Wolfram Language", r"\(\*", r"^[A-Z]\w*\[", ":=")),
    ".nas": _rules((None, r"^[ \t]*var[ \t]+\w+[ \t]*=", r"=[ \t]*func\b"), "Assembly"),
    ".ph": _rules(("Perl", *PERL)),
    ".php": _rules((None, r"\A<\?hh"), "PHP"),
    ".pl": _rules(("Perl", *STRICT_PERL), ("Prolog", *PROLOG), (None, *RAKU), ("Perl", *PERL)),
    ".plt": _rules((None, r"^[ \t]*(?:set|unset|plot|splot|reset)\b"), ("Prolog", *PROLOG)),
    ".pm": _rules((None, r"/\*[ \t]*XPM"), ("Perl", *STRICT_PERL), (None, *RAKU), "Perl"),
    ".pp": _rules(  # or Puppet
        (None, r"^[ \t]*(?:class|define|node)[ \t][^;=\n]*[({][ \t\r]*$", r"^[ \t]*\w+[ \t]*=>", r"^[ \t]*include[ \t]+:*\w+"),
        ("Pascal", *PASCAL),
    ),
    ".prc": _rules(("SQL", *SQL)),
    ".pro": _rules(  # or QMake, IDL, ProGuard
        (None, r"^[ \t]*(?:SOURCES|HEADERS|TEMPLATE|TARGET|QT|CONFIG|SUBDIRS|include)[ \t]*(?:[+*-]?=|\()"),
        (
            None,
            r"(?i)^[ \t]*(?:pro|function)[ \t]+\w+[ \t]*(?:,|$)",
            r"(?i)^[ \t]*compile_opt\b",
            r"(?i)^[ \t]*-(?:keep|dontwarn|optimization)\w*",
            "^;",
        ),
        ("Prolog", *PROLOG),
    ),
    ".r": _rules((None, r"(?i)^[ \t]*rebol\b"), (None, r"^[ \t]*(?:resource|data|type)[ \t]+'[^'\n]{4}'"), "R"),
    ".rest": _rules((None, r"^(?:GET|POST|PUT|DELETE|PATCH|HEAD)[ \t]+\S"), "reStructuredText"),
    ".rpy": _rules(
        (None, r"^(?:label|init|screen|image|define|default|transform|menu|translate)\b"), ("Python", r"^(?:import|from|class|def)[ \t]")
    ),
    ".rs": _rules(
        ("Rust", r"^(?:pub(?:\([a-z]+\))?[ \t]|use[ \t]+\w|fn[ \t]+\w|mod[ \t]+\w|impl\b|extern[ \t]+crate|macro_rules!|#!?\[)"),
        (None, *XML),
        (None, r"^[ \t]*#[ \t]*(?:pragma[ \t]+(?:rs|version)|include)\b"),
        "Rust",
    ),
    ".sc": _rules(
        (  # SuperCollider
            None,
            r"^[ \t]*~\w+",
            r"\^(?:this|super)\b",
            r"\bSynthDef\b",
            r"^[A-Z]\w*(?:[ \t]*:[ \t]*[A-Z]\w*)?[ \t]*\{",
            r"\{[ \t]*(?:arg\b|\|\w)",
        ),
        ("Scala", r"^[ \t]*(?:package|import|object|(?:case[ \t]+)?class|trait|def|val|var|@main)\b"),
    ),
    ".sch": _rules(
        (None, r"\A\s*(?:\(kicad_|EESchema|<|v \d)"), ("Scheme", r"^[ \t]*\((?:define|import|library|module|let|load|use)\b", r"\A\s*;")
    ),
    ".scm": _rules((None, *TREE_QUERY), "Scheme"),
    ".sh": _rules("Shell"),
    ".shader": _rules(
        (None, r"^[ \t]*(?:Shader[ \t]+\"|SubShader\b|shader_type\b)"), ("GLSL", *GLSL), ("GLSL", r"^[ \t]*void[ \t]+main\b")
    ),
    ".sig": _rules(("Standard ML", r"^[ \t]*(?:signature[ \t]+\w+|structure[ \t]+\w+)")),
    ".sld": _rules(("Scheme", r"^\(define-library\b")),
    ".sls": _rules((None, r"^[ \t]*[\w.{}/-]+:[ \t\r]*$", r"\{%"), ("Scheme", r"^[ \t]*\((?:library|define|import)\b", "^#!r6rs")),
    ".sol": _rules(
        (
            "Solidity",
            r"^[ \t]*(?:pragma[ \t]+(?:solidity|abicoder|experimental)|(?:abstract[ \t]+)?contract[ \t]+\w|library[ \t]+\w|"
            r"interface[ \t]+\w|import[ \t]+[\"{])",
        )
    ),
    ".spec": _rules(
        (None, r"^(?:Name|Version|Summary|Release|License)[ \t]*:", r"^%(?:define|global|prep|install|files|description)\b"),
        ("Ruby", r"^[ \t]*(?:RSpec\.)?(?:describe|context)\b[^\n]*\bdo\b", r"^require[ \t]+['\"]", "^Gem::"),
        ("Python", r"^(?:import|from)[ \t]+\w", r"\bAnalysis\(", r"^block_cipher\b"),
    ),
    ".sps": _rules(("Scheme", "^#!r6rs", r"^\((?:import|define|library)\b")),
    ".ss": _rules(("Scheme", r"^[ \t]*\((?:define|module|library|import|let|lambda|require|provide|load)\b", r"\A#lang\b", r"\A#!r6rs")),
    ".st": _rules(
        (
            None,
            r"^[ \t]*(?:FUNCTION_BLOCK|FUNCTION|PROGRAM|VAR(?:_\w+)?|END_VAR|TYPE)\b",
            r"^[ \t]*(?:group\b|[\w/]+\([\w, =\"]*\)[ \t]*::=|delimiters\b)",
        ),
        (
            "Smalltalk",
            "methodsFor:",
            "subclass:",
            r"\bif(?:True|False):",
            r"^Class[ \t]*\{",
            r"\w[ \t]*>>[ \t]*#?\w",
            r"\b(?:do|collect|value|addCategory):",
            r"\bTranscript\b",
        ),
        (None, r"<\w+(?:[.:(;]|>)", r"\$\w+[($]"),  # StringTemplate
        ("Smalltalk", r"^[ \t]*\w+[ \t]*:=", r"^[ \t]*\^[ \t]*['#(\w]", r"\A[\w *-]+\n[a-z]\w*(?::[ \t]*\w+)?[^\n]*\n\t"),
    ),
    ".t": _rules(("Perl", *STRICT_PERL), (None, *RAKU), ("Perl", *PERL)),
    ".tag": _rules(("Java Server Pages", "<%@", "<jsp:", r"<c:\w+")),
    ".tm": _rules((None, r"\A<TeXmacs"), ("Tcl", r"^[ \t]*(?:proc|package|namespace|source|set|variable|if)[ \t]")),
    ".ts": _rules((None, r"\A\W{0,3}<\?xml", r"^[ \t]*<(?:!DOCTYPE[ \t]+TS\b|TS\b)"), "TypeScript"),
    ".tsx": _rules((None, r"\A\W{0,3}<\?xml"), "TypeScript"),
    ".udf": _rules(("SQL", *SQL)),
    ".v": _rules((None, *COQ), ("Verilog", *VERILOG)),
    ".viw": _rules(("SQL", *SQL)),
    ".vs": _GLSL_ONLY,
    ".xdc": _rules((None, r"^[ \t]*(?:OUTPUT_FORMAT|SECTIONS)\b"), "Tcl"),  # linker scripts
    ".y": _YACC,
    ".yy": _YACC,
}
AMBIGUOUS[".for"] = AMBIGUOUS[".ftn"] = AMBIGUOUS[".f"]


def resolve(extension: str, head: str) -> str | None:
    """The language of a file with an ambiguous ``extension`` from the ``head`` of its text; None where it is none of ours."""
    if "\r" in head and "\n" not in head:
        head = head.replace("\r", "\n")  # lines of classic Mac OS, still met in Smalltalk and Pascal
    text = "\n" + head
    for language, patterns, needs in AMBIGUOUS[extension]:
        if needs and not any(text_needed in head for text_needed in needs):
            continue
        if not patterns or any(pattern.search(text) for pattern in patterns):
            return language
    return None
