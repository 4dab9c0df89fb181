"""``beam-seed shards`` against the tokenizers library alone: ``python benchmarks/shards.py TABLES TOKENIZER``.

The library alone reads the same texts and encodes them in batches (``encode_batch``, and ``encode_batch_fast``, which leaves out offsets),
and that is all; the job reads, escapes, cuts for fill-in-the-middle, encodes, packs, shuffles and writes. Both are CPU seconds of all
processes, each less what the same command takes for one document: the cost of starting.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from measure import run
from systems import markdown, publish

_BARE = """
import sys, glob
import pyarrow.parquet as pq
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[2] + "/tokenizer.json")
encode = getattr(tokenizer, sys.argv[3])
tokens = 0
for path in sorted(glob.glob(sys.argv[1] + "/*.parquet")):
    for batch in pq.ParquetFile(path).iter_batches(1024, columns=["content"]):
        tokens += sum(map(len, encode(batch["content"].to_pylist(), add_special_tokens=False)))
print(tokens)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("tables", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch, "small")
        small.mkdir()
        first = next(pq.ParquetFile(sorted(options.tables.glob("*.parquet"))[0]).iter_batches(1))
        pq.write_table(pa.Table.from_batches([first]), small / "one.parquet")
        product = [sys.executable, "-m", "pipelines.cli", "shards", "--stage=regular", "--without=web", f"--workers={options.workers}"]

        def command(system: str, tables: Path) -> list[str]:
            if system == "beam_seed":
                return [*product, f"--source=code={tables}", f"--tokenizer={options.tokenizer}", f"--output={scratch}/out"]
            return [sys.executable, "-c", _BARE, str(tables), str(options.tokenizer), system]

        systems = ["encode_batch", "encode_batch_fast", "beam_seed"]
        seconds: dict[str, list[float]] = {system: [] for system in systems}
        peaks: dict[str, float] = {}
        for _ in range(options.rounds):
            for system in systems:
                start, whole = run(command(system, small)), run(command(system, options.tables))
                seconds[system].append(whole.cpu - start.cpu)
                peaks[system] = max(peaks.get(system, 0.0), whole.peak)
        manifest = json.loads(Path(scratch, "out", "manifest.json").read_text())
    tokens = manifest["tokens"]["text"]
    best = {system: min(values) for system, values in seconds.items()}
    rows = [
        [
            system,
            f"{best[system]:.1f} ({min(seconds[system]):.1f}-{max(seconds[system]):.1f})",
            f"{tokens / best[system] / 1e6:.3f}",
            f"{best['encode_batch'] / best[system]:.2f}",
            f"{best['encode_batch_fast'] / best[system]:.2f}",
            f"{peaks[system]:.0f}",
        ]
        for system in systems
    ]
    header = ["system", "CPU s (range)", "million tokens per CPU s", "rate / encode_batch", "rate / encode_batch_fast", "peak MB"]
    waste = manifest["tokens"]["padding"] / sum(manifest["tokens"].values())
    told = f"{tokens:,} tokens, {manifest['sequences']:,} sequences of {manifest['sequence_length']:,}, {waste:.3%} padding"
    publish(f"Training shards: {told}, {options.workers} workers, {options.rounds} rounds", markdown(header, rows), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
