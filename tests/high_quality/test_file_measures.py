"""What is measured of files: imports as each language writes them, comments, draws, and the line a model reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.high_quality.imports import MAX_NAMES, imported_modules, imports_any
from beam_seed.high_quality.measure import HELD_OUT, TEST, TRAINING, VALIDATION, draw_of, fold_of, measure
from beam_seed.high_quality.text import TextFormat, without_licence
from beam_seed.records import make_document


@pytest.mark.parametrize(
    ("language", "content", "names"),
    [
        (
            "Python",
            "import os, sys as s\n  from . import x\nfrom a.b import (c,\n  d as e)\n",
            ["os", "sys", ".", "..x", "a.b", "a.b.c", "a.b.d"],
        ),
        ("Jupyter Notebook", "# %%\nimport numpy as np\n", ["numpy"]),
        ("C", '#include <stdio.h>\n # include "a/b.h"\n', ["stdio.h", "a/b.h"]),
        ("Java", "package x;\nimport static java.util.List.of;\n", ["java.util.List.of"]),
        ("Go", 'import "fmt"\nimport (\n\tx "net/http"\n\t"os" // why\n)\n', ["fmt", "net/http", "os"]),
        ("JavaScript", 'import React, { x } from "react";\nconst y = require(\'fs\')\nimport {\n a\n} from "b"\n', ["react", "b", "fs"]),
        ("TypeScript", 'import type { T } from "./t";\nexport * from "u";\nimport "v"\n', ["./t", "u", "v"]),
        ("Rust", "use std::collections::HashMap;\npub use a;\n", ["std::collections::HashMap", "a"]),
        ("Ruby", "require 'set'\nrequire(\"json\")\n", ["set", "json"]),
        ("C#", "using System.IO;\nusing (x) {}\n", ["System.IO"]),
        ("PHP", "use A\\B\\C;\n", ["A\\B\\C"]),
        ("Perl", "use Moose::Role;\n", ["Moose::Role"]),
        ("Haskell", "import qualified Data.Map as M\n", ["Data.Map"]),
        ("Brainfuck", "import x", []),
    ],
)
def test_imports_are_read_as_the_language_writes_them(language: str, content: str, names: list[str]) -> None:
    assert sorted(imported_modules(content, language)) == sorted(names)


def test_a_module_inside_of_a_wanted_one_counts_and_a_longer_name_does_not() -> None:
    wanted = frozenset({"django", "net/http", "std::collections"})
    assert imports_any({"django.db"}, wanted)
    assert imports_any({"net/http/httptest"}, wanted)
    assert imports_any({"std::collections::HashMap"}, wanted)
    assert not imports_any({"djangox", "net", "a.django"}, wanted)


def test_a_hostile_list_of_imports_is_bounded() -> None:
    assert len(imported_modules("".join(f"import m{n}\n" for n in range(100_000)), "Python")) == MAX_NAMES
    assert imported_modules("import " + "x" * 10_000, "Python") == []


def test_comments_and_documentation_are_shares() -> None:
    content = 'def f():\n    """Say."""\n    return 1\n\n\ndef g():\n    a = 1\n    b = 2\n    return a\n\n\nx = 1\n# Why.\n'
    found = measure(make_document("r", "a.py", content, language="Python"))
    assert found.comment_share == pytest.approx(2 / 9)
    assert found.documented_share == 0.5
    assert found.error is None
    assert measure(make_document("r", "a", "", language=""))[:2] == (0.0, None)


def test_projects_are_whole_and_versions_of_one_fall_together() -> None:
    assert fold_of("lodash-4.17.20", "a", 0) == fold_of("lodash-4.17.21", "b", 0)
    folds = [fold_of(f"project{n}x", "", 3) for n in range(4000)]
    shares = np.bincount(folds, minlength=3) / len(folds)
    assert shares[[VALIDATION, TEST]] == pytest.approx([HELD_OUT, HELD_OUT], abs=0.03)
    assert shares[TRAINING] == pytest.approx(1 - 2 * HELD_OUT, abs=0.04)
    assert draw_of("a", 0) != draw_of("a", 1)


def test_words_of_two_lines_never_touch_and_signs_are_words() -> None:
    assert TextFormat().line("def f(x):\n    return X+1\n# Why") == "def f ( x ): return x + 1 # why"
    assert TextFormat().line(" \n\0") == "empty"


@given(st.text(max_size=200) | st.sampled_from(["__label__code x", "a __label____label__code", "__LABEL__other"]))
def test_no_file_can_tell_its_own_label(content: str) -> None:
    line = TextFormat().line(content)
    assert line
    assert "\n" not in line
    assert not any(word.startswith("__label__") for word in line.split())


def test_a_long_file_is_read_from_its_start_to_its_end() -> None:
    content = "".join(f"word{n}\n" for n in range(10_000))
    words = TextFormat(max_characters=400, pieces=4).line(content).split()
    assert words[0] == "word0"
    assert words[-1] == "word9999"
    assert len(" ".join(words)) <= 404  # with what joins the pieces


def test_a_licence_is_no_explanation():
    licence = "".join(f"# Copyright line {n} of a licence\n" for n in range(20))
    code = "import os\n\n\ndef size(path):\n    return os.stat(path).st_size\n"
    bare, licensed = (measure(make_document("r", "a.py", content, language="Python")) for content in (code, licence + code))
    assert licensed == bare
    assert bare.comment_share == 0
    assert without_licence(licence + code).strip() == code.strip()
    assert without_licence("é" + code) == "é" + code
