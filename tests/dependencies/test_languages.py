"""Each language's own rules, on repositories of a few lines."""

import json

import pytest

from beam_seed.dependencies.table import LANGUAGES, read_mentions
from beam_seed.languages.registry import LANGUAGES as KNOWN
from beam_seed.syntax.grammars import GRAMMARS


def test_the_languages_are_known_and_their_grammars_too():
    assert set(LANGUAGES) <= {language.name for language in KNOWN}
    assert {grammar for entry in LANGUAGES.values() for grammar in entry.grammars} <= {name for each in GRAMMARS.values() for name in each}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_nothing_is_found_in_nothing_and_noise_is_read(language):
    assert not any(read_mentions(b"", language))
    read_mentions(b'\x00\xff{((import from \xf0 use <?php #include "', language)


def test_python_packages_with_a_source_folder(needs):
    files = {
        "src/pkg/__init__.py": "from pkg.core import run\nfrom . import util, missing\n",
        "src/pkg/core.py": "import os, json\nfrom .util import helper\nfrom .sub import thing, inner\nimport pkg.sub.inner as i\n",
        "src/pkg/util.py": "def f():\n    from ..pkg import core\n    from ... import above\n",
        "src/pkg/json.py": "from pkg import *\n",
        "src/pkg/sub/__init__.py": "from __future__ import annotations\n",
        "src/pkg/sub/inner.py": "from ..core import run\nfrom .. import core\n",
        "tests/test_core.py": "import pkg.core\nimport helpers\nfrom pkg import util, core\n",
        "tests/helpers.py": "import pkg\n",
        "tools/os.py": "",
        "tools/run.py": "import os\n",
    }
    assert needs(files) == {
        "src/pkg/__init__.py": ["src/pkg/core.py", "src/pkg/util.py"],
        "src/pkg/core.py": ["src/pkg/sub/__init__.py", "src/pkg/sub/inner.py", "src/pkg/util.py"],
        "src/pkg/json.py": ["src/pkg/__init__.py"],
        "src/pkg/sub/inner.py": ["src/pkg/core.py"],
        "src/pkg/util.py": ["src/pkg/core.py"],  # '..pkg' is the package itself, above src nothing is
        "tests/helpers.py": ["src/pkg/__init__.py"],
        "tests/test_core.py": ["src/pkg/core.py", "src/pkg/util.py", "tests/helpers.py"],
        "tools/run.py": ["tools/os.py"],  # beside a script
    }


def test_python_namespace_packages_and_stubs(needs):
    files = {
        "a/vendor/one/__init__.py": "",
        "b/vendor/two/__init__.py": "from vendor.one import x\n",
        "b/vendor/two/x.pyi": "",
        "b/vendor/two/y.py": "from vendor.two.x import y\nimport json\n",
        "c/json/tool.py": "",
        "d/alone.py": "",
        "e/uses.py": "import alone\n",  # of another folder that is on no path
    }
    assert needs(files) == {"b/vendor/two/__init__.py": ["a/vendor/one/__init__.py"], "b/vendor/two/y.py": ["b/vendor/two/x.pyi"]}


def test_c_includes(needs):
    files = {
        "include/lib/a.h": '#include "b.h"\n#include <stdio.h>\n',
        "include/lib/b.h": "",
        "src/a.c": '#include <lib/a.h>\n#include "local.h"\n#ifdef X\n#include "deep/x.h"\n#endif\n#include MACRO\n#include "../../x.h"\n',
        "src/local.h": '#include "local.h"\n',
        "src/deep/x.h": '#include "../local.h"\n',
        "other/stdio.h": "",
        "third/very/deep/x.h": "",
        "src/k.cu": '#include "lib/b.h"\n',
        "src/m.cpp": '#include "nowhere.hpp"\n#include <very/deep/x.h>\n',
    }
    assert needs(files) == {
        "include/lib/a.h": ["include/lib/b.h"],
        "src/a.c": ["include/lib/a.h", "src/deep/x.h", "src/local.h"],
        "src/deep/x.h": ["src/local.h"],
        "src/k.cu": ["include/lib/b.h"],
        "src/m.cpp": ["third/very/deep/x.h"],
    }


