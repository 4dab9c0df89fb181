"""Near deduplication against its peers: ``python benchmarks/near_dedup.py BENCH --peers=VENV``.

BENCH is what corpus.py wrote. The product and the peers run in turn on the same Parquet, each from Parquet to survivors and
evidence; cost is CPU seconds over all processes. Quality is measured against every pair >= 0.7 of the distinct contents, once
on the texts as they are, once without licence headers, which is what the product says it compares.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import oracle
from product_text import comparable
from systems import COSTS, alternate, corpus_size, cost_row, markdown, product, publish, read_decisions, script, warm_up, which, with_start

TRUTHS = {"as they are": bytes, "without licence headers": comparable}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--peers", required=True, metavar="VENV", help="environment made by peers/setup.sh")
    parser.add_argument("--size", default="100", help="which of the tables (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", default="beam_seed,floor,rensa,datatrove")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    peers_python = which(f"{options.peers}/bin/python")
    known = {
        "beam_seed": product(),
        "floor": script("floor.py"),
        "rensa": script("rensa_minhash.py", peers_python),
        "datatrove": script("datatrove_minhash.py", peers_python),
    }
    commands = {name: known[name] for name in options.systems.split(",")}
    source = options.bench / options.size
    documents, megabytes = corpus_size(source)
    truths = {kind: oracle.find_truth(source, normalise) for kind, normalise in TRUTHS.items()}

    warm_up(commands, options.bench / "1")
    decisions = {}
    results = alternate(
        *with_start(commands, options.bench, options.size),
        options.rounds,
        lambda name, *folders: decisions.update({name: read_decisions(*folders)}),
    )

    first = next(iter(commands))
    costs = [[*cost_row(name, results, first, megabytes), f"{len(decisions[name].removed):,}"] for name in commands]
    text = markdown([*COSTS, "documents removed"], costs)
    for kind, truth in truths.items():
        rows = [[name, *quality_row(oracle.evaluate(truth, *decisions[name]))] for name in commands]
        text += f"\n\nQuality, texts {kind}: {len(truth.shingles):,} distinct contents, {len(truth.left):,} pairs >= 0.7\n\n"
        text += markdown(["system", *QUALITY], rows)
    publish(f"Near deduplication, {documents:,} documents, {megabytes:.1f} MB, {options.rounds} rounds", text, options.output)
    return 0


QUALITY = (
    "contents removed",
    "document recall (not both kept)",
    "document recall (same cluster)",
    "pairs left",
    "precision of removals",
    "orphans",
    "evidence right",
    "copies left",
)


def quality_row(quality: oracle.Quality) -> list[str]:
    shares = (f"{value:.4f}" if value is not None else "-" for value in (quality.recall_not_both, quality.recall_cluster))
    precision, evidence = (f"{value:.4f}" if value is not None else "-" for value in (quality.precision, quality.evidence))
    return [
        f"{quality.removed:,}",
        *shares,
        f"{quality.pairs_left:,}",
        precision,
        f"{quality.orphans:,}",
        evidence,
        f"{quality.copies_left:,}",
    ]


if __name__ == "__main__":
    sys.exit(main())
