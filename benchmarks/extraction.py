"""Extraction held against its peers on real pages: what of the code survives, and how fast.

    python benchmarks/web_pages.py DIR
    python benchmarks/extraction.py quality DIR/pages
    python benchmarks/extraction.py speed DIR/everything.warc.gz

Needs trafilatura, jusText, lxml, beautifulsoup4 and html5lib beside the product's dependencies, in an environment of their
own. The truth is
read by another parser (html5lib): the text of each block of preformatted code without its line numbers and buttons.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from beam_seed.web.charset import decode
from beam_seed.web.extract import extract

BESIDE_CODE = (
    "script, style, template, svg, button, .ttc, td.listing_lines, .linenos, .src-line-numbers, "
    "td.gutter, .lineno, .linenodiv, .line-numbers-rows, ul.pre-numbering, "
    ".hljs-ln-numbers, td.blob-num, .crayon-nums, .linenumber, .hljs-button, [aria-hidden=true], .lnt, pre.lineno, .copy-button"
)
BLOCKS = "pre, div.fragment, table.js-file-line-container, .syntaxhighlighter"
LINES = ["div", "li", "tr", "p"]
_FENCE = re.compile(r"^(`{3,})[^\n`]*\n(.*?)\n?\1$", re.MULTILINE | re.DOTALL)


def truth(html: str) -> list[str]:
    """The code blocks of a page."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html5lib")
    for block in soup.select(BLOCKS):
        behind = [number.next_sibling for number in block.select("span.linenos, span.lineno")]
        if all(isinstance(text, str) and text.startswith(" ") for text in behind):
            for text in behind:
                text.replace_with(text[1:])  # the space between a number and its line
    for element in soup.select(BESIDE_CODE):
        element.decompose()
    blocks = []
    for block in soup.select(BLOCKS):
        if block.find_parent(["pre"]) or block.find_parent(class_=["fragment", "syntaxhighlighter"]):
            continue
        blocks.append(block_text(block))
    for code in soup.find_all(["code", "samp"]):
        if code.find("br") and not code.find_parent("pre") and not code.find("pre"):
            blocks.append(block_text(code))
    return [block for block in blocks if block.strip()]


def block_text(block: Any) -> str:
    for line_break in block.find_all("br"):
        line_break.replace_with("\n")
    for line in block.find_all(LINES):
        if line.next_sibling is not None and not line.next_sibling.name and not line.next_sibling.strip():
            line.next_sibling.replace_with("")  # between two lines: the page's own layout
        if not line.find(LINES) and not line.get_text().endswith("\n"):
            line.append("\n")
    return "\n".join(map(str.rstrip, clean(block.get_text()).strip("\n").split("\n"))).strip("\n")


