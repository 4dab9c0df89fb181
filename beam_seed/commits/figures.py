"""What is known of every repository of the input, kept or not: the dataset ``histories/``, and the sections of the report that show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from beam_seed import storage
from beam_seed.commits.filters import RepositoryRules, repository_violations
from beam_seed.commits.ranges import Range
from beam_seed.curation.datasets import read_table, write_table
from beam_seed.report.schema import Section
from beam_seed.report.tally import Tally
from beam_seed.sources.repository import display

DATASET = "histories"

SHOWN = 200
"""Repositories of one table of the report; all of them are in the dataset."""

HISTORIES = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("repo", pa.string(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),  # 'kept', 'rejected' or 'failed'
        pa.field("rules", pa.string(), nullable=False),  # that it violates, all of them, separated by spaces
        pa.field("error", pa.string(), nullable=False),  # why it, or the older part of its history, could not be read; '' otherwise
        pa.field("stars", pa.int64()),  # null = unknown, as are forks
        pa.field("forks", pa.int64()),
        pa.field("commits", pa.int64()),  # null where they were not counted, as are days
        pa.field("days", pa.float64()),  # between the first and the last commit
    ]
)


def write_histories(root: str, bucket: int, ranges: Iterable[Range], rules: RepositoryRules) -> None:
    """Write a bucket's part of ``histories/``, a row for each repository whose first range is among ``ranges``."""
    rows = [_row(some, rules) for some in ranges if some.number == 0]
    write_table(storage.join(root, DATASET, f"read-{bucket:05d}.parquet"), pa.Table.from_pylist(rows, schema=HISTORIES))


def _row(some: Range, rules: RepositoryRules) -> dict[str, Any]:
    who = {"source": display(some.unit.path), "repo": some.unit.repo, "error": " ".join(some.error.split())[:1000]}
    violated = repository_violations(some.figures, rules) if some.figures else [some.violation] if some.violation else []
    outcome = "rejected" if violated else "kept" if some.ids else "failed"
    figures = some.figures._asdict() if some.figures else {}
    return who | {"outcome": outcome, "rules": " ".join(each.rule for each in violated)} | figures


def sections(root: str, _: Tally) -> Sequence[Section]:
    """The repositories of a run, those that were kept and the others, for its report."""
    files = storage.match(storage.join(storage.escape(root), DATASET, "*.parquet"))
    tables = [read_table(info.path) for info in files]
    rows = pa.concat_tables(tables).to_pylist() if tables else []
    rows.sort(key=lambda row: (-(row["commits"] or 0), row["repo"], row["source"]))
    kept = [row for row in rows if row["outcome"] == "kept"]
    others = sorted((row for row in rows if row["outcome"] != "kept"), key=lambda row: (row["outcome"] == "failed", row["rules"]))
    return [_section("Repositories kept", kept, _kept_text(kept)), _section("Repositories not kept", others, _others_text(others))]


def _section(title: str, rows: Sequence[dict[str, Any]], text: str) -> Section:
    header = ("Repository", "Stars", "Forks", "Commits", "Days", "What is wrong with it")
    shown = [(row["repo"], row["stars"], row["forks"], row["commits"], _rounded(row["days"]), _wrong(row)) for row in rows[:SHOWN]]
    more = f" Shown are the {SHOWN} with most commits; all are in {DATASET}/." if len(rows) > SHOWN else ""
    return Section(title, text + more, header, shown)


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 1)


def _wrong(row: dict[str, Any]) -> str:
    return ", ".join([*row["rules"].split(" "), row["error"]] if row["rules"] else [row["error"]]).strip(", ")


def _kept_text(rows: Sequence[dict[str, Any]]) -> str:
    damaged = sum(bool(row["error"]) for row in rows)
    told = f"{len(rows):,} with {sum(row['commits'] for row in rows):,} commits."
    return told + (f" Of {damaged:,} only a part of the history can be read." if damaged else "")


def _others_text(rows: Sequence[dict[str, Any]]) -> str:
    counts = Counter(rule for row in rows for rule in row["rules"].split())
    counts["could not be read"] = sum(row["outcome"] == "failed" for row in rows)
    told = "; ".join(f"{count:,} {rule}" for rule, count in counts.most_common() if count)
    return f"{len(rows):,}" + (f": {told}. One may violate several rules." if told else ".")
