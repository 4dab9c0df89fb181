"""What a run did: its books, which must close, as report.json and one page, and the manifest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam_package
import pyarrow as pa

from beam_seed import __version__, storage
from beam_seed.curation.summary import limit_failed
from beam_seed.long_context.job import LONG_CONTEXT, VARIANT
from beam_seed.long_context.publish import Counts, Part, add_up, corpus_path
from beam_seed.report.accounting import broken
from beam_seed.report.build import build_report
from beam_seed.report.render import render
from beam_seed.report.schema import Facts, Histogram, Invariant, Plot, Section
from beam_seed.report.tally import UNIT_BINS, Tally


class Told(NamedTuple):
    """What the report says of the run itself."""

    inputs: Sequence[str]
    options: Mapping[str, str]
    tables: Mapping[str, Any]  # of repositories and of files: how many, and their fingerprint
    started: float  # seconds since the epoch
    max_failed_share: float  # of the files; where more failed, the run fails


def write(tally: bytes, root: str, told: Told, parts: Iterable[Part]) -> dict[str, Any]:
    """Write ``long_context.json``, ``report.json``, ``report.html`` and, last, ``manifest.json``; returns what was kept.

    tally: the sum of the parts' tallies, packed. Raises RuntimeError where the books do not close, or a sequence is not as promised.
    """
    read, threshold, counts = add_up(Part(*each) for each in parts)
    whole = Tally.from_bytes(tally)
    facts = Facts(
        job=LONG_CONTEXT,
        read=read,
        inputs=told.inputs,
        options=told.options,
        versions={"beam_seed": __version__, "apache-beam": beam_package.__version__, "pyarrow": pa.__version__},
        duration=time.time() - told.started,
        invariants=[*promises(counts, whole, told.options["order"]), limit_failed(VARIANT, whole, read, told.max_failed_share)],
        sections=sections(counts, threshold),
    )
    report = build_report(whole, facts)
    storage.write_json(storage.join(root, f"{VARIANT}.json"), {"threshold": threshold, "counts": counts})
    storage.write_json(storage.join(root, "report.json"), report)
    with storage.open_write(storage.join(root, "report.html")) as out:
        out.write(render(report).encode())
    if problems := broken([Invariant(**each) for each in report["invariants"]]):
        raise RuntimeError(f"the run's invariants do not hold: {problems}; the datasets in {root} must not be used; see report.html")
    manifest = {
        "format": "beam_seed.corpus/1",
        "job": VARIANT,
        "version": __version__,
        "options": dict(told.options),
        "inputs": dict(told.tables),
        "read": report["read"],
        "kept": report["kept"],
        "corpora": {VARIANT: _files(root)},
        "invariants": report["invariants"],
    }
    storage.write_json(storage.join(root, "manifest.json"), manifest)
    return dict(report["kept"])


def promises(counts: Counts, tally: Tally, order: str) -> list[Invariant]:
    """What must be true of the sequences, each decided on numbers that come from different places."""
    rows, in_sequences = counts.get("rows", 0), sum(counts.get(f"{kind}_row_files", 0) for kind in ("repository", "file"))
    read = sum(tally.total(VARIANT, outcome).files for outcome in ("kept", "rejected", "failed"))
    kept = tally.total(VARIANT, "kept").files
    long, long_files = (counts.get(f"repository_{name}", 0) for name in ("over_budget", "over_budget_files"))
    found = [
        Invariant("every row of the tables is in the books", rows == read, f"{rows:,} and {read:,}"),
        Invariant("files in the corpus's rows = files kept", in_sequences == kept, f"{in_sequences:,} and {kept:,}"),
        Invariant("a sequence longer than the budget is one file", long == long_files, f"{long:,} sequences of {long_files:,} files"),
    ]
    if order == "topological":
        misplaced = counts.get("repository_edges_misplaced", 0)
        found.append(Invariant("no dependency outside of cycles is against the order", misplaced == 0, f"{misplaced:,} are"))
    return found


def sections(counts: Counts, threshold: float | None) -> list[Section]:
    """What the report shows of this job alone."""
    return [_repositories(counts, threshold), _lengths(counts), *_dependencies(counts), _largest(counts)]


def _repositories(counts: Counts, threshold: float | None) -> Section:
    rejected = counts.get("rejected", {})
    rows: list[tuple[str, int]] = [("taken", counts.get("repositories", 0))]
    rows += [(f"not taken: {rule}", count) for rule, count in sorted(rejected.items())]
    text = "" if threshold is None else f"The lowest share lies below a mean quality of {threshold:.4f}."
    qualities = counts.get("quality", {})
    bins = {name: [qualities.get(name, {}).get(str(number), 0) for number in range(UNIT_BINS)] for name in ("kept", "dropped")}
    data: Histogram = {"kind": "unit", "first": 0, "kept": bins["kept"], "dropped": bins["dropped"]}
    plots = [Plot("By mean quality of their files", data, threshold, "repository")] if qualities else []
    return Section("Repositories", text, ("Outcome", "Repositories"), rows, plots)


def _lengths(counts: Counts) -> Section:
    named = {"repository": "Of repositories", "file": "Of a single file"}
    rows = [
        (name, *(counts.get(f"{kind}_{value}", 0) for value in ("rows", "row_files", "row_tokens", "row_bytes")))
        for kind, name in named.items()
    ]
    rows.append(
        (
            "Of repositories, longer than the budget",
            *(counts.get(f"repository_over_budget{name}", 0) for name in ("", "_files")),
            None,
            None,
        )
    )
    plots = [
        Plot(f"{name}, by tokens", _by_length(counts[f"{kind}_tokens_by_length"]), None, "sequence")
        for kind, name in named.items()
        if f"{kind}_tokens_by_length" in counts
    ]
    text = "One bar for each power of two of tokens; a file that alone is longer than the budget is a sequence of its own."
    return Section("Sequences", text, ("Sequences", "Rows", "Files", "Tokens", "Bytes"), rows, plots)


def _by_length(found: Mapping[str, int]) -> Histogram:
    bins = {int(most).bit_length() - 1: count for most, count in found.items()}
    numbers = range(min(bins), max(bins) + 1)
    return {"kind": "count", "first": numbers.start, "kept": [bins.get(number, 0) for number in numbers], "dropped": [0] * len(numbers)}


_FACTS = {
    "edges": "dependencies",
    "edges_cut": "between two sequences of a repository",
    "edges_against_order": "against the order",
    "edges_misplaced": "against the order, outside of cycles",
    "cycles": "cycles (strongly connected components of several files)",
    "cyclic_files": "files in cycles",
}


def _dependencies(counts: Counts) -> list[Section]:
    facts = [(text, counts.get(f"repository_{name}", 0)) for name, text in _FACTS.items()]
    rows = [(name, *row.values()) for name, row in sorted(counts.get("languages", {}).items())]
    return [
        Section("Dependencies", "Within the repositories that were taken.", ("Of them", "Count"), facts),
        Section(
            "Dependencies by language", "", ("Language", "Files", "Not parsed", "Imports", "To a file of the repository", "Edges"), rows
        ),
    ]


def _largest(counts: Counts) -> Section:
    shown = ("repo", "files", "tokens", "sequences", "edges", "edges_cut", "edges_against_order", "cycles", "largest_cycle")
    header = ("Repository", "Files", "Tokens", "Sequences", "Edges", "Cut", "Against the order", "Cycles", "Files of the largest")
    rows = [tuple(facts[name] for name in shown) for facts in counts.get("largest", [])]
    return Section("Largest repositories", "By tokens; of one larger than 256 MiB, each piece.", header, rows)


def _files(root: str) -> list[dict[str, Any]]:
    files = []
    for info in storage.match(corpus_path(storage.escape(root), "*")):
        _, digest = storage.digest(info.path)
        files.append({"path": f"corpora/{VARIANT}/{info.path.rpartition('/')[2]}", "size": info.size, "sha256": digest})
    return files
