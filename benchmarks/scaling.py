"""How cost grows: ``python benchmarks/scaling.py BENCH``.

Time per file of near deduplication at 25, 50, 100 and 200 % of the corpus, as it is and after the cost of starting, which is
what 1 % of the corpus takes; and peak memory where the text is four times as long and the number of documents the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from systems import alternate, corpus_size, markdown, median, product, publish, script, spread, warm_up

START, SIZES, LONG = "1", ("25", "50", "100", "200"), "400-text"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--system", choices=("beam_seed", "floor"), default="beam_seed")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    command = product() if options.system == "beam_seed" else script("floor.py")
    sizes = (START, *SIZES, LONG)
    sources = {size: options.bench / size for size in sizes}
    warm_up({"": command}, sources[START])
    results = alternate(dict.fromkeys(sizes, command), sources, options.rounds)
    figures = {size: corpus_size(sources[size]) for size in sizes}
    start_files, start_cpu = figures[START][0], median(results[START], "cpu")

    rows = []
    for size in SIZES:
        (files, megabytes), cpu = figures[size], median(results[size], "cpu")
        rows.append([
            f"{size} %", f"{files:,}", f"{megabytes:.0f}", spread(results[size], "cpu"), f"{1e3 * cpu / files:.3f}",
            f"{1e3 * (cpu - start_cpu) / (files - start_files):.3f}", f"{cpu / megabytes:.4f}", spread(results[size], "wall"),
        ])  # fmt: skip
    header = ["corpus", "files", "MB", "CPU s (range)", "CPU ms per file", "CPU ms per file without start", "CPU s/MB", "wall s (range)"]
    text = markdown(header, rows) + f"\n\nStart: {start_files} files (1 %) take {start_cpu:.1f} CPU s.\n\n"

    memory, base = [], median(results[START], "peak")
    for size in (START, *SIZES, LONG):
        (files, megabytes), peak = figures[size], median(results[size], "peak")
        memory.append(
            [
                f"{size} %",
                f"{files:,}",
                f"{megabytes:.0f}",
                f"{peak:.0f}",
                "-" if size == START else f"{1e3 * (peak - base) / (files - start_files):.2f}",
            ]
        )
    text += markdown(["corpus", "files", "MB of text", "peak MB, all processes", "kB per file above 1 %"], memory)
    publish(f"Growth of near deduplication ({options.system}), {options.rounds} rounds", text, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
