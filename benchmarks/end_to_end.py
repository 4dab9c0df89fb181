"""The main job without quality scoring, archives to corpora: ``python benchmarks/end_to_end.py ARCHIVES``.

The figure is MB of source text read per CPU second over all processes, that is per core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
from measure import run
from systems import ENVIRONMENT, REPOSITORY, markdown, median, publish, spread


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("archives", type=Path, nargs="+", help="folders of archives, such as DIR/pypi DIR/npm DIR/debian")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="beam-seed-benchmark-") as folder:
            inputs = [f"--input={path}" for path in options.archives]
            command = [sys.executable, "-m", "pipelines.github", *inputs, f"--output={folder}", "--score=false"]
            results.append(run(command, ENVIRONMENT, REPOSITORY))
            files, megabytes = documents_read(Path(folder))
            print(f"round {number + 1}: {results[-1].cpu:.1f} CPU s", file=sys.stderr, flush=True)
    rows = [[
        f"{files:,}", f"{megabytes:.1f}", spread(results, "cpu"), f"{megabytes / median(results, 'cpu'):.2f}", spread(results, "wall"),
        f"{megabytes / median(results, 'wall'):.2f}", f"{median(results, 'peak'):.0f}", f"{median(results, 'foreign'):.1f}",
    ]]  # fmt: skip
    header = ["files", "MB", "CPU s (range)", "MB per CPU s", "wall s (range)", "MB per s", "peak MB", "cores busy with other work"]
    publish(f"beam-seed github without scoring, {options.rounds} rounds", markdown(header, rows), options.output)
    return 0


def documents_read(folder: Path) -> tuple[int, float]:
    """Text files that the job read, and their MB."""
    sizes = [pq.read_table(path, columns=["size"])["size"] for path in sorted((folder / "documents").glob("*.parquet"))]
    return sum(map(len, sizes)), sum(pc.sum(each).as_py() or 0 for each in sizes) / 1e6


if __name__ == "__main__":
    sys.exit(main())
