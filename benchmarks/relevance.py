"""Speed of the relevance stage on extracted pages, on one core: pages a second, and which step costs what.

    beam-seed web --input=DIR/everything.warc.gz --output=RUN --until=documents
    beam-seed train-relevance --input=RUN/documents --output=MODEL
    python benchmarks/relevance.py RUN/documents MODEL

CPU seconds, best of several rounds, in batches of a row group's size as the job has them. The pages' text is in memory: reading it is
not counted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from beam_seed.quality.package import excerpt
from beam_seed.web.datasets import read_pages
from beam_seed.web.markdown_text import without_code_blocks, without_link_targets, words_text
from beam_seed.web.relevance import open_model, score_lines

BATCH = 512
Item = TypeVar("Item")


def batches(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Least CPU seconds of ``rounds``."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    found = [page for path in sorted(arguments.documents.glob("*.parquet")) for _, group in read_pages(str(path)) for page in group]
    pages = [(page.title, page.content) for page in found]
    untagged = [(page.title, page.content) for page in found if not page.code_tags]
    lines = [model.text.line(title, markdown) for title, markdown in pages]
    size, pieces, reach = model.text
    texts = [without_code_blocks(markdown[:reach]) for _, markdown in pages]
    excerpts = [excerpt(text, size, pieces) for text in texts]
    plain = [without_link_targets(text) for text in excerpts]
    steps: dict[str, tuple[int, Callable[[], object]]] = {
        "whole stage, pages without code tags (what the job hands it)": (
            len(untagged),
            lambda: [model.score(batch) for batch in batches(untagged)],
        ),
        "whole stage, all pages": (len(pages), lambda: [model.score(batch) for batch in batches(pages)]),
        "of it: code blocks": (len(pages), lambda: [without_code_blocks(markdown[:reach]) for _, markdown in pages]),
        "excerpt": (len(pages), lambda: [excerpt(text, size, pieces) for text in texts]),
        "link addresses": (len(pages), lambda: [without_link_targets(text) for text in excerpts]),
        "words": (len(pages), lambda: [words_text(text) for text in plain]),
        "fastText": (len(pages), lambda: [score_lines(model.fasttext, batch) for batch in batches(lines)]),
    }
    characters = sum(len(markdown) for _, markdown in pages)
    words = sum(len(line.split()) for line in lines) / len(lines)
    print(f"{len(pages):,} pages of {characters / len(pages):,.0f} characters, {words:.0f} words read of each\n")
    print("| step | us a page | pages/s |\n| --- | --- | --- |")
    for name, (count, work) in steps.items():
        each = seconds(work, arguments.rounds) / count
        print(f"| {name} | {each * 1e6:.1f} | {1 / each:,.0f} |")


if __name__ == "__main__":
    main()