def test_javascript_and_typescript(needs):
    files = {
        "package.json": json.dumps({"name": "root", "main": "./lib/main"}),
        "tsconfig.json": '{ // comments\n "compilerOptions": {"baseUrl": ".", "paths": {"@app/*": ["src/*"],},} /* and */ }',
        "lib/main.js": "const a = require('./util');\nimport('./late.js'); require(name); require('fs');\n",
        "lib/util/index.js": "export * from '..';\nexport { x } from \"../data.json\";\n",
        "lib/late.js": "import self from 'root';\nimport 'root/lib/util/index.js';\n",
        "lib/data.json": "{}",
        "packages/x/package.json": json.dumps({"name": "@scope/x", "main": "dist/x.js", "source": "src/index.ts"}),
        "packages/x/src/index.ts": "import type { T } from './t.js';\nimport fs = require('./fs');\nlet y: import('./u').T;\n",
        "packages/x/src/t.ts": "",
        "packages/x/src/fs.d.ts": "",
        "packages/x/src/u.tsx": "import x from '@scope/x';\nconst e = <A b={1}/>;\n",
        "src/app.ts": "import { t } from '@app/inner/t';\nimport x from '@scope/x/t';\nimport '../../../out';\nimport './app';\n",
        "src/inner/t.ts": "import 'src/app';\n",
    }
    assert needs(files) == {
        "lib/late.js": ["lib/main.js", "lib/util/index.js"],
        "lib/main.js": ["lib/late.js", "lib/util/index.js"],
        "lib/util/index.js": ["lib/data.json"],
        "packages/x/src/index.ts": ["packages/x/src/fs.d.ts", "packages/x/src/t.ts", "packages/x/src/u.tsx"],
        "packages/x/src/u.tsx": ["packages/x/src/index.ts"],
        "src/app.ts": ["packages/x/src/t.ts", "src/inner/t.ts"],
        "src/inner/t.ts": ["src/app.ts"],
    }


GO_FILES = {
    "main.go": 'package main\nimport (\n"fmt"\nu "example.org/mod/util"\n_ "example.org/mod"\n"example.org/other/util"\n)\n',
    "util/a.go": 'package util\nimport "example.org/mod/util/deep"\n',
    "util/b.go": "package util\n",
    "util/a_test.go": 'package util_test\nimport "example.org/mod/util"\n',
    "util/deep/d.go": "package deep\n",
    "fmt/x.go": "package fmt\n",
}
GO_NEEDS = {
    "main.go": ["main.go", "util/a.go", "util/b.go"],
    "util/a.go": ["util/deep/d.go"],
    "util/a_test.go": ["util/a.go", "util/b.go"],
}


@pytest.mark.parametrize("manifest", [{}, {"go.mod": "// x\nmodule example.org/mod // y\n\ngo 1.19\n"}])
def test_go_packages_are_groups(needs, manifest):
    assert needs(GO_FILES | manifest) == GO_NEEDS


def test_the_edges_of_go_packages_do_not_multiply(graph):
    many = {f"a/{n}.go": 'package a\nimport "example.org/m/b"\n' for n in range(50)} | {f"b/{n}.go": "package b\n" for n in range(50)}
    assert len(graph(many).edges) == 100


def test_java_kotlin_and_scala_see_one_another(needs):
    files = {
        "src/a/A.java": "package a;\nimport b.B;\nimport static b.Util.help;\nimport c.*;\nimport java.L;\nclass A extends Base { K k; }\n",
        "src/a/Base.java": "package a;\ninterface Base { void f(@Mark int x); }\n",
        "src/a/Mark.java": "package a;\n@interface Mark {}\n",
        "src/b/B.kt": "package b\nimport a.Base\nimport b.inner.deep as d\nclass B : Base { val x = helper() }\nfun other() = Unit\n",
        "src/b/helper.kt": "package b\nfun helper() = 1\nval unused = B()\n",
        "src/b/inner/I.kt": "package b.inner\nfun deep() {}\n",
        "src/b/Util.java": "package b;\npublic class Util { static void help() { Runnable r = Late::new; } }\n",
        "src/b/Late.java": "package b;\nclass Late {}\n",
        "src/c/K.scala": "package c\nimport a.{A => AA, Base}\nimport sub._\nclass K extends Base { val t: T = O.t }\n",
        "src/c/sub/T.scala": "package c.sub\ntrait T\nobject O\n",
        "test/b/Util.java": "package b;\nclass Util { B b; }\n",
    }
    assert needs(files) == {
        "src/a/A.java": ["src/a/Base.java", "src/b/B.kt", "src/b/Util.java", "src/c/K.scala"],
        "src/a/Base.java": ["src/a/Mark.java"],
        "src/b/B.kt": ["src/a/Base.java", "src/b/helper.kt", "src/b/inner/I.kt"],
        "src/b/Util.java": ["src/b/Late.java"],
        "src/b/helper.kt": ["src/b/B.kt"],
        "src/c/K.scala": ["src/a/A.java", "src/a/Base.java", "src/c/sub/T.scala"],
        "test/b/Util.java": ["src/b/B.kt"],
    }


def test_csharp_namespaces(needs):
    files = {
        "A.cs": (
            "using System;\nusing N.Two;\nusing static N.Help;\nusing Short = N.Two.Other<int>;\n"
            "namespace N.One { class A : Two.B { Root r; C c; } }\n"
        ),
        "B.cs": "namespace N { namespace Two { public class B { class C {} } } }\n",
        "C.cs": "namespace N.Two;\npublic record C();\n",
        "Help.cs": "namespace N { static class Help {} }\n",
        "Other.cs": "namespace N.Two { class Other<T> {} }\n",
        "Root.cs": "class Root { delegate void Unused(); }\n",
        "Away.cs": "namespace M { class C {} }\n",
    }
    assert needs(files) == {"A.cs": ["B.cs", "C.cs", "Help.cs", "Other.cs", "Root.cs"]}


