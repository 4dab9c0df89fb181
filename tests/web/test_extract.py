"""One small page for each way in which sites mark code up, with the Markdown that is expected of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.web.extract import extract, extract_text

CODE = "def f(x):\n    if x < 1:\n\treturn x"
CODE_HTML = CODE.replace("<", "&lt;")
LINES = CODE_HTML.split("\n")


def block(code: str, language: str = "") -> str:
    return f"```{language}\n{code}\n```"


PAGES = {
    "pre alone": (f"<pre>{CODE_HTML}</pre>", block(CODE)),
    "sphinx": (
        f"<div class='highlight-python3 notranslate'><div class=highlight><pre><span></span>{CODE_HTML}\n</pre></div></div>",
        block(CODE, "python3"),
    ),
    "sphinx numbers in a table": (
        f"<table class=highlighttable><tr><td class=linenos><div class=linenodiv><pre>1\n2\n3</pre></div></td><td class=code><pre>{CODE_HTML}</pre></td></tr></table>",  # noqa: E501
        block(CODE),
    ),
    "numbers in a table without a name": (f"<table><tr><td><pre>1\n2\n3</pre><td><pre>{CODE_HTML}</pre></table>", block(CODE)),
    "pygments numbers in line": (
        "<div class=highlight><pre>"
        + "\n".join(f"<span class=linenos>{n}</span> {line}" for n, line in enumerate(LINES, 1))
        + "</pre></div>",
        block(CODE),
    ),
    "mkdocs": (f"<pre><code class='language-py hljs'>{CODE_HTML}\n</code></pre>", block(CODE, "py")),
    "docusaurus": (
        "<div class='language-js codeBlockContainer_x theme-code-block'><pre class='prism-code language-js'><code>"
        + "".join(f"<span class=token-line>{line}<br></span>" for line in LINES)
        + "</code></pre><div class=buttonGroup><button>Copy</button></div></div>",
        block(CODE, "js"),
    ),
    "rouge": (
        "<div class='language-ruby highlighter-rouge'><div class=highlight><pre class=highlight><code><table class=rouge-table><tbody><tr>"
        f"<td class='rouge-gutter gl'><pre class=lineno>1\n2\n3\n</pre></td><td class=rouge-code><pre>{CODE_HTML}\n</pre></td></tr></tbody></table></code></pre></div></div>",  # noqa: E501
        block(CODE, "ruby"),
    ),
    "chroma": (
        "<div class=highlight><pre class=chroma><code class=language-go data-lang=go>"
        + "".join(f"<span class=line><span class=ln>{n}</span><span class=cl>{line}\n</span></span>" for n, line in enumerate(LINES, 1))
        + "</code></pre></div>",
        block(CODE, "go"),
    ),
    "hexo": (
        "<figure class='highlight java'><table><tr><td class=gutter><pre><span class=line>1</span><br><span class=line>2</span><br></pre></td>"  # noqa: E501
        "<td class=code><pre><span class=line>int a;</span><br><span class=line></span><br><span class=line>  int b;</span><br></pre></td></tr></table></figure>",  # noqa: E501
        block("int a;\n\n  int b;", "java"),
    ),
    "csdn": (
        "<pre class=has><code class='language-go hljs'><ol class=hljs-ln>"
        + "".join(
            f"<li><div class=hljs-ln-numbers><div class='hljs-ln-line hljs-ln-n' data-line-number={n}></div></div>"
            f"<div class=hljs-ln-code><div class=hljs-ln-line>{line.replace(' ', '&nbsp;')}</div></div></li>"
            for n, line in enumerate(LINES, 1)
        )
        + "</ol></code><ul class=pre-numbering><li>1</li><li>2</li></ul><div class='hljs-button' data-title=x></div></pre>",
        block(CODE, "go"),
    ),
    "doxygen": (
        "<div class=fragment>"
        + "\n".join(f"<div class=line><a id=l{n}></a><span class=lineno>   {n}</span> {line}</div>" for n, line in enumerate(LINES, 1))
        + "<div class=ttc>tip</div></div>",
        block(CODE),
    ),
    "syntax highlighter": (
        "<div class='syntaxhighlighter nogutter java'><table><tr><td class=gutter><div class='line number1'>1</div></td><td class=code><div class=container>"  # noqa: E501
        + "".join(
            f"<div class='line number{n}'><code class='java plain'>{line.replace(' ', '&nbsp;')}</code></div>"
            for n, line in enumerate(LINES, 1)
        )
        + "</div></td></tr></table></div>",
        block(CODE, "java"),
    ),
    "github file": (
        "<table class='highlight js-file-line-container'>"
        + "".join(
            f"<tr><td class=blob-num data-line-number={n}></td><td class='blob-code js-file-line'>{line}</td></tr>"
            for n, line in enumerate(LINES, 1)
        )
        + "</table>",
        block(CODE),
    ),
    "github fence": (f"<div class='highlight highlight-source-shell'><pre>{CODE_HTML}</pre></div>", block(CODE, "shell")),
    "stack exchange": (
        f"<pre class='lang-py s-code-block'><code class='hljs language-python'>{CODE_HTML}\n</code></pre>",
        block(CODE, "py"),
    ),
    "phpbb": (
        "<dl class=codebox><dd><code>" + "<br>".join(line.replace(" ", "&nbsp;") for line in LINES) + "</code></dd></dl>",
        block(CODE),
    ),
    "go example": (f"<textarea class='Documentation-exampleCode code' spellcheck=false>{CODE_HTML}\n</textarea>", block(CODE)),
    "brush": (f"<pre class='brush: js notranslate'><code>{CODE_HTML}</code></pre>", block(CODE, "js")),
    "pandoc": (
        f"<div class=sourceCode><pre class='sourceCode haskell'><code class='sourceCode haskell'>{CODE_HTML}</code></pre></div>",
        block(CODE, "haskell"),
    ),
    "style": (
        "<div style='font-family:Menlo,monospace;white-space:pre'>" + "".join(f"<div>{line}</div>" for line in LINES) + "</div>",
        block(CODE),
    ),
    "rows of number and code": (
        "<pre>" + "".join(f"<div><span>{n}</span><div>{line}</div></div>" for n, line in enumerate(LINES, 1)) + "</pre>",
        block(CODE),
    ),
    "backticks in code": ("<pre>a\n```\nb</pre>", "````\na\n```\nb\n````"),
    "prompts are text": ("<pre><span class=gp>&gt;&gt;&gt; </span>1<span style='user-select:none'>$ </span></pre>", block(">>> 1")),
    "numbers that are output": ("<pre>1\n2\n3</pre>", block("1\n2\n3")),
    "inline": ("<p>A <code>List&lt;T&gt;</code>, a <tt>b</tt> and <kbd>c`d</kbd>.</p>", "A `List<T>`, a `b` and `` c`d ``."),
    "hard-wrapped inline code": ("<p><code>f(a,\n  b)</code></p>", "`f(a, b)`"),
    "list": ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d<li>e</ol>", "- a\n  - b\n- c\n1. d\n2. e"),
    "table": ("<table><tr><th>a<th>b<tr><td>1|<td>2</table>", "| a | b |\n| --- | --- |\n| 1\\| | 2 |"),
    "quote": ("<blockquote><p>a<br>b</p></blockquote>", "> a\n> b"),
    "heading": ("<h2>A <code>b</code><a class=headerlink href=#a>¶</a></h2><p>c", "## A `b`\n\nc"),
    "comment text is no copy button": ("<p><span class=comment-copy>hello</span>", "hello"),
    "section about search": ("<section id=search><h2>Search</h2><p>text</section>", "## Search\n\ntext"),
}


@pytest.mark.parametrize("name", PAGES)
def test_markup(name: str) -> None:
    html, markdown = PAGES[name]
    assert extract(f"<!doctype html><title>t</title><body>{html}".encode()).markdown == markdown


FURNITURE = {
    "nav": "<nav><a href=/>Home</a></nav>",
    "cookie banner": "<div class='cookie-banner'><p>We use cookies.</p></div>",
    "related": "<div class=related-posts><a href=/a>One</a></div>",
    "footer": "<footer>Copyright</footer>",
    "sidebar": "<div id=sidebar>Latest</div>",
    "list of links": "<ul><li><a href=a>One page</a><li><a href=b>Another page</a></ul>",
    "script": "<script>var a = '<p>b</p>';</script><style>p {}</style>",
}


@pytest.mark.parametrize("name", FURNITURE)
def test_furniture_is_dropped_unless_it_holds_code(name: str) -> None:
    page = f"<body>{FURNITURE[name]}<h1>Title</h1><p>Text.</p>{FURNITURE[name]}"
    assert extract(page.encode()).markdown == "# Title\n\nText."


def test_code_keeps_what_is_called_furniture() -> None:
    assert block("x = 1") in extract(b"<div class=sidebar><p>Note</p><pre>x = 1</pre></div>").markdown


def test_record() -> None:
    found = extract("<html lang=de><title> a\n b </title><p>Größe <code>x</code> <a href=y>abc</a>".encode("latin-1"), "latin-1")
    assert (found.title, found.language, found.charset, found.code_tags, found.code_blocks, found.words) == ("a b", "de", "cp1252", 1, 0, 3)
    assert 0 < found.link_share < 1
    assert extract_text(b"Titel\n\nText").title == "Titel"


@pytest.mark.parametrize(
    "page",
    [
        b"<div>" * 100_000,
        b"<ul><li>" * 20_000,
        b"<div class=codeblock>" * 20_000 + b"<pre>x</pre>",
        b"<p" * 300_000,
        b"&lt;" * 300_000,
        b"&" * 300_000,
        b"\0" * 100_000,
        b'<div class="' + b"nav " * 300_000 + b'">x',
        b"<div " + b" ".join(b"a%d=b" % i for i in range(300_000)) + b">x",
        b"<p>" + b"".join(b"<font a=%d>" % i for i in range(2000)) + b"</p>" + b"<p>x</p>" * 4000,
        b"<pre>a\n b</pre>" * 5000,
        b"<!--" * 100_000,
    ],
    ids=[
        "nested",
        "lists",
        "containers",
        "unclosed",
        "entities",
        "ampersands",
        "nul",
        "attribute",
        "attributes",
        "formatting",
        "blocks",
        "comments",
    ],
)
def test_hostile_pages_come_through(page: bytes) -> None:
    # What was quadratic in any of these took minutes or gigabytes: the suite's own limit ends such a run.
    assert len(extract(page).markdown) <= 3 * len(page)


_PIECES = st.sampled_from(
    re.findall(
        r"<[^>]+>|\S+",
        "<div> </div> <pre> </pre> <code> </code> <table> <tr> <td> </td> </table> <ul> <li> </ul> <br> <a> </a> <h1> </h1> <b> <p> &lt; `"
        " <!-- --> <svg> <textarea> </textarea> <script> </script> <blockquote> </blockquote> <span class=line> </span> <xmp> </xmp>"
        ' <td class=gutter> <div class=fragment> "',
    )
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=60))
def test_any_tag_soup_gives_a_record(pieces: list[str]) -> None:
    body = "".join(pieces).encode()
    found = extract(body)
    assert 0 <= found.link_share <= 1
    assert found == extract(body)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=("Cc", "Cs")), min_size=1).filter(str.strip))
@settings(max_examples=150, deadline=None)
def test_any_code_survives_verbatim(line: str) -> None:
    code = f"begin\n    {line}\nend"
    escaped = code.replace("&", "&amp;").replace("<", "&lt;")
    shown = code.replace("\xa0", " ").replace("\u200b", "").replace("\ufeff", "")
    assert shown in extract(f"<pre>{escaped}</pre>".encode()).markdown
