from __future__ import annotations

import pytest

from beam_seed.web.charset import decode

CHINESE = "<p>这是一个关于编程的中文网页，介绍如何使用代码。函数返回值，变量，循环语句。</p>" * 3
JAPANESE = "<p>これはプログラミングに関する日本語のページです。関数と変数について説明します。</p>" * 3
KOREAN = "<p>이것은 프로그래밍에 관한 한국어 페이지입니다. 함수와 변수를 설명합니다.</p>" * 3
RUSSIAN = "<p>Это русская страница о программировании. Функции и переменные.</p>" * 3
FRENCH = "<p>Voilà une page française à propos des fonctions créées par l’élève.</p>" * 3


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (CHINESE, "gb18030", "gb2312"),
        (JAPANESE, "cp932", "shift_jis"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (KOREAN, "cp949", "euc-kr"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (FRENCH, "cp1252", "iso-8859-1"),
        (FRENCH, "utf-8", "utf-8"),
    ],
)
@pytest.mark.parametrize("lie", ["", "utf-8", "iso-8859-1", "no-such-charset"])
def test_told_untold_and_told_wrong(text: str, codec: str, label: str, lie: str) -> None:
    assert decode(text.encode(codec), label).text == text
    if not (codec in ("cp1251", "koi8-r") and lie == "iso-8859-1"):  # single-byte encodings: a declaration is believed
        assert decode(text.encode(codec), lie).text == text


def test_meta_and_byte_order_marks() -> None:
    meta = f"<meta charset=windows-1251>{RUSSIAN}"
    assert decode(meta.encode("cp1251"), "iso-8859-1").text == meta
    assert decode(FRENCH.encode("utf-16"), "iso-8859-1").text == FRENCH
    assert decode(b"\xef\xbb\xbf" + FRENCH.encode(), "gbk").text == FRENCH


def test_mixed_charsets_are_counted() -> None:
    mixed = (CHINESE * 20).encode() + "été".encode("latin-1")
    found = decode(mixed)
    assert found.charset == "utf-8"
    assert CHINESE in found.text
    assert 1 <= found.replaced <= 2


@pytest.mark.parametrize("body", [b"", b"\0", b"\xff\xfe", b"\xff" * 100, bytes(range(256)) * 10])
def test_any_bytes_are_text(body: bytes) -> None:
    assert isinstance(decode(body, "x-user-defined").text, str)
