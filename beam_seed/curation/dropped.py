"""What is not kept: rejected and failed rows on disk, and the tally every task leaves for the report."""

from __future__ import annotations

import pyarrow as pa

from beam_seed import storage
from beam_seed.curation.datasets import write_table
from beam_seed.report.tally import Tally
from beam_seed.statistics.collect import Statistics


def write_dropped(root: str, name: str, rejected: pa.Table, failed: pa.Table) -> None:
    """Write ``rejected/NAME.parquet`` and ``failed/NAME.parquet`` (where they have rows), and their tally."""
    for dataset, table in (("rejected", rejected), ("failed", failed)):
        if len(table):
            write_table(storage.join(root, dataset, f"{name}.parquet"), table)
    tally = Tally()
    tally.add_rejected(rejected)
    tally.add_failed(failed)
    leave_tally(root, name, tally)


def leave_tally(root: str, name: str, tally: Tally, statistics: Statistics | None = None) -> None:
    """Keep a task's tally (and the statistics of a part of a corpus) for the report."""
    value = {"tally": tally.to_bytes().decode(), "statistics": statistics.to_bytes().decode() if statistics else None}
    storage.write_json(storage.join(root, "_work", "tally", f"{name}.json"), value)
