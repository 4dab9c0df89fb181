"""The measure against an oracle written another way, and hostile input."""

import ast

import pytest
import tree_sitter
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.syntax import readings
from beam_seed.syntax.grammars import GRAMMARS, load
from beam_seed.syntax.measure import UNCHECKED, measure

# Perl and Ruby scanners may loop for ever on junk (tests/syntax/test_isolation.py shows one); these do not, over millions of inputs.
SAFE = ["C", "Go", "HTML", "JSON", "Java", "Python", "Rust", "TypeScript"]


def parse(content: bytes, language: str) -> tree_sitter.Tree:
    return tree_sitter.Parser(load(GRAMMARS[language][0])).parse(content)


def bytes_in_error(content: bytes, language: str) -> int:
    """Oracle: every node of the whole tree, one set of byte positions, one extra position for each MISSING node that is in no ERROR."""
    cursor = parse(content, language).walk()
    positions: set[object] = set()
    missing = []
    while True:
        node = cursor.node
        if node.is_error:
            positions |= set(range(node.start_byte, max(node.end_byte, node.start_byte + 1)))
        elif node.is_missing:
            missing.append(node)
        if cursor.goto_first_child() or cursor.goto_next_sibling():
            continue
        while cursor.goto_parent():
            if cursor.goto_next_sibling():
                break
        else:
            break
    inside = [node for node in missing if not _in_error(node)]
    return min(len(content), len(positions) + len(inside))


def _in_error(node: tree_sitter.Node) -> bool:
    while (node := node.parent) is not None:
        if node.is_error:
            return True
    return False


@pytest.mark.parametrize(
    ("language", "content"),
    [
        ("Java", b"class A { void f() { g( } }\nclass B { int x }\n"),
        ("JSON", b'{"a": [1, 2,, 3], "b": }'),
        ("C", b"int f(void) { return 1 }\nint g(void) { return (2; }\n#define X\n$$$ what\n"),
        ("Go", b"package a\nfunc f() { if x { }\n"),
        ("Rust", b"fn f() { let x = ; }\nstruct { }\n"),
        ("HTML", b"<p <a></b>"),
    ],
)
def test_error_bytes_are_the_union_of_error_and_missing_nodes(language, content):
    measured = measure(content, language, enough=1.0)  # the first grammar alone
    assert measured.error_bytes == bytes_in_error(content, language) > 0
    assert measured.error_share == measured.error_bytes / len(content)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SAFE), st.one_of(st.binary(max_size=200), st.text("(){}[]<>;:,.'\"\\/*#=+-ab1 \n\t", max_size=80).map(str.encode)))
def test_any_bytes_have_a_share_between_0_and_1_and_clean_means_clean(language, content):
    content = content.replace(b"\r\n", b"")
    measured = measure(content, language, enough=1.0)
    assert measured.checked
    assert 0.0 <= measured.error_share <= 1.0
    assert 0 <= measured.error_bytes <= len(content)
    has_error = bool(content) and parse(content, language).root_node.has_error
    assert (measured.error_bytes > 0) == has_error == (measured.first_error is not None)
    assert measure(content, language, enough=1.0) == measured


@settings(max_examples=60, deadline=None, derandomize=True)  # the grammar may yet flag some valid line
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(st.integers(0, 100_000), st.integers(1, 40))
def test_python_that_does_not_compile_after_a_deletion_is_flagged(start, length):
    with open(ast.__file__, "rb") as file:
        source = file.read()[:6000]
    source = source[: source.rindex(b"\ndef ")]
    start %= len(source)
    mutated = source[:start] + source[start + length :]
    measured = measure(mutated, "Python")
    if measured.error_bytes == 0:
        return  # the grammar allows more than the language (`return` outside of a function, say)
    with pytest.raises(SyntaxError):
        compile(mutated, "mutated", "exec")


def test_a_missing_token_of_no_width_counts_one_byte():
    measured = measure(b"class A { int x = 1 }\n", "Java")
    assert (measured.error_bytes, measured.first_error) == (1, "1:20")


def test_positions_are_lines_and_byte_columns_from_one():
    assert measure('int é = 1; // ä\nString s = "é"; )\n'.encode(), "Java").first_error == "2:18"


def test_an_empty_file_has_no_error():
    assert all(measure(b"", language).error_share == 0.0 for language in SAFE)


