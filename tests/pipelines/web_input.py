"""Small web archives made by us: pages of several categories, copies of them, and what no page comes of; each with what it must become."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import NamedTuple

_CODE = "function returns iterator mapping raises exception argument callable module import class method parameter buffer thread"
_PLAIN = "river valley sheep church bells spring garden bread kitchen winter painter harbour village autumn orchard market"
WORDS = {"code": _CODE.split(" "), "plain": _PLAIN.split(" ")}


class Capture(NamedTuple):
    """One record, and the fate that it must have."""

    url: str
    archive: str
    outcome: str  # 'kept', or the rule, or 'failed'


def text(kind: str, seed: str, words: int = 120) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS[kind]) + (str(draw.randrange(100)) if draw.random() < 0.3 else "") for _ in range(words))


def page(seed: str, kind: str = "code", code: bool = True, head: str = "", body_class: str = "x") -> bytes:
    block = f"<pre><code>def f_{seed.replace('-', '_')}(x):\n    return x + 1\n</code></pre>" if code else ""
    paragraphs = "".join(f"<p>{text(kind, f'{seed}/{part}')}</p>" for part in range(3))
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Page {seed}</title>{head}</head>"
        f"<body class='{body_class}'><main><h1>Page {seed}</h1>{paragraphs}{block}</main></body></html>"
    ).encode()


def record(
    url: str, body: bytes, date: str = "2024-01-01T00:00:00Z", kind: str = "response", status: str = "200 OK", media: str = "text/html"
) -> bytes:
    http = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: {date}\r\nContent-Type: application/http\r\n"
    return f"{head}Content-Length: {len(http)}\r\n\r\n".encode() + http + b"\r\n\r\n"


CATEGORIES = {  # category -> (host, head, class of the body): what its rules tell it by
    "documentation": ("docs.site{}.example", "<meta name='generator' content='Sphinx 7'>", "x"),
    "forum": ("talk{}.example", "", "phpbb"),
    "qa": ("stackoverflow.com", "", "x"),
    "e_commerce": ("things{}.example", "", "woocommerce"),
    "other": ("site{}.example", "", "x"),
}
PAGES = 12  # of each category


def make_archives(folder: Path) -> list[Capture]:
    """Write a.warc.gz and b.warc.gz, sound and hostile records mixed, and three broken files."""
    archives: dict[str, list[bytes]] = {"a.warc.gz": [], "b.warc.gz": []}
    told: list[Capture] = []

    def add(url: str, body: bytes, outcome: str, archive: str = "a.warc.gz", **rest: str) -> None:
        archives[archive].append(gzip.compress(record(url, body, **rest), mtime=0))
        told.append(Capture(url, archive, outcome))

    for category, (host, head, name) in CATEGORIES.items():
        for number in range(PAGES):
            archive = "ab"[number % 2] + ".warc.gz"
            add(
                f"https://{host.format(number % 3)}/{category}/{number}",
                page(f"{category}-{number}", head=head, body_class=name),
                "kept",
                archive,
            )
    # Without code tags the model decides.
    add("http://plain.example/lesson", page("lesson", code=False), "kept")
    add("http://plain.example/story", page("story", "plain", code=False), "not-code-related")
    # Duplicates: of an address in one archive, in another one, of the content, and nearly.
    add("http://again.example/", page("old"), "same-address", date="2023-01-01T00:00:00Z")
    add("https://www.again.example/index.html?utm_source=x", page("new"), "kept", "b.warc.gz", date="2024-06-01T00:00:00Z")
    add("http://again.example/#top", page("later in one archive"), "repeated-address")
    add("http://copy.example/first", page("copied"), "kept", date="2022-01-01T00:00:00Z")
    add("http://copy.example/second", page("copied"), "exact-duplicate", "b.warc.gz")
    add("http://near.example/first", page("nearly"), "kept", date="2022-01-01T00:00:00Z")
    add("http://near.example/second", page("nearly").replace(b"</main>", b"<p>one more sentence</p></main>"), "near-duplicate", "b.warc.gz")
    # Heuristics.
    add("http://short.example/", b"<html><body><p>Only five words are here</p></body></html>", "too-few-words")
    add(
        "http://gone.example/",
        b"<html><head><title>404 Not Found</title></head><body>" + b"<p>It is not here any more. </p>" * 3,
        "error-page",
    )
    links = b"".join(b"<p>%d <a href='/%d'>a link to another page</a></p>" % (number, number) for number in range(40))
    add("http://links.example/", b"<html><head><title>All</title></head><body><article>" + links, "mostly-links")
    # What no page comes of.
    add("http://missing.example/", b"<p>nothing", "http-status", status="404 Not Found")
    add("http://image.example/i.png", b"\x89PNG\r\n", "non-html", media="image/png")
    add("http://seen.example/", b"", "revisit", kind="revisit")
    add("http://empty.example/", b" ", "empty")
    add("mailto:someone@example.org", page("mail"), "no-address")
    # Hostile pages are pages like others, or rejected; they take nothing down.
    add("http://deep.example/", b"<html><body>" + b"<div>" * 20_000 + page("deep"), "kept")
    add("http://wrong.example/", page("wrong").replace(b"utf-8", b"utf-16"), "kept", media="text/html; charset=nonsense")
    # A damaged record in the middle: the bytes of one gzip member are overwritten.
    damaged = bytearray(gzip.compress(record("http://damaged.example/", page("damaged")), mtime=0))
    damaged[40:80] = bytes(40)
    archives["a.warc.gz"].insert(len(archives["a.warc.gz"]) // 2, bytes(damaged))
    told.append(Capture("", "a.warc.gz", "failed"))
    for name, members in archives.items():
        (folder / name).write_bytes(b"".join(members))
    cut = gzip.compress(record("http://whole.example/", page("whole")), mtime=0)
    lost = gzip.compress(record("http://cut.example/", page("cut")), mtime=0)
    (folder / "cut.warc.gz").write_bytes(cut + lost[: len(lost) // 2])
    told += [Capture("http://whole.example/", "cut.warc.gz", "kept"), Capture("http://cut.example/", "cut.warc.gz", "failed")]
    (folder / "noise.warc.gz").write_bytes(random.Random(0).randbytes(5000))
    told.append(Capture("", "noise.warc.gz", "failed"))
    (folder / "nothing.warc.gz").write_bytes(b"")
    return told
