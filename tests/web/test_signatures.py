from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.web.signatures import MAX_NAMES, SCANNED_BYTES, read_markup


@pytest.mark.parametrize(
    ("meta", "generator"),
    [
        (b'<meta name="generator" content="WordPress  6.4">', "wordpress 6.4"),
        (b"<META CONTENT='DocBook XSL' NAME='Generator'>", "docbook xsl"),
        (b"<meta name=generator content=Hugo>", "hugo"),
        (b'<meta name="description" content="generator"><meta name="generator" content="Sphinx">', "sphinx"),
        (b'<meta name="description" content="a generator">', ""),
        (b"", ""),
        (b'<meta name="generator" content="\xff\xfe">', "��"),
    ],
)
def test_generators(meta, generator):
    assert read_markup(b"<html><head>" + meta + b"</head>").generator == generator


def test_names():
    body = b"""<div class="Post-Content post-12 md:flex" id='comment-345'><p class=lead>x</p><p class="lead">y</p></div>
    <script type="application/ld+json">{"@type": "QAPage", "x": {"@type":["Answer"]}}</script>
    <div itemscope itemtype="https://schema.org/Product">"""
    found = "comment-0 flex lead md post-0 post-content schema:answer schema:product schema:qapage"
    assert read_markup(body).names == found


def test_names_are_bounded():
    body = b"".join(b'<p class="n%s">' % bytes([97 + i % 26, 97 + i // 26 % 26, 97 + i // 676]) for i in range(5000))
    assert len(read_markup(body).names.split()) == MAX_NAMES
    assert read_markup(b" " * SCANNED_BYTES + b'<p class="late">').names == ""


@given(
    st.lists(
        st.sampled_from([b'class="', b" id='", b"<meta name=generator content=", b'"@type":', b"\xff", b"a", b'"', b">", b" "]), max_size=80
    )
)
def test_any_bytes(parts):
    found = read_markup(b"".join(parts))
    assert "\n" not in found.names + found.generator