def test_php_namespaces_and_paths(needs):
    files = {
        "composer.json": json.dumps({"autoload": {"psr-4": {"App\\": "src/", "Broken\\": 7}}}),
        "src/A.php": (
            "<?php\nnamespace App;\nuse App\\Sub\\{B, C as D};\nuse function App\\help;\nuse Other\\Thing;\n"
            "class A extends B implements \\App\\I { function f(Near $n) { return new D\\X(); } }\n"
        ),
        "src/I.php": "<?php\nnamespace App;\ninterface I {}\n",
        "src/Near.php": "<?php\nnamespace App;\nclass Near { use T; }\n",
        "src/T.php": "<?php\nnamespace App;\ntrait T {}\nfunction help() {}\n",
        "src/Sub/B.php": "<?php\n// declares nothing that can be read\n",
        "src/Sub/C.php": "<?php\nnamespace App\\Sub;\nclass C {}\n",
        "src/Sub/C/X.php": "<?php\nnamespace App\\Sub\\C;\nclass X {}\n",
        "index.php": "<?php\nrequire __DIR__ . '/src/A.php';\ninclude_once('lib/old.php');\nrequire $x . '.php';\nrequire '../../p';\n",
        "lib/old.php": "<?php\nrequire_once dirname(__FILE__) . '/../index.php';\nnew Old();\ninclude 'lib/class.php';\n",
        "lib/class.php": "<?php\nclass Old {}\n",
    }
    assert needs(files) == {
        "index.php": ["lib/old.php", "src/A.php"],
        "lib/old.php": ["index.php", "lib/class.php"],
        "src/A.php": ["src/I.php", "src/Near.php", "src/Sub/B.php", "src/Sub/C.php", "src/Sub/C/X.php", "src/T.php"],
        "src/Near.php": ["src/T.php"],
    }


def test_ruby_load_paths(needs):
    files = {
        "gem/lib/gem.rb": "require 'gem/core'\nrequire 'json'\nmodule Gem\n  autoload :HTTPThing\n  autoload :Late, 'gem/late'\nend\n",
        "gem/lib/gem/core.rb": 'require_relative "../gem"\nrequire_relative "../../../../etc/passwd"\nrequire "#{x}/y"\n',
        "gem/lib/gem/http_thing.rb": "require 'other/gem'\n",
        "gem/lib/gem/late.rb": "load './core.rb'\n",
        "other/lib/other/gem.rb": "",
        "gem/test/helper.rb": "",
        "gem/test/a_test.rb": "require 'helper'\nrequire 'gem'\n",
    }
    assert needs(files) == {
        "gem/lib/gem.rb": ["gem/lib/gem/core.rb", "gem/lib/gem/http_thing.rb", "gem/lib/gem/late.rb"],
        "gem/lib/gem/core.rb": ["gem/lib/gem.rb"],
        "gem/lib/gem/http_thing.rb": ["other/lib/other/gem.rb"],
        "gem/lib/gem/late.rb": ["gem/lib/gem/core.rb"],
        "gem/test/a_test.rb": ["gem/lib/gem.rb", "gem/test/helper.rb"],
    }


def test_rust_modules(needs):
    files = {
        "Cargo.toml": "[package]\nname = 'top'\n",
        "src/lib.rs": (
            'mod a;\npub mod b { mod c; use super::a::X; }\n#[cfg(x)]\n#[path = "odd/name.rs"]\nmod odd;\nuse a::deep::{self, Y as Z, *};\n'
        ),
        "src/a/mod.rs": "pub mod deep;\nuse crate::b::c::Thing;\n",
        "src/a/deep.rs": "use super::super::odd::f;\nmod tests { use super::*; fn g() { super::super::h(); } }\n",
        "src/b/c.rs": "",
        "src/odd/name.rs": "fn f() -> crate::a::T { self::g() }\n",
        "src/main.rs": "use top::a::deep;\nuse std::fmt;\nuse other_crate::x;\n",
        "other-crate/src/lib.rs": "extern crate top;\npub mod x;\n",
        "other-crate/src/x.rs": "use super::Y;\n",
        "tests/run.rs": "mod common;\n",
        "tests/common/mod.rs": "",
    }
    assert needs(files) == {
        "other-crate/src/lib.rs": ["other-crate/src/x.rs", "src/lib.rs"],
        "other-crate/src/x.rs": ["other-crate/src/lib.rs"],
        "src/a/deep.rs": ["src/a/mod.rs", "src/odd/name.rs"],
        "src/a/mod.rs": ["src/a/deep.rs", "src/b/c.rs"],
        "src/lib.rs": ["src/a/deep.rs", "src/a/mod.rs", "src/b/c.rs", "src/odd/name.rs"],
        "src/main.rs": ["other-crate/src/x.rs", "src/a/deep.rs"],
        "src/odd/name.rs": ["src/a/mod.rs"],
        "tests/run.rs": ["tests/common/mod.rs"],
    }
