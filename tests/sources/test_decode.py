"""Bytes to text: the standard library's codecs are the oracle."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_seed.sources.decode import MAX_CONTROL_SHARE, NoText, Text, decode

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t"))


@given(TEXT)
def test_utf8_with_and_without_mark(text: str) -> None:
    for data in (text.encode(), codecs.BOM_UTF8 + text.encode()):
        decoded = decode(data)
        assert isinstance(decoded, Text)
        assert decoded.content == (text.removeprefix("\ufeff") if data == text.encode() else text)
        assert decoded.utf8 == decoded.content.encode()


@given(TEXT, st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]))
def test_marked_utf16_and_utf32(text: str, encoding: str) -> None:
    decoded = decode("\ufeff".encode(encoding) + text.encode(encoding))
    if encoding == "utf-16-le" and text[:1] == "\0":
        return  # is UTF-32's mark
    assert isinstance(decoded, Text)
    assert decoded.content == text


@given(st.binary(max_size=300))
def test_any_bytes_give_a_verdict(data: bytes) -> None:
    decoded = decode(data)
    if isinstance(decoded, Text):
        assert decoded.content.encode() == decoded.utf8
        assert "\0" not in decoded.content
    else:
        assert decoded.rule in ("binary", "undecodable")
        assert decoded.measured is not None


@given(st.builds(lambda start, end: start + b"\0" + end, st.binary(max_size=50), st.binary(max_size=50)))
def test_nul_without_mark_is_binary(data: bytes) -> None:
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8, codecs.BOM_UTF32_BE)):
        decoded = decode(data)
        assert isinstance(decoded, NoText)
        assert (decoded.rule, decoded.measured, decoded.evidence["offset"]) == ("binary", data.count(0), data.find(0))


def test_share_of_control_bytes() -> None:
    size = 1000
    allowed = int(size * MAX_CONTROL_SHARE)
    assert isinstance(decode(b"\1" * allowed + b"x" * (size - allowed)), Text)
    over = decode(b"\1" * (allowed + 1) + b"x" * (size - allowed - 1))
    assert isinstance(over, NoText)
    assert (over.rule, over.measured, over.limit) == ("binary", (allowed + 1) / size, MAX_CONTROL_SHARE)
    assert isinstance(decode(b"\x1b[31mred\x1b[0m\x0c\x08"), Text)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("# Copyright © 2001 Jürgen Müller\n", "latin-1"),
        ("# café très bon, déjà vu, à la française\n", "cp1252"),
        ("// Größe der Straße ändern\n", "latin-1"),
        ("it’s “quoted” text\n", "cp1252"),
        ("// Привет мир, это комментарий к функции\n", "cp1251"),
        ("# Καλημέρα κόσμε, σχόλιο\n", "cp1253"),
        ("// これはコメントです。日本語のテスト\n", "shift_jis"),
        ("// これはコメントです。日本語のテスト\n", "euc_jp"),
        ("// 这是一个注释,用于测试编码检测\n", "gb18030"),
        ("// 한국어 주석입니다 테스트\n", "euc_kr"),
    ],
)
def test_legacy_encodings(text: str, encoding: str) -> None:
    for data in (text.encode(encoding), b"x = 1\n" * 20_000 + text.encode(encoding)):
        decoded = decode(data)
        assert isinstance(decoded, Text), decoded
        assert decoded.content == data.decode(encoding)


def test_mixed_encodings_are_undecodable() -> None:
    decoded = decode("Grüße, Größe, Straße, déjà vu\n".encode() + "Größe\n".encode("latin-1"))
    assert isinstance(decoded, NoText)
    assert decoded.rule == "undecodable"
    assert decoded.measured == 2


def test_half_a_surrogate_pair_is_undecodable() -> None:
    decoded = decode(codecs.BOM_UTF16_LE + b"\x00\xd8a\x00")
    assert isinstance(decoded, NoText)
    assert decoded.rule == "undecodable"


def test_noise_is_not_text() -> None:
    import random

    noise = bytes(value for value in random.Random(7).randbytes(4000) if value)
    assert isinstance(decode(noise), NoText)
