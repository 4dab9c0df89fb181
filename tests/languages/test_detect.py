import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_seed.languages.detect import HEAD_CHARACTERS, detect, extension_of
from beam_seed.languages.heuristics import AMBIGUOUS
from beam_seed.languages.registry import BY_NAME, LANGUAGES, slug

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = {slug(name): name for name in BY_NAME}
HOW = {"filename", "extension", "shebang", "modeline", "content"}


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fixture(path):
    assert detect(f"some/repo/{path.name}", path.read_text()).language == NAMES[path.parent.name]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fixture_with_windows_lines_and_an_upper_case_extension(path):
    language = BY_NAME[NAMES[path.parent.name]]
    renamed = path.name if path.name in language.filenames else path.stem + path.suffix.upper()
    text = path.read_text().replace("\n", "\r\n")
    assert detect(renamed, text).language == language.name


# (path, text, language): the other sides of extensions that fixtures show one side of; None = a language that is not ours.
SIDES = [
    ("Shape.m", "#import <Foundation/Foundation.h>\n\n@implementation Shape\n- (double)area { return 1; }\n@end\n", None),
    ("Shape.h", "#import <Foundation/Foundation.h>\n\n@interface Shape : NSObject\n@property (nonatomic) double area;\n@end\n", None),
    ("orbit.m", "(* Orbits *)\norbit[f_, n_] := NestList[f, 1, n]\n", "Wolfram Language"),
    ("stack.m", ":- module stack.\n:- interface.\n:- type stack(T).\n", None),
    ("ROUTINE.m", "ROUTINE ;a MUMPS routine\n ; what it does\n set x=1\n quit\n", None),
    ("script.m", "x = linspace(0, 1, 100);\ny = sin(x);\nplot(x, y);\n", "MATLAB"),
    ("app_de.ts", '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n<TS version="2.1" language="de_DE">\n</TS>\n', None),
    ("map.tsx", '<?xml version="1.0" encoding="UTF-8"?>\n<tileset name="grass" tilewidth="16"/>\n', None),
    ("Even.v", "Require Import Arith.\n\nLemma even_0 : even 0 = true.\nProof.\n  reflexivity.\nQed.\n", None),
    ("main.v", "module main\n\nfn main() {\n\tprintln('hello')\n}\n", None),
    ("greet.pl", 'use v6;\n\nsub MAIN($name) {\n    say "Hello $name";\n}\n', None),
    ("Point.pm", "unit class Point;\n\nhas $.x;\nmethod length() { sqrt($!x) }\n", None),
    ("basic.t", "use strict;\nuse warnings;\nuse Test::More tests => 1;\nok(1);\n", "Perl"),
    ("facts.pro", "parent(anna, bert).\nparent(bert, clara).\ngrand(X, Z) :- parent(X, Y), parent(Y, Z).\n", "Prolog"),
    ("app.pro", "QT += core gui\nTARGET = app\nSOURCES += main.cpp\nHEADERS += window.h\n", None),
    ("fit.plt", "set terminal png\nset xlabel 'time'\nplot 'data.txt' with lines\n", None),
    ("words.fs", ": square ( n -- n ) dup * ;\n: cube ( n -- n ) dup square * ;\n", None),
    ("words.f", "\\ squares\n: square dup * ;\n", None),
    ("queue.ml", "structure Queue = struct\n  datatype 'a t = Q of 'a list\n  fun push (x, Q xs) = Q (x :: xs)\nend\n", "Standard ML"),
    ("Sales.cls", "public with sharing class Sales {\n    public Integer total { get; set; }\n}\n", None),
    ("Class1.cls", 'VERSION 1.0 CLASS\nBEGIN\n  MultiUse = -1\nEND\nAttribute VB_Name = "Class1"\n', None),
    ("thesis.cls", "\\NeedsTeXFormat{LaTeX2e}\n\\ProvidesClass{thesis}\n\\LoadClass{book}\n", "TeX"),
    ("kernel.cl", "__kernel void add(__global float *a) {\n    a[get_global_id(0)] += 1;\n}\n", None),
    ("tools.cl", "(in-package :tools)\n\n(defun twice (x) (* 2 x))\n", "Common Lisp"),
    ("lines.lsp", '(defun c:lines ( / p)\n  (setq p (getpoint))\n  (command "_.line" p))\n', None),
    ("lexer.l", "%{\n#include <stdio.h>\n%}\n%%\n[0-9]+ { return NUMBER; }\n%%\n", None),
    ("page.st", "group page;\n\nhtml(title) ::= <<\n<title>$title$</title>\n>>\n", None),
    ("plc.st", "FUNCTION_BLOCK Counter\nVAR_INPUT\n  reset : BOOL;\nEND_VAR\n", None),
    ("Stack.cs", "!Stack methodsFor: 'adding'!\npush: anObject\n\t^ items add: anObject! !\n", "Smalltalk"),
    ("web.pp", "class web (\n  String $port = '80',\n) {\n  package { 'nginx': ensure => installed }\n}\n", None),
    ("stack.pp", "unit Stack;\n\ninterface\n\nprocedure Push(X: Integer);\n\nimplementation\n\nend.\n", "Pascal"),
    ("types.inc", "{$mode objfpc}\nprocedure Push(X: Integer);\nbegin\nend;\n", "Pascal"),
    ("config.inc", "<?php\n$limit = 10;\n", "PHP"),
    ("macros.inc", "; macros\n%macro save 0\n    push rax\n%endmacro\n", "Assembly"),
    ("table.inc", "#include <vector>\nstatic std::vector<int> table;\n", "C++"),
    ("prose.inc", "The format is described here;\n  add one section to the other,\nsection by section.\n", None),
    ("env.ex", 'defmodule Env do\n  @moduledoc """\n  include lib/env.e of an\n  atom or integer\n  """\nend\n', "Elixir"),
    ("regression.rs", 'mod tests;\n\nconst C: &str = "\n#include <stdio.h>\n";\n', "Rust"),
    ("Tabulate.ml", "module Make (F : S) = struct\n  type t = F.t\n  val x = fn\nend\n", "OCaml"),
    ("scene.inc", "#declare Red = rgb <1, 0, 0>;\n#macro Ball(X)\n#end\n", None),
    ("recipe.inc", 'SUMMARY = "A tool"\nLICENSE = "MIT"\ninherit autotools\n', None),
    ("menu.inc", '<div class="menu">\n<ul><li>Home</li></ul>\n</div>\n', "HTML"),
    ("tool.bb", 'SUMMARY = "A tool"\nSRC_URI = "git://example.org"\ndo_install() {\n}\n', None),
    ("task.bb", '(ns task)\n(defn run [] (println "ok"))\n', "Clojure"),
    ("insn.md", '(define_insn "addsi3"\n  [(set (match_operand 0))]\n)\n', None),
    ("tool.spec", "Name: tool\nVersion: 1.0\nSummary: A tool\n%description\nA tool.\n", None),
    ("app.spec", "# -*- mode: python -*-\na = Analysis(['app.py'])\npyz = PYZ(a.pure)\n", "Python"),
    ("story.rpy", 'define e = Character("Eileen")\nlabel start:\n    e "Hello"\n', None),
    ("sim.do", "vlib work\nvlog top.v\nvsim work.top\nrun -all\n", None),
    ("board.sch", "(kicad_sch (version 20211123) (generator eeschema))\n", None),
    ("init.sls", "nginx:\n  pkg.installed: []\n", None),
    ("queue.sls", "#!r6rs\n(library (queue)\n  (export push)\n  (import (rnrs)))\n", "Scheme"),
    ("highlights.scm", '; queries\n(identifier) @variable\n["if" "else"] @keyword\n', None),
    ("prime.ex", 'include std/io.e\nprocedure main()\n  puts(1, "hi")\nend procedure\nmain()\n', None),
    ("sine.sc", "SynthDef(\\sine, { |freq = 440|\n  Out.ar(0, SinOsc.ar(freq));\n}).add;\n", None),
    ("build.sc", 'import mill._\n\nobject app extends ScalaModule {\n  def scalaVersion = "3.3.0"\n}\n', "Scala"),
    ("Parser.y", "{\nmodule Parser where\n}\n%name parse\n%tokentype { Token }\n%%\nExp : int { $1 }\n", None),
    ("tokens.es", '%% counts\nmain(_) -> io:format("~p~n", [1]).\n', "Erlang"),
    ("store.es", "import { map } from './map.js';\nexport const twice = map(x => 2 * x);\n", "JavaScript"),
    ("Code.gs", "function onOpen() {\n  SpreadsheetApp.getUi();\n}\n", "JavaScript"),
    ("Main.gs", "uses java.util.ArrayList\n\nprint(new ArrayList())\n", None),
    ("calc.r", 'REBOL [Title: "calc"]\nprint 1 + 2\n', None),
    ("invert.rs", "#pragma version(1)\n#pragma rs java_package_name(org.example)\n", None),
    ("radio.nas", "var tune = func(f) {\n  setprop('/radio', f);\n}\n", None),
    ("build.cake", '#addin "Cake.Git"\nvar target = Argument("target", "Default");\nRunTarget(target);\n', "C#"),
    ("page.php", "<?hh // strict\nfunction f(): int { return 1; }\n", None),
    ("list.tag", '<%@ tag body-content="empty" %>\n<%@ attribute name="items" %>\n', "Java Server Pages"),
    ("riot.tag", "<todo>\n  <h3>{ title }</h3>\n</todo>\n", None),
    ("Filter.shader", 'Shader "Custom/Filter" {\n  SubShader { }\n}\n', None),
    ("view.rest", "GET https://example.org/items\nAccept: application/json\n", None),
    ("copy.cmd", "/* copies, in REXX */\nsay 'copying'\n", None),
    ("mesh.geo", "lc = 1e-2;\nPoint(1) = {0, 0, 0, lc};\n", None),
    ("box.sol", "G04 gerber*\n%FSLAX46Y46*%\nD10*\n", None),
]


