"""Every one of the 89 languages is checked by a grammar that can fail, or says why not."""

from pathlib import Path

import pytest

from beam_seed.languages.registry import BY_NAME, slug
from beam_seed.syntax.grammars import GRAMMARS, UNCHECKED, describe, grammars_of, load
from beam_seed.syntax.isolation import ParserProcess
from beam_seed.syntax.limits import LIMITS, MEASURED, limit_of

FIXTURES = Path(__file__).parents[1] / "languages" / "fixtures"

# What to delete from a valid file so that no reading of its language allows it. Closing brackets do for nearly all languages;
# without ")" an OCaml comment never ends, and markup is closed by ">".
CLOSING = {"Java Server Pages": b">", "OCaml": b"}", "XSLT": b">"}
# Prose dilutes the share of literate files, a header of two prototypes has few brackets to lose, HTML closes what is left open.
REPLACED = {
    "Lists.lagda": ("→".encode(), b") )"),
    "contact.html": (b"</", b"<<"),
    "ring_buffer.h": (b"(", b"{{"),
}


def fixtures(language: str) -> list[Path]:
    return sorted((FIXTURES / slug(language)).iterdir())


def broken(path: Path, language: str) -> bytes:
    content = path.read_bytes()
    if path.name in REPLACED:
        return content.replace(*REPLACED[path.name])
    return content.translate(None, CLOSING.get(language, b")]}"))


@pytest.fixture(scope="module")
def process():
    with ParserProcess() as process:
        yield process


def test_the_89_languages_are_checked_or_say_why_not():
    assert not GRAMMARS.keys() & UNCHECKED.keys()
    assert GRAMMARS.keys() | UNCHECKED.keys() == BY_NAME.keys()
    assert LIMITS.keys() == GRAMMARS.keys()


@pytest.mark.parametrize("language", sorted(GRAMMARS))
def test_a_valid_file_passes_and_a_broken_one_does_not(language, process):
    paths = fixtures(language)
    valid = process.measure([(path.read_bytes(), language, 0.0) for path in paths])
    wrong = process.measure([(broken(path, language), language, 0.0) for path in paths])
    for path, before, after in zip(paths, valid, wrong, strict=True):
        assert before.checked, path
        assert before.error_share <= LIMITS[language], (path, before)
        assert after.error_share > LIMITS[language], (path, after)
        assert after.first_error


@pytest.mark.parametrize("language", sorted(UNCHECKED))
def test_an_unchecked_language_is_marked(language, process):
    assert grammars_of(language) == ()
    assert limit_of(language) is None
    for answer in process.measure([(b"\x00 )]} any bytes", language, 0.0)]):
        assert answer == (False, None, None, None, None)


def test_descriptions_say_grammar_package_and_strictness():
    assert describe("Python") == "tree-sitter python (tree-sitter-language-pack), strict"
    assert describe("Verilog").endswith("up to 5% of bytes in error")
    assert describe("Smalltalk") == "tree-sitter tonel-smalltalk (tree-sitter-tonel-smalltalk), strict"
    assert describe("Yacc") == "unchecked: no grammar ships inside a Python wheel"
    with pytest.raises(KeyError):
        describe("Klingon")


def test_the_issue_s_strict_languages_are_strict():
    assert all(LIMITS[language] == 0.0 for language in ("Python", "Java", "TypeScript", "Go", "Rust", "JSON", "Ruby", "PHP"))


def test_limits_follow_the_rule_they_state():
    for language, limit in MEASURED.items():
        assert 0.0 <= limit.share <= 0.25
        assert limit.above <= limit.with_errors
        assert limit.above <= (4.0 if limit.share < 0.25 else 10.0), language


def test_an_unknown_grammar_is_a_lookup_error():
    with pytest.raises(LookupError):
        load("klingon")
