"""Which documents share n-grams with benchmarks: a stage of its own, so that other benchmarks re-run nothing before it.

It reads the text of what deduplication and the syntax check left once more, at about the speed of the near-duplicate measure; copies
of a file count once towards what is boilerplate, because deduplication went before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed import storage
from beam_seed.curation.datasets import Shard, read_groups, read_table, shard_path, text_views
from beam_seed.decontamination.index import Limits, item_counts
from beam_seed.decontamination.judge import STAGE, Texts, index_of, overlaps
from beam_seed.report.schema import Section
from beam_seed.report.tally import Tally


def shard_texts(shard: Shard, root: str) -> tuple[int, Iterator[Texts]]:
    """The texts of a shard's documents that passed the syntax check."""
    syntax = read_table(shard_path(root, "syntax", shard.number), ["row", "passed"])
    return shard.number, texts_of(root, shard.number, syntax.filter(syntax["passed"])["row"].to_numpy())


def texts_of(root: str, number: int, rows: npt.NDArray[np.int64]) -> Iterator[Texts]:
    """The texts of some rows of a shard, ascending."""
    for start, group in read_groups(shard_path(root, "documents", number), ["repo", "content"], rows.tolist()):
        here = rows[(rows >= start) & (rows < start + len(group))]
        chosen = group.take(pa.array(here - start))
        yield Texts(here.tolist(), chosen["repo"].to_pylist(), [text_views(chosen["content"])])


def overlap_sections(root: str, tally: Tally, benchmarks: Sequence[str]) -> Sequence[Section]:
    """The report's table of hits, from the evidence in ``rejected/``; nothing where there are no benchmarks."""
    if not benchmarks:
        return ()
    index = index_of(benchmarks, Limits())
    evidence = [row for info in storage.match(storage.join(storage.escape(root), "rejected", "verdict-*")) for row in _evidence(info.path)]
    hits = overlaps(item_counts(index), evidence)
    text = (
        f"Files that share any {index.limits.words}-gram of words with an item of a benchmark were dropped; "
        "rejected/ names the items and an n-gram of each."
    )
    header = ("Benchmark", "Items", "Looked for", "Hit", "Files dropped")
    return (Section("Decontamination", text, header, [(each[0], *map(float, each[1:])) for each in hits]),)


def _evidence(path: str) -> Sequence[str]:
    table = read_table(path, ["stage", "evidence"])
    texts: list[str] = table.filter(pc.equal(table["stage"], STAGE))["evidence"].to_pylist()
    return texts
