"""Exact deduplication against a bare loop of SHA-256 and a dict: ``python benchmarks/exact_dedup.py BENCH``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from systems import (
    COSTS,
    alternate,
    corpus_size,
    cost_row,
    markdown,
    product,
    publish,
    read_decisions,
    require,
    script,
    warm_up,
    with_start,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--size", default="100", help="which of the tables (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    commands = {"beam_seed": product("--level=exact"), "bare loop": script("exact_floor.py")}
    source = options.bench / options.size
    documents, megabytes = corpus_size(source)
    warm_up(commands, options.bench / "1")
    removed = {}
    results = alternate(
        *with_start(commands, options.bench, options.size),
        options.rounds,
        lambda name, *folders: removed.update({name: len(read_decisions(*folders).removed)}),
    )
    counts = {name: removed[name] for name in commands}
    require(len(set(counts.values())) == 1, f"the systems removed {counts} documents; expected the same number")
    rows = [[*cost_row(name, results, "beam_seed", megabytes), f"{counts[name]:,}"] for name in commands]
    header = [*COSTS, "documents removed"]
    publish(
        f"Exact deduplication, {documents:,} documents, {megabytes:.1f} MB, {options.rounds} rounds", markdown(header, rows), options.output
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