def clean(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u200b", "").replace("\ufeff", "").replace("\r\n", "\n")


class Score(NamedTuple):
    lines: int  # of code, not blank, in the truth
    kept: int  # of these found in the text, whatever their indentation
    exact: int  # of these found with their indentation
    blocks: int
    intact: int  # blocks found whole
    invented: int  # lines inside the product's fences that are no code
    fenced: int  # lines inside the product's fences


def score(blocks: list[str], text: str) -> Score:
    """What of ``blocks`` is in ``text``, each line as often as the text has it."""
    lines = [line.rstrip() for line in clean(text).split("\n")]
    exact_left, kept_left = Counter(lines), Counter(line.strip() for line in lines)
    whole = "\n".join(lines)
    wanted = [line for block in blocks for line in block.split("\n") if line.strip()]
    exact = _found(wanted, exact_left)
    kept = _found([line.strip() for line in wanted], kept_left)
    code_lines = Counter(line.strip() for line in wanted)
    fenced = [line for _, body in _FENCE.findall(clean(text)) for line in body.split("\n") if line.strip()]
    invented = len(fenced) - _found([line.strip() for line in fenced], code_lines)
    return Score(len(wanted), kept, exact, len(blocks), sum(block in whole for block in blocks), invented, len(fenced))


def _found(wanted: list[str], there: Counter[str]) -> int:
    count = 0
    for line in wanted:
        if there[line] > 0:
            there[line] -= 1
            count += 1
    return count


def peers() -> dict[str, Callable[[str], str]]:
    """Extractors of a decoded page."""
    import justext
    import trafilatura
    from resiliparse.extract.html2text import extract_plain_text

    stop_words = justext.get_stoplist("English")
    return {
        "resiliparse": lambda html: extract_plain_text(html, preserve_formatting=True, main_content=True),
        "trafilatura": lambda html: trafilatura.extract(html) or "",
        "trafilatura markdown": lambda html: trafilatura.extract(html, output_format="markdown", include_formatting=True) or "",
        "jusText": lambda html: "\n".join(
            part.text for part in justext.justext(html.encode(), stop_words, encoding="utf-8") if not part.is_boilerplate
        ),
    }


def measure_quality(folder: Path, verbose: bool) -> None:
    systems: dict[str, Callable[[bytes, str], str]] = {"beam_seed": lambda body, _: extract(body).markdown}
    systems |= {name: lambda _, html, run=run: run(html) for name, run in peers().items()}
    by_kind: dict[str, dict[str, list[Score]]] = {name: {} for name in systems}
    for path in sorted(folder.glob("*/*")):
        body = path.read_bytes()
        html = decode(body).text
        blocks = truth(html)
        for name, run in systems.items():
            found = score(blocks, run(body, html))
            by_kind[name].setdefault(path.parent.name, []).append(found)
            if verbose and name == "beam_seed" and (found.exact < found.lines or found.intact < found.blocks or found.invented):
                print(f"{path.parent.name}/{path.name}: {found}", file=sys.stderr)
    pages = sum(map(len, by_kind["beam_seed"].values()))
    print(
        f"{pages} pages of {len(by_kind['beam_seed'])} kinds\n\n"
        "| | lines kept | with indentation | blocks intact | not code, of fenced lines |"
    )
    print("| --- | --- | --- | --- | --- |")
    for name, kinds in by_kind.items():
        print(_row(name, [found for kind in kinds.values() for found in kind]))
    print("\nBy kind, beam_seed\n")
    for kind, found in sorted(by_kind["beam_seed"].items()):
        print(_row(f"{kind} ({len(found)} pages, {sum(each.lines for each in found)} lines)", found))


def _row(name: str, scores: list[Score]) -> str:
    total = Score(*map(sum, zip(*scores, strict=True)))
    shares = (total.kept / max(total.lines, 1), total.exact / max(total.lines, 1), total.intact / max(total.blocks, 1))
    invented = f"{total.invented / total.fenced:.2%}" if total.fenced else "-"
    return f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares) + f" | {invented} |"


def measure_speed(archive: Path, most: int, rounds: int) -> None:
    """CPU seconds of one core, the systems by turns: from the archive for the product, from decoded text for the others."""
    from beam_seed.web.records import Response
    from beam_seed.web.warc import read_warc

    with archive.open("rb") as stream:
        responses = [each for each in read_warc(stream, "") if isinstance(each, Response)][::7][:most]
    bodies = [response.body for response in responses]
    texts = [decode(body).text for body in bodies]
    size = sum(map(len, bodies)) / 1e6
    print(f"{len(bodies)} pages, {size:.1f} MB")
    few = max(len(texts) // 20, 1)  # trafilatura and jusText are slow
    names = {"beam_seed": lambda: [extract(body) for body in bodies]}
    for name, run in peers().items():
        names[name] = lambda run=run, name=name: [run(html) for html in (texts if name == "resiliparse" else texts[:few])]
    sizes = {name: size if name in ("beam_seed", "resiliparse") else sum(map(len, bodies[:few])) / 1e6 for name in names}
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in names.items():
            start = time.process_time()
            work()
            best[name] = min(best.get(name, 1e9), time.process_time() - start)
    start = time.process_time()
    with archive.open("rb") as stream:
        read = sum(len(each.body) for each in read_warc(stream, "") if isinstance(each, Response)) / 1e6
    reading = (time.process_time() - start) / read
    for name, seconds in best.items():
        count = len(bodies) if name in ("beam_seed", "resiliparse") else few
        print(f"| {name} | {sizes[name] / seconds:.1f} MB/s | {count / seconds:.0f} pages/s |")
    whole = 1 / (best["beam_seed"] / size + reading)
    print(f"| beam_seed from the archive | {whole:.1f} MB/s | ratio to bare resiliparse {whole / (size / best['resiliparse']):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "speed"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--pages", type=int, default=2000, help="speed: most pages")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verbose", action="store_true", help="quality: name the pages that lose something")
    arguments = parser.parse_args()
    if arguments.what == "quality":
        measure_quality(arguments.path, arguments.verbose)
    else:
        measure_speed(arguments.path, arguments.pages, arguments.rounds)


if __name__ == "__main__":
    main()