def test_a_language_without_a_grammar_is_unchecked():
    assert measure(b")", "Yacc") == measure(b")", "") == measure(b")", "Klingon") == UNCHECKED


def test_byte_order_mark_and_carriage_returns_change_nothing():
    for language, content in {
        "Python": b"def f():\n    return 1\n",
        "Dockerfile": b"FROM a\nRUN b && \\\n    c\n",
        "MATLAB": b"function f(x)\n  y = [1 2 ...\n    3];\nend\n",
    }.items():
        assert measure(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"), language).error_bytes == 0, language


def test_headers_are_measured_by_the_grammar_that_explains_more():
    header = b"namespace a { template <class T> class B : public C<T> { public: explicit B(T x); }; }\n"
    assert measure(header, "C")[1:4] == (0, 0.0, "cpp")
    assert measure(b"int f(a, b) int a; char *b; { return a; }\n", "C++").grammar == "c"
    assert measure(b"int f(void);\n", "C").grammar == "c"


def test_a_second_grammar_is_asked_only_above_what_is_enough():
    header = b"/* " + b"x" * 1000 + b" */\ntemplate <class T> class B : public C<T> {};\n"
    first = measure(header, "C", enough=0.1)
    assert (first.grammar, first.error_bytes > 0) == ("c", True)
    assert measure(header, "C", enough=first.error_share / 2).grammar == "cpp"


def test_typescript_with_and_without_jsx():
    assert measure(b"const a = <b>{c}</b>;\n", "TypeScript").grammar == "tsx"
    assert measure(b"const a = <number>b;\n", "TypeScript").grammar == "typescript"


@pytest.mark.parametrize(
    ("language", "content", "clean"),
    [
        ("JSON", b"[" * 10_000 + b"]" * 10_000, True),
        ("JSON", b"[" * 10_000, False),
        ("JavaScript", b"(" * 10_000 + b"1" + b")" * 10_000, True),
        ("Python", b"x = " + b"(" * 10_000, False),
        ("C", b"{" * 10_000 + b"}" * 9_999, False),
        ("Python", b"x = 1\x00\n", False),
        ("Java", b"\x00" * 5_000, False),
        ("Python", "x = '\ud800'\n".encode("utf-8", "surrogatepass"), None),
        ("JSON", b"\xff\xfe", False),
    ],
)
def test_hostile_bytes(language, content, clean):
    measured = measure(content, language)
    assert 0 <= measured.error_bytes <= len(content)
    if clean is not None:
        assert (measured.error_bytes == 0) == clean


def test_five_megabytes_on_one_line():
    line = b"[" + b",".join([b'"' + b"x" * 1000 + b'"'] * 5_000) + b"]"
    assert measure(line, "JSON").error_bytes == 0
    assert measure(line[:-1], "JSON").error_bytes > 0


def test_rewritten_readings_keep_every_position():
    fixed = b"C comment\r\n      X = 1 +\r\n     $    2\nc more\n* and more\n      END\n"
    for reading in (readings.fortran_free_form, readings.haskell_code, readings.agda_code):
        assert len(reading(fixed)) == len(fixed)
        assert reading(fixed).count(b"\n") == fixed.count(b"\n")
    assert readings.fortran_free_form(b"C a\n      X = 1 +\n     $    2\n") == b"! a\n      X = 1 +&\n         2\n"


def test_both_source_forms_of_fortran():
    fixed = b"C     Adds.\n      PROGRAM MAIN\n      X = 1 +\n     $    2\n      END\n"
    assert measure(fixed, "Fortran").error_bytes == 0
    assert measure(b"program main\n  x = 1 + &\n    2\nend program\n", "Fortran").error_bytes == 0


def test_literate_files_are_judged_by_their_code_and_located_in_the_file():
    assert measure(b"Prose ( [ {.\n\n> x :: Int\n> x = 1\n\n\\begin{code}\ny = 2\n\\end{code}\n", "Literate Haskell").error_bytes == 0
    wrong = measure(b"Prose.\n\n> x = ) 1\n", "Literate Haskell")
    assert wrong.error_bytes > 0
    assert wrong.first_error.startswith("3:")
    assert measure(b"Prose ( [ {.\n\\begin{code}[hide]\nmodule A where\n\\end{code}\nMore ) prose\n", "Literate Agda").error_bytes == 0
