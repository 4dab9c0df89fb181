"""Stage 6: the corpora. Text is read once more and the verdicts applied while reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from beam_seed import metrics, storage
from beam_seed.curation.datasets import CORPUS, read_groups, read_table, shard_path, write_batches
from beam_seed.curation.decide import Kept, kept_rows
from beam_seed.curation.dropped import leave_tally
from beam_seed.records import document_id
from beam_seed.report.job import Job
from beam_seed.report.tally import Tally
from beam_seed.statistics.collect import Statistics

CorpusRows = Callable[[pa.Table, pa.Table, str], pa.Table]
"""``(documents, verdicts, variant) -> rows``: kept documents, their verdicts row by row, and what the corpus says of them."""


class Part(NamedTuple):
    """One file of a corpus."""

    variant: str
    number: int
    parts: int
    shards: tuple[int, ...]  # of documents/, in order


def plan(kept: Iterable[Kept], target_bytes: int) -> list[Part]:
    """Divide each variant into files of at least ``target_bytes`` of text: runs of shards, so that repositories stay together."""
    kept = sorted(kept)
    parts = []
    for variant in sorted({each.variant for each in kept}):
        runs: list[list[int]] = []
        size = target_bytes
        for each in (each for each in kept if each.variant == variant and each.rows):
            if size >= target_bytes:
                runs.append([])
                size = 0
            runs[-1].append(each.shard)
            size += each.size
        parts += [Part(variant, number, len(runs), tuple(run)) for number, run in enumerate(runs)]
    return parts


def part_path(root: str, part: Part) -> str:
    """Path of a corpus file, such as ``ROOT/corpora/file_level/part-00002-of-00007.parquet``."""
    return storage.join(root, "corpora", part.variant, f"part-{part.number:05d}-of-{part.parts:05d}.parquet")


def assemble_part(root: str, part: Part, job: Job, corpus_rows: CorpusRows) -> None:
    """Write one file of a corpus, and leave its tally."""
    tally, statistics = Tally(), Statistics()
    write_batches(part_path(root, part), job.corpus, _rows(root, part, job, corpus_rows, tally, statistics))
    leave_tally(root, f"{part.variant}-{part.number:05d}", tally, statistics)


def _rows(root: str, part: Part, job: Job, corpus_rows: CorpusRows, tally: Tally, statistics: Statistics) -> Iterator[pa.Table]:
    for shard in part.shards:
        verdicts = read_table(shard_path(root, "verdicts", shard))
        rows = kept_rows(verdicts, part.variant)
        for start, documents in read_groups(shard_path(root, "documents", shard), rows=rows.tolist()):
            here = rows[(rows >= start) & (rows < start + len(documents))]
            table = corpus_rows(documents.take(pa.array(here - start)), verdicts.take(pa.array(here)), part.variant)
            size = sum(documents["size"].take(pa.array(here - start)).to_pylist()), sum(table["size"].to_pylist())
            metrics.count(f"corpora/{part.variant}", len(here), len(table), size=size)
            tally.add_kept(part.variant, _grouped(table, job.group), part.variant in job.repositories)
            statistics.add(table)
            yield table


def _grouped(table: pa.Table, group: str) -> pa.Table:
    """The rows with what they are counted by as ``language``."""
    if group == "language" or group not in table.column_names:
        return table
    return table.drop_columns(["language"] if "language" in table.column_names else []).append_column("language", table[group])


def code_rows(documents: pa.Table, verdicts: pa.Table, variant: str, scorer: str) -> pa.Table:
    """The rows of the main job. ``scorer``: fingerprint of the model, '' where nothing was scored."""
    columns = {name: documents[name] for name in documents.column_names if name in CORPUS.names}
    columns["language"] = verdicts["language"]
    columns["cluster_id"] = documents["id"] if variant == "file_level" else _repository_ids(documents)
    columns["cluster_size"] = verdicts["file_cluster_size" if variant == "file_level" else "repo_cluster_size"]
    columns["syntax_error_share"] = verdicts["syntax_error_share"]
    columns["quality"] = verdicts["quality"]
    columns["scorer"] = pa.array([scorer] * len(documents), pa.string())
    return pa.table({name: columns[name] for name in CORPUS.names}, schema=CORPUS)


def _repository_ids(documents: pa.Table) -> pa.Array:
    pairs = list(zip(documents["source"].to_pylist(), documents["repo"].to_pylist(), strict=True))
    known = {pair: document_id(*pair, "") for pair in set(pairs)}
    return pa.array([known[pair] for pair in pairs], pa.string())