@pytest.mark.parametrize(("path", "text", "language"), SIDES, ids=[path for path, _, _ in SIDES])
def test_sides_of_shared_extensions(path, text, language):
    assert detect(path, text).language == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n#ifdef __cplusplus\n}\n#endif\n', "C"),
        ("/* like std::vector, but\n * class of its own\n */\nstruct list { int n; };\n", "C"),
        ("// see foo::bar()\nint bar(void);\n", "C"),
        ("/* -*- Mode: C; tab-width: 4 -*- */\nclass Foo {\npublic:\n  Foo();\n};\n", "C++"),
        ("// -*- C++ -*-\nint f();\n", "C++"),
        ("#include <string>\nint f(const std::string& s);\n", "C++"),
        ("int Foo::bar(int x);\n", "C++"),
        ("enum class Colour { red };\n", "C++"),
        ("inline Money operator+(Money a, Money b);\n", "C++"),
        ("// -*- objc -*-\nint f(void);\n", None),
        ("", "C"),
    ],
)
def test_headers(text, language):
    assert detect("include/x.h", text).language == language
    assert detect("include/x.h.in", text).language == language
    assert detect("include/X.H", text).language == language


@pytest.mark.parametrize(
    ("first_lines", "language"),
    [
        ("#!/bin/sh\n", "Shell"),
        ("#! /usr/bin/env python3.11 -u\n", "Python"),
        ("#!/usr/bin/env -S FOO=1 node --harmony\n", "JavaScript"),
        ("#!/usr/local/bin/perl5.36.0 -w\n", "Perl"),
        ("#!/usr/bin/env Rscript\n", "R"),
        ("#!/bin/tcsh -f\n", "Tcsh"),
        ("#!/usr/bin/awk -f\n", "Awk"),
        ('#!/bin/sh\n# \\\nexec tclsh "$0" "$@"\n', "Tcl"),
        ("#!/bin/sh\n'''exec' /long/path/python3 \"$0\" \"$@\"\n' '''\n", "Python"),
        ('#!/bin/sh\nexec java -jar "$0.jar"\n', "Shell"),
        ("#!/usr/bin/env perl6\n", None),
        ("#!/usr/bin/unknown\n", None),
        ("#!\n", None),
        ("#!/usr/bin/env\n", None),
        (" #!/bin/sh\n", None),
    ],
)
def test_shebang(first_lines, language):
    detection = detect("bin/tool", first_lines + "rest\n")
    assert detection.language == language
    assert detection.how == ("shebang" if language else "extension")


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("# -*- mode: ruby -*-", "Ruby"),
        ("// -*- C++ -*-", "C++"),
        ("# -*- coding: utf-8; mode: python; fill-column: 80 -*-", "Python"),
        ("# vim: set ft=make :", "Makefile"),
        ("-- vim: ts=2 filetype=lua", "Lua"),
        (".. -*- texinfo -*-", None),
        ("# vim: ft=nginx", None),
    ],
)
def test_modeline_decides_where_the_name_does_not(line, language):
    for text in (f"{line}\nx\n", "x\n" * 500 + f"{line}\n"):
        if "-*-" in line and text.startswith("x"):
            continue  # emacs reads the first lines only
        assert detect("etc/thing", text).language == language
        assert detect("etc/thing", text).how == ("modeline" if language else "extension")


