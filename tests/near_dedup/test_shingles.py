import itertools
import sysconfig
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beam_seed.near_dedup.shingles import SHINGLE_TOKENS, Shingles, licence_header_length, shingle, unique_sorted

WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") | frozenset(range(0x80, 0x100))
SEPARATOR = frozenset(range(0x21)) | {0x7F}

BODY = b"def area(width, height):\n    return width * height\n"
LICENCE = "Copyright (c) the authors\nLicensed under the terms of some licence\n"

code_like = st.lists(st.sampled_from([b"a", b"b1", b"_", b"\xc3\xa9", b"+", b"(", b" ", b"\n", b"\0", b"\x7f", b"\t"]), max_size=30).map(
    b"".join
)
texts = st.lists(st.one_of(st.binary(max_size=60), code_like, st.text(max_size=40).map(str.encode)), max_size=8)


def tokens_of(text: bytes) -> list[bytes]:
    tokens = []
    for is_word, run in itertools.groupby(text, WORD.__contains__):
        run = bytes(run)
        tokens += [run] if is_word else [bytes([byte]) for byte in run if byte not in SEPARATOR]
    return tokens


def shingles_of(text: bytes) -> list[tuple[bytes, ...]]:
    tokens = tokens_of(text[licence_header_length(text) :])
    if len(tokens) < SHINGLE_TOKENS:
        tokens = tokens_of(text)
    if 0 < len(tokens) < SHINGLE_TOKENS:
        return [tuple(tokens)]
    return list(zip(*(tokens[start:] for start in range(SHINGLE_TOKENS)), strict=False))


def per_text(shingles: Shingles) -> list[list[int]]:
    return [shingles.hashes[start:end].tolist() for start, end in itertools.pairwise(shingles.offsets.tolist())]


def assert_same_as_oracle(batch: list[bytes]) -> None:
    found, expected = per_text(shingle(batch)), [shingles_of(text) for text in batch]
    assert [len(each) for each in found] == [len(each) for each in expected]
    pairs = set(zip(itertools.chain(*found), itertools.chain(*expected), strict=True))
    assert len(pairs) == len({value for value, _ in pairs}) == len({tokens for _, tokens in pairs})


@settings(deadline=None)
@given(texts)
@example([b"a b c d", b"a b c d e", b"a b c", b"a", b""])
@example([b"a\0b\0c\0d\0e", b"a b c d e", b"abcde"])
@example(["naïve œuvre 变量 = 1;".encode(), "naïve".encode("utf-16"), b"\xff\xfe\xff"])
@example([b"\0" * 9, b" \n\t\x7f", b"+-*/%", b"+-*/", b"a+b", b"a-b"])
@example([b"a a a a a a a a", b"a a a a a"])
def test_shingles_are_those_of_a_plain_tokeniser(batch):
    assert_same_as_oracle(batch)


def test_shingles_of_real_files():
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:120]
    assert len(files) > 50
    assert_same_as_oracle([path.read_bytes() for path in files])


@settings(deadline=None)
@given(texts)
def test_a_text_has_the_same_shingles_in_any_batch(batch):
    assert per_text(shingle(batch)) == [per_text(shingle([text]))[0] for text in batch]


@settings(deadline=None)
@given(texts)
def test_unique_sorted_is_the_set(batch):
    shingles = shingle(batch)
    sets = unique_sorted(shingles)
    for repeated, unique in zip(per_text(shingles), per_text(sets), strict=True):
        assert unique == np.unique(np.array(repeated, dtype=np.uint64)).tolist()


def test_unique_sorted_of_nothing():
    sets = unique_sorted(Shingles(np.empty(0, dtype=np.uint64), np.zeros(3, dtype=np.int64)))
    assert sets.hashes.tolist() == []
    assert sets.offsets.tolist() == [0, 0, 0]


def test_unique_sorted_keeps_the_extremes_of_64_bits():
    hashes = np.array([2**64 - 1, 0, 2**63, 2**64 - 1, 2**63 - 1], dtype=np.uint64)
    assert unique_sorted(Shingles(hashes, np.array([0, 5]))).hashes.tolist() == [0, 2**63 - 1, 2**63, 2**64 - 1]


def prefixed(prefix: str) -> bytes:
    return "".join(f"{prefix} {line}\n" for line in LICENCE.splitlines()).encode()


HEADERS = {
    "c block": f"/*\n{LICENCE}*/\n".encode(),
    "html": f"<!--\n{LICENCE}-->\n".encode(),
    "haskell": f"{{-\n{LICENCE}-}}\n".encode(),
    "ocaml": f"(*\n{LICENCE}*)\n".encode(),
    "blank lines first": b"\n \n\t\n" + prefixed("#"),
    "indented": b"  " + prefixed("//"),
    "byte-order mark": b"\xef\xbb\xbf" + prefixed("//"),
    "shebang": b"#!/bin/sh\n" + prefixed("#"),
    **{prefix: prefixed(prefix) for prefix in ("#", "//", "--", ";", "%", "!", '"', "'", "REM")},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_licence_header_is_left_out(header):
    assert licence_header_length(header + BODY) in (len(header), len(header) - 1)  # a block's last newline is no part of it
    assert per_text(shingle([header + BODY])) == per_text(shingle([BODY]))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
@pytest.mark.parametrize("rest", [b"", b"x = 1;", b"a b c d"])
def test_a_licence_with_fewer_than_five_tokens_behind_is_compared_whole(header, rest):
    text = header + rest
    assert len(tokens_of(rest)) < SHINGLE_TOKENS
    assert len(per_text(shingle([text]))[0]) == len(tokens_of(text)) - SHINGLE_TOKENS + 1


@pytest.mark.parametrize(
    "text",
    [
        b"# what this module does\n" + BODY,  # a comment, but no licence
        b"/* never closed: licence\n" + BODY,
        BODY + prefixed("#"),  # not at the top
        b"import licence\n" + prefixed("#") + BODY,
        b"license = 'MIT'\n" + BODY,
    ],
)
def test_what_is_no_licence_header_is_kept(text):
    assert licence_header_length(text) == 0
    assert len(per_text(shingle([text]))[0]) == len(tokens_of(text)) - SHINGLE_TOKENS + 1


@pytest.mark.parametrize("filler", [b" ", b"\n", b"\t \n", b"/*", b"#\n", b"<!--", b"(*", b"//", b"\xef\xbb\xbf", b"{-", b"# x"])
def test_a_hostile_header_takes_no_time(filler):
    hostile = filler * (16_000 // len(filler)) + b" licence"
    started = time.process_time()
    for _ in range(10):
        licence_header_length(hostile)
    # Linear matching takes microseconds; the quadratic one, which this guards against, took four seconds for each.
    assert time.process_time() - started < 5


def test_one_line_of_many_megabytes():
    sets = unique_sorted(shingle([b"x " * 3_000_000 + b"end"]))
    assert len(sets.hashes) == 2
