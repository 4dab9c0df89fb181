"""The main content of an HTML page as Markdown, with its code intact.

resiliparse (lexbor) makes of any bytes the tree that a browser would make, and writes it down again: well-formed, every element closed,
four characters escaped. That text is read once, from tag to tag. Nothing here recurses, and every step is linear in the page.

Its own ``extract_plain_text(main_content=True)`` is as fast, but loses code: it drops lists near the top of the tree with all they hold,
knows no inline code, no tables and no languages, and keeps line numbers (docs/web_extraction.md has the figures).
"""

from __future__ import annotations

import re

from resiliparse.parse.html import HTMLTree

from beam_seed.web.charset import decode
from beam_seed.web.guard import tame
from beam_seed.web.markdown import join
from beam_seed.web.markdown_text import words_text
from beam_seed.web.records import Extracted
from beam_seed.web.walk import Walk

_TOKEN = re.compile(
    r"(<!--.*?-->|<(?:script\b.*?</script>|style\b.*?</style>|iframe\b.*?</iframe>|xmp\b.*?</xmp>"
    r"|noembed\b.*?</noembed>|noframes\b.*?</noframes>|plaintext\b.*?</plaintext>|[^\">]*+(?:\"[^\"]*+\"[^\">]*+)*+>))",
    re.DOTALL,
)
_CONTROLS = re.compile("[\0-\x08\x0b\x0e-\x1f]")
_NO_CONTROLS = bytes([*b"\t\n\f\r", *range(32, 256)])  # what is left of a body without these tells whether it has control characters


def extract(body: bytes, charset: str = "") -> Extracted:
    """The main content of a page. Deterministic; fails on no input.

    Args:
        body: HTML as the server sent it, content encoding undone.
        charset: of the HTTP header; '' = not told. See ``charset.decode`` for what wins.
    """
    decoded = decode(body, charset)
    source = tame(_CONTROLS.sub("", decoded.text) if body.translate(None, _NO_CONTROLS) else decoded.text)
    tree = HTMLTree.parse(source)
    page = Walk()
    page.read(_TOKEN.split(_content_of(tree, source)))
    markdown = join(page.writer.blocks)
    return Extracted(
        title=" ".join((tree.title or "").split()),
        markdown=markdown,
        charset=decoded.charset,
        language=_page_language(tree),
        code_tags=page.code_tags,
        code_blocks=page.code_blocks,
        words=len(words_text(markdown).split()),
        # Links are measured before their spaces are collapsed and their entities read.
        link_share=min(page.linked / max(page.chars + page.code_chars, 1), 1.0),
    )


def extract_text(body: bytes) -> Extracted:
    """The record of a page of which only the text is known (WET)."""
    decoded = decode(body, "utf-8")
    text = _CONTROLS.sub("", decoded.text).strip()
    return Extracted(text.partition("\n")[0].strip(), text, decoded.charset, "", 0, 0, len(words_text(text).split()), 0.0)


def _content_of(tree: HTMLTree, source: str) -> str:
    """The serialised ``<main>``, where the page has exactly one and all code and main headings are in it, else ``<body>``."""
    body = tree.body
    if body is None:
        return ""
    if "main" in source:
        mains = body.query_selector_all("main, [role=main]")
        if len(mains) == 1:
            main: str = mains[0].inner_html
            if all(main.count(tag) >= source.count(tag) for tag in ("<pre", "<h1")):
                return main
    return body.inner_html


def _page_language(tree: HTMLTree) -> str:
    root = tree.document.document_element if tree.document is not None else None
    return (root.get_attribute("lang") or "").strip().lower()[:35] if root is not None else ""