@pytest.mark.parametrize(
    ("path", "language", "how"),
    [
        ("a/b/Makefile", "Makefile", "filename"),
        ("CMakeLists.txt", "CMake", "filename"),
        ("Gemfile", "Ruby", "filename"),
        (".bashrc", "Shell", "filename"),
        (".cshrc", "Tcsh", "filename"),
        ("makefile.py", "Python", "extension"),
        ("x.d.ts", "TypeScript", "content"),
        ("x.lagda.md", "Literate Agda", "extension"),
        ("x.coffee.md", "Literate CoffeeScript", "extension"),
        ("x.F90", "Fortran", "extension"),
        ("a.b.c.py", "Python", "extension"),
        ("notes.txt", None, "extension"),
        ("logo.svg", None, "extension"),
        ("de.po", None, "extension"),
        ("fast.pyx", None, "extension"),
        ("view.blade.php", None, "extension"),
        ("README.emacs", None, "extension"),
        ("LICENSE.mysql", None, "extension"),
        ("install.py", "Python", "extension"),
        ("license.rb", "Ruby", "extension"),
        ("README.MD", "Markdown", "content"),
        ("README.md", "Markdown", "content"),
        ("README.rst", "reStructuredText", "extension"),
        ("py", None, "extension"),
        (".py", None, "extension"),
        ("folder.py/data", None, "extension"),
        ("", None, "extension"),
    ],
)
def test_names(path, language, how):
    assert detect(path, "plain words\n") == (language, how)


