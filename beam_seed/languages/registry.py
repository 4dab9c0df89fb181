"""The 89 languages of the corpus: names, extensions, file names, interpreters and comment syntax.

Names are GitHub linguist's current ones. An extension that another well-known language (or two of ours) also uses is listed
here all the same and has a rule in ``heuristics.py``; one whose files are mostly not source is left out on purpose
(``.nb`` and ``.cdf`` notebooks, ``.aux`` and ``.toc`` of TeX, ``.rd``, ``.tab``, lock files, ``.d`` dependency files).
Dialects that linguist groups under a language count as it where one parser reads both: free-form Fortran, TSX (TypeScript),
Lean 4, Unix and 68K assembly, Bison (Yacc), the SQL dialects. JSON with comments does not: it is not valid JSON.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """One language. All look-up keys are lower case except file names, which are matched as written."""

    name: str  # linguist's spelling
    extensions: tuple[str, ...]  # with the dot; compound ones ('.class.st') win over their last part
    filenames: tuple[str, ...]
    interpreters: tuple[str, ...]  # names in a '#!' line, without version
    line_comments: tuple[str, ...]  # what starts a comment that ends with the line
    block_comments: tuple[tuple[str, str], ...]  # opening and closing marks
    aliases: tuple[str, ...]  # other names, editors' mode names among them


def _language(
    name: str,
    extensions: str = "",
    filenames: str = "",
    interpreters: str = "",
    line: str = "",
    block: str = "",
    aliases: str = "",
) -> Language:
    """A Language from space-separated lists; ``block`` alternates opening and closing marks, aliases are comma-separated."""
    marks = block.split()
    return Language(
        name,
        tuple(extensions.split()),
        tuple(filenames.split()),
        tuple(interpreters.split()),
        tuple(line.split()),
        tuple(zip(marks[::2], marks[1::2], strict=True)),
        tuple(aliases.split(",")) if aliases else (),
    )


_C = "/* */"
_XML = "<!-- -->"
_ML = "(* *)"

LANGUAGES: tuple[Language, ...] = (
    _language("ANTLR", ".g4", line="//", block=_C),
    _language("Ada", ".adb .ada .ads", line="--", aliases="ada95,ada2005"),
    _language("Agda", ".agda", line="--", block="{- -}"),
    _language("Alloy", ".als", line="// --", block=_C),
    _language("AppleScript", ".applescript .scpt", "", "osascript", "-- #", _ML, "osascript"),
    _language("Assembly", ".asm .a51 .inc .nas .nasm .s .x68", line="; # //", block=_C, aliases="asm,nasm,gas"),
    _language("Augeas", ".aug", block=_ML),
    _language("Awk", ".awk .auk .gawk .mawk .nawk", "", "awk gawk mawk nawk", "#", aliases="AWK"),
    _language("Batchfile", ".bat .cmd", line="rem ::", aliases="bat,batch,dosbatch,winbatch"),
    _language("Bluespec", ".bsv", line="//", block=_C, aliases="bsv"),
    _language("C", ".c .h .h.in", "", "tcc", "//", _C),
    _language("C#", ".cs .cake .cs.pp .csx .linq", line="//", block=_C, aliases="csharp,cake"),
    _language(
        "C++", ".cpp .c++ .cc .cppm .cxx .h .h.in .h++ .hh .hpp .hxx .inc .inl .ino .ipp .ixx .tcc .tpp .txx", "", "", "//", _C, "cpp"
    ),
    _language("CMake", ".cmake .cmake.in", "CMakeLists.txt", line="#", block="#[[ ]]"),
    _language("CSS", ".css", block=_C),
    _language("Clojure", ".clj .bb .boot .cl2 .cljc .cljs .cljs.hl .cljscm .cljx .hic", "riemann.config", "bb", ";"),
    _language(
        "CoffeeScript", ".coffee ._coffee .cake .cjsx .coffee.erb .iced", "Cakefile", "coffee", "#", "### ###", "coffee,coffee-script"
    ),
    _language("Common Lisp", ".lisp .asd .cl .l .lsp .ny .podsl", "", "lisp sbcl ccl clisp ecl", ";", "#| |#", "lisp"),
    _language("Cuda", ".cu .cuh", line="//", block=_C, aliases="CUDA"),
    _language("Dart", ".dart", "", "dart", "//", _C),
    _language("Dockerfile", ".dockerfile .containerfile", "Containerfile Dockerfile", line="#", aliases="Containerfile"),
    _language("Elixir", ".ex .exs", "", "elixir", "#"),
    _language("Elm", ".elm", line="--", block="{- -}"),
    _language(
        "Emacs Lisp",
        ".el .emacs",
        ".emacs .gnus .spacemacs .viper Cask Eask Project.ede _emacs",
        "emacs",
        ";",
        "",
        "elisp,emacs,emacs-lisp",
    ),
    _language("Erlang", ".erl .app .app.src .es .escript .hrl .xrl .yrl", "Emakefile rebar.config", "escript", "%"),
    _language("F#", ".fs .fsi .fsx", "", "fsi fsharpi", "//", _ML, "fsharp"),
    _language("Fortran", ".f .f03 .f08 .f77 .f90 .f95 .for .fpp .ftn", line="! C c *", aliases="f90,f95"),
    _language(
        "GLSL",
        ".glsl .comp .fp .frag .frg .fs .fsh .fshader .geo .geom .glslf .glslv .gs .gshader .rchit .rmiss .shader .tesc .tese"
        " .vert .vrx .vs .vsh .vshader",
        line="//",
        block=_C,
    ),
    _language("Go", ".go", line="//", block=_C, aliases="golang"),
    _language("Groovy", ".groovy .gradle .grt .gtpl .gvy", "Jenkinsfile", "groovy", "//", _C),
    _language("HTML", ".html .hta .htm .html.hl .inc .xht .xhtml", block=_XML, aliases="xhtml"),
    _language("Haskell", ".hs .hs-boot .hsc", "", "runghc runhaskell runhugs", "--", "{- -}"),
    _language("Idris", ".idr .lidr", "", "idris idris2", "--", "{- -}"),
    _language("Isabelle", ".thy", block=_ML),
    _language(
        "JSON",
        ".json .avsc .geojson .gltf .har .json-tmlanguage .json.example .jsonl .mcmeta .sarif .tfstate .topojson .webapp .webmanifest",
        ".all-contributorsrc .arcconfig .auto-changelog .c8rc .htmlhintrc .imgbotconfig .nycrc .tern-config .tern-project"
        " .watchmanconfig mcmod.info",
        aliases="jsonl,geojson,topojson,sarif",
    ),
    _language("Java", ".java .jav", line="//", block=_C),
    _language("Java Server Pages", ".jsp .tag", block=f"<%-- --%> {_XML}", aliases="jsp"),
    _language(
        "JavaScript",
        ".js ._js .bones .cjs .es .es6 .frag .gs .jake .javascript .jsb .jscad .jsfl .jslib .jsm .jspre .jss .jsx .mjs .njs .pac .sjs"
        " .ssjs .xsjs .xsjslib",
        "Jakefile",
        "bun chakra d8 gjs js node nodejs qjs rhino v8 v8-shell",
        "//",
        _C,
        "js,js2,rjsx",
    ),
    _language("Julia", ".jl", "", "julia", "#", "#= =#"),
    _language("Kotlin", ".kt .ktm .kts", "", "kotlin", "//", _C),
    _language("Lean", ".lean .hlean", line="--", block="/- -/", aliases="Lean 4,lean4"),
    _language("Literate Agda", ".lagda .lagda.md .lagda.rst .lagda.tex", line="--", block="{- -}"),
    _language("Literate CoffeeScript", ".litcoffee .coffee.md", line="#", block="### ###", aliases="litcoffee"),
    _language("Literate Haskell", ".lhs", line="--", block="{- -}", aliases="lhs,lhaskell"),
    _language("Lua", ".lua .fcgi .nse .pd_lua .rbxs .rockspec .wlua", ".luacheckrc", "lua luajit", "--", "--[[ ]]"),
    _language("MATLAB", ".m .matlab", "", "octave", "%", "%{ %}", "octave"),
    _language(
        "Makefile",
        ".mak .make .makefile .mk .mkfile",
        "BSDmakefile GNUmakefile Kbuild Makefile Makefile.am Makefile.boot Makefile.frag Makefile.in Makefile.inc Makefile.pc Makefile.wat"
        " makefile makefile.sco mkfile",
        "make",
        "#",
        aliases="make,makefile-gmake,gnumakefile,bsdmake",
    ),
    _language("Maple", ".mpl .maple", line="#", block=_ML),
    _language(
        "Markdown", ".md .livemd .markdown .mdown .mdwn .mkd .mkdn .mkdown .ronn .workbook", "contents.lr", block=_XML, aliases="md,pandoc"
    ),
    _language("OCaml", ".ml .eliom .eliomi .ml4 .mli .mll .mly", "", "ocaml ocamlrun ocamlscript", "", _ML, "tuareg,caml"),
    _language(
        "PHP",
        ".php .cgi .ctp .fcgi .inc .php3 .php4 .php5 .phps .phpt",
        ".php_cs .php_cs.dist .php-cs-fixer.php .php-cs-fixer.dist.php Phakefile",
        "php",
        "// #",
        _C,
        "inc",
    ),
    _language("Pascal", ".pas .dpr .inc .lpr .pascal .pp", "", "instantfpc", "//", f"{{ }} {_ML}", "delphi,objectpascal,fpc"),
    _language(
        "Perl",
        ".pl .al .cgi .fcgi .perl .ph .plx .pm .psgi .t",
        ".latexmkrc Makefile.PL Rexfile ack cpanfile latexmkrc",
        "cperl perl",
        "#",
        "",
        "cperl",
    ),
    _language("PowerShell", ".ps1 .psd1 .psm1", "", "pwsh powershell", "#", "<# #>", "posh,pwsh"),
    _language("Prolog", ".pl .plt .pro .prolog .yap", "", "swipl yap", "%", _C),
    _language("Protocol Buffer", ".proto", line="//", block=_C, aliases="proto,protobuf,Protocol Buffers"),
    _language(
        "Python",
        ".py .cgi .fcgi .gyp .gypi .lmi .py3 .pyde .pyi .pyp .pyt .pyw .rpy .spec .tac .wsgi",
        ".gclient DEPS SConscript SConstruct wscript",
        "python pypy uv",
        "#",
        aliases="py,python3,py3",
    ),
    _language("R", ".r .rsx", ".Rprofile expr-dist", "Rscript R", "#", aliases="Rscript,splus,ess-r"),
    _language("RMarkdown", ".rmd .qmd", block=_XML, aliases="R Markdown"),
    _language("Racket", ".rkt .rktl .scrbl", "", "racket", ";", "#| |#"),
    _language(
        "Ruby",
        ".rb .builder .cgi .eye .fcgi .gemspec .god .jbuilder .mspec .podspec .prawn .rabl .rake .rbi .rbuild .rbw .rbx .ru .ruby "
        ".spec .thor"
        " .watchr",
        ".irbrc .pryrc .simplecov Appraisals Berksfile Brewfile Buildfile Capfile Dangerfile Deliverfile Fastfile Gemfile Guardfile Jarfile"
        " Mavenfile Podfile Puppetfile Rakefile Snapfile Steepfile Thorfile Vagrantfile buildfile",
        "ruby macruby rake jruby rbx",
        "#",
        "=begin =end",
        "rb,jruby",
    ),
    _language("Rust", ".rs .rs.in", "", "rust-script", "//", _C, "rs"),
    _language("SAS", ".sas", line="*", block=_C),
    _language("SPARQL", ".sparql .rq", line="#"),
    _language("SQL", ".sql .ddl .inc .mysql .prc .udf .viw", line="-- #", block=_C, aliases="mysql,plpgsql,plsql,tsql"),
    _language("Scala", ".scala .kojo .sbt .sc", "", "scala amm", "//", _C),
    _language("Scheme", ".scm .sch .sld .sls .sps .ss", "", "scheme guile bigloo chicken csi gosh r6rs", ";", "#| |#"),
    _language(
        "Shell",
        ".sh .bash .bats .cgi .command .fcgi .ksh .pacscript .sbatch .sh.in .slurm .tmux .zsh .zsh-theme",
        ".bash_aliases .bash_functions .bash_logout .bash_profile .bashrc .envrc .flaskenv .kshrc .profile .tmux.conf .xinitrc .xsession"
        " .zlogin .zlogout .zprofile .zshenv .zshrc 9fs PKGBUILD bash_aliases bash_logout bash_profile bashrc gradlew kshrc mvnw profile"
        " tmux.conf xinitrc xsession zlogin zlogout zprofile zshenv zshrc",
        "ash bash bats dash ksh mksh pdksh rc sh zsh",
        "#",
        aliases="sh,bash,zsh,shell-script",
    ),
    _language("Smalltalk", ".st .class.st .extension.st .trait.st .cs", "", "gst", "", '" "', "squeak"),
    _language("Solidity", ".sol", line="//", block=_C),
    _language("Stan", ".stan", line="// #", block=_C),
    _language("Standard ML", ".sml .fun .ml .sig", block=_ML, aliases="sml"),
    _language("Stata", ".do .ado .doh .mata .matah", line="* //", block=_C),
    _language("Swift", ".swift", "", "swift", "//", _C),
    _language("SystemVerilog", ".sv .svh .vh", line="//", block=_C),
    _language("Tcl", ".tcl .cgi .sdc .tcl.in .tm .xdc", "owh starfield", "tclsh wish expect", "#", aliases="sdc,xdc"),
    _language("Tcsh", ".tcsh .csh .sh", ".cshrc .login .logout .tcshrc cshrc", "tcsh csh", "#", aliases="csh"),
    _language("TeX", ".tex .bbx .cbx .cls .dtx .ins .lbx .ltx .mkii .mkiv .mkvi .sty", line="%", aliases="latex,plain-tex,context"),
    _language("Thrift", ".thrift", line="// #", block=_C),
    _language("TypeScript", ".ts .cts .mts .tsx", "", "deno ts-node tsx", "//", _C, "ts,TSX,typescriptreact"),
    _language("VHDL", ".vhdl .vhd .vhf .vhi .vho .vhs .vht .vhw", line="--", block=_C),
    _language("Verilog", ".v .veo", line="//", block=_C),
    _language("Visual Basic .NET", ".vb .vbhtml", line="' rem", aliases="Visual Basic,vb.net,vbnet,vb"),
    _language(
        "Wolfram Language", ".wl .m .mathematica .mt .wls .wlt", "", "wolframscript WolframKernel", "", _ML, "Mathematica,mma,wolfram,wl"
    ),
    _language("XSLT", ".xslt .xsl", block=_XML, aliases="xsl"),
    _language(
        "YAML",
        ".yml .yaml .mir .reek .rviz .sublime-syntax .yaml-tmlanguage .yaml.sed .yml.mysql",
        ".clang-format .clang-tidy .clangd .gemrc CITATION.cff",
        "",
        "#",
        aliases="yml",
    ),
    _language("Yacc", ".y .bison .ypp .yacc .yxx .yy", line="//", block=_C, aliases="bison"),
    _language("Zig", ".zig .zig.zon", line="//"),
    _language("reStructuredText", ".rst .rest .rest.txt .rst.txt", line="..", aliases="rst"),
)

# What the Seed-Coder report calls the languages that linguist has another name for; Maple is in no table of linguist's.
RECIPE_NAMES: dict[str, str] = {
    "Awk": "AWK",
    "Cuda": "CUDA",
    "Visual Basic .NET": "Visual Basic",
    "Wolfram Language": "Mathematica",
}

BY_NAME: dict[str, Language] = {language.name: language for language in LANGUAGES}


def slug(name: str) -> str:
    """A language's name as part of a file name: lower case, 'C#' as 'csharp', 'C++' as 'cpp'."""
    return name.lower().replace("#", "sharp").replace("+", "p").replace(".", "").replace(" ", "-")
