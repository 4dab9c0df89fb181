import re
from pathlib import Path

import pytest

from beam_seed.languages.heuristics import AMBIGUOUS
from beam_seed.languages.registry import BY_NAME, LANGUAGES, RECIPE_NAMES, slug

FIXTURES = Path(__file__).parent / "fixtures"

# The list of the Seed-Coder report, as it is printed there.
RECIPE = """
ANTLR, Ada, Agda, Alloy, AppleScript, Assembly, Augeas, AWK, Batchfile, Bluespec, C, C#, C++, CMake, CSS, Clojure, CoffeeScript,
Common Lisp, CUDA, Dart, Dockerfile, Elixir, Elm, Emacs Lisp, Erlang, F#, Fortran, GLSL, Go, Groovy, HTML, Haskell, Idris, Isabelle,
JSON, Java, Java Server Pages, JavaScript, Julia, Kotlin, Lean, Literate Agda, Literate CoffeeScript, Literate Haskell, Lua, Makefile,
Maple, Markdown, Mathematica, MATLAB, OCaml, PHP, Pascal, Perl, PowerShell, Prolog, Protocol Buffer, Python, R, RMarkdown, Racket,
Ruby, Rust, SAS, SPARQL, SQL, Scala, Scheme, Shell, Smalltalk, Solidity, Stan, Standard ML, Stata, Swift, SystemVerilog, Tcl, Tcsh,
TeX, Thrift, TypeScript, VHDL, Verilog, Visual Basic, XSLT, YAML, Yacc, Zig, reStructuredText
"""


def test_the_89_languages_of_the_recipe_are_covered_one_to_one():
    recipe = [" ".join(name.split()) for name in RECIPE.split(",")]
    assert len(set(recipe)) == 89
    assert sorted(RECIPE_NAMES.get(language.name, language.name) for language in LANGUAGES) == sorted(recipe)


def test_names_and_slugs_are_unique():
    assert len(BY_NAME) == len({slug(name) for name in BY_NAME}) == len(LANGUAGES) == 89


def test_slugs_are_plain_file_names():
    assert all(re.fullmatch(r"[a-z0-9-]+", slug(name)) for name in BY_NAME)
    assert (slug("C#"), slug("C++"), slug("Visual Basic .NET")) == ("csharp", "cpp", "visual-basic-net")


def test_every_language_has_a_fixture_of_ten_lines_and_no_fixture_lacks_a_language():
    assert {folder.name for folder in FIXTURES.iterdir()} == {slug(name) for name in BY_NAME}
    for path in FIXTURES.glob("*/*"):
        assert len(path.read_text().splitlines()) >= 10, path


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: slug(language.name))
def test_fields_are_well_formed(language):
    assert language.extensions or language.filenames
    for extension in language.extensions:
        assert re.fullmatch(r"\.[a-z0-9_.+-]+", extension), extension
    assert len(set(language.extensions)) == len(language.extensions)
    assert all("/" not in name for name in language.filenames)
    for opening, closing in language.block_comments:
        assert opening
        assert closing
    # The name of a mode must not be two languages' (names are looked up as modes too).
    assert language.name not in language.aliases


def test_an_alias_belongs_to_one_language():
    seen = {}
    for language in LANGUAGES:
        for alias in language.aliases:
            assert seen.setdefault(alias.lower(), language.name) == language.name, alias


def test_a_shared_extension_has_a_rule_and_a_ruled_extension_a_language():
    owners = {}
    for language in LANGUAGES:
        for extension in language.extensions:
            owners.setdefault(extension, []).append(language.name)
    for extension, names in owners.items():
        assert len(names) == 1 or extension in AMBIGUOUS, (extension, names)
    assert set(AMBIGUOUS) <= set(owners)


def test_a_rule_decides_only_for_languages_that_list_the_extension():
    for extension, rules in AMBIGUOUS.items():
        for rule in rules:
            if rule.language is not None:
                assert extension in BY_NAME[rule.language].extensions, (extension, rule.language)