def test_dockerfile_variants_need_a_from_line():
    assert detect("Dockerfile.gpu", "FROM ubuntu:22.04\nRUN true\n").language == "Dockerfile"
    assert detect("Dockerfile.j2", "FROM {{ image }}\n").language is None


def test_a_mode_line_of_an_unrelated_language_does_not_decide_a_shared_extension():
    assert detect("x.ts", "#!/usr/bin/env node\nexport {};\n").language == "TypeScript"
    assert detect("x.h", "/* -*- mode: python -*- */\nint f(void);\n").language == "C"


def test_evidence_beyond_the_head_is_not_read():
    late = "int f(void);\n" * (HEAD_CHARACTERS // 12) + "class Foo {\n};\n"
    assert detect("x.h", late).language == "C"


def test_old_mac_lines():
    assert detect("Stack.cs", "!Stack methodsFor: 'adding'!\rpush: x\r\t^ x! !\r").language == "Smalltalk"


ANY_TEXT = st.text(alphabet=st.characters(), max_size=400)
CODE = st.text(alphabet=string.printable, max_size=400)
KNOWN_EXTENSIONS = sorted({extension for language in LANGUAGES for extension in language.extensions})


@given(st.one_of(ANY_TEXT, st.builds(lambda stem, ext: stem + ext, CODE, st.sampled_from(KNOWN_EXTENSIONS))), st.one_of(ANY_TEXT, CODE))
@example("a/.", "")
@example("\ud800.py", "\ud800")
@example("x\0.h", "\0")
@example("/", "#!/usr/bin/env -S -S")
def test_never_raises_and_answers_in_its_own_terms(path, content):
    detection = detect(path, content)
    assert detection.language is None or detection.language in BY_NAME
    assert detection.how in HOW
    assert extension_of(path) == "" or extension_of(path).startswith(".")


@given(st.sampled_from(sorted(set(KNOWN_EXTENSIONS) - set(AMBIGUOUS))), CODE)
def test_an_extension_of_one_language_decides_whatever_the_text(extension, content):
    owner = next(language.name for language in LANGUAGES if extension in language.extensions)
    assert detect(f"dir/name{extension}", content) == (owner, "extension")


REPEATED = [
    "(*",
    "a()",
    "a ",
    'print "',
    "class a ",
    "((",
    "a::",
    "<a",
    "[",
    " ",
    "\n",
    "@a ",
    "a=>",
    "{|",
    "a:",
    "class\n",
    "procedure a(\n",
]


@pytest.mark.parametrize("extension", sorted(AMBIGUOUS))
def test_hostile_repetition_ends(extension):
    # Nested repetitions would make these take minutes or for ever; the run's time-out is the judge.
    for unit in REPEATED:
        for start in ("", "class ", "x = ", "(defun ", "Lemma a"):
            assert detect(f"x{extension}", start + unit * (HEAD_CHARACTERS // len(unit))).how in HOW
