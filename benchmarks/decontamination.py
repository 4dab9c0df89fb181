"""Speed of the n-gram pass against the near-duplicate measure and against sets of strings in Python; the three must agree on what is hit.

``python benchmarks/decontamination.py CORPUS.parquet BENCHMARK [--sample-mb=20]``: a table with a column ``content``, a benchmark as in
docs/decontamination.md. Seconds are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from typing import Any

from beam_seed.curation.datasets import read_groups, text_views
from beam_seed.decontamination.index import Limits, per_text
from beam_seed.decontamination.judge import index_of
from beam_seed.decontamination.ngrams import text_of
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle

_NUM_PERM = 126  # of the main job

Found = list[tuple[int, str]]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def by_sets(batches: list[list[memoryview]], wanted: set[str]) -> Found:
    """The straightforward way: a regular expression, and a joined string for each n-gram."""
    found, number = [], 0
    for batch in batches:
        for text in batch:
            words = re.findall(r"\w+", bytes(text).decode().lower())
            grams = {" ".join(words[start : start + 10]) for start in range(len(words) - 9)}
            found += [(number, gram) for gram in sorted(grams & wanted)]
            number += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("benchmark")
    parser.add_argument("--sample-mb", type=float, default=20.0)
    arguments = parser.parse_args()
    index = index_of([arguments.benchmark], Limits(common=0))
    batches: list[list[memoryview]] = []
    size = 0
    for _, group in read_groups(arguments.corpus, ["content"]):
        batches.append(text_views(group["content"]))
        size += sum(map(len, batches[-1]))
        if size >= arguments.sample_mb * 1e6:
            break
    sign(shingle([b"compile"]), _NUM_PERM)
    index.match([b"compile"])

    def by_index() -> Found:
        per_batch = [grams for batch in batches for grams in per_text(index.match(batch))]
        return [(number, gram) for number, own in enumerate(per_batch) for gram in sorted(text_of(index.table, int(each)) for each in own)]

    own, found = timed(by_index)
    near, _ = timed(lambda: [sign(shingle(batch), _NUM_PERM) for batch in batches])
    wanted = {text_of(index.table, gram) for gram in range(len(index.table.hashes))}
    python, expected = timed(lambda: by_sets(batches, wanted))
    print(f"{size / 1e6:.1f} MB, {len(wanted):,} n-grams looked for, {len(found)} found")
    for name, seconds in (("n-gram pass", own), ("near-duplicate measure", near), ("Python sets", python)):
        print(f"{name:<24}{seconds:8.2f} s {size / 1e6 / seconds:8.1f} MB/s")
    # Only where a text holds characters that the two fold or divide differently may they differ.
    print(f"the same hits: {found == expected}; {python / own:.0f} times as fast as sets, {own / near:.2f} of the near-duplicate measure")


if __name__ == "__main__":
    main()
