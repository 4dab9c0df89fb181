"""The summary of a run as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def report_text(summary: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """``report.txt`` of ``long_context.json`` and the run's options."""
    counts = summary["counts"]
    sections = [
        _table("Options", ("option", "value"), sorted(told["options"].items())),
        _table("Repositories", ("", "count"), _repositories(summary)),
        _table("Single files", ("", "count"), [("read", counts.get("files_read", 0)), ("long enough", counts.get("files_long", 0))]),
        *(_lengths(kind, counts) for kind in ("repository", "file")),
        _table(
            "Dependencies by language",
            ("language", "files", "not parsed", "imports", "to a file of the repository", "edges"),
            [(name, *row.values()) for name, row in sorted(counts.get("languages", {}).items())],
        ),
        _table(
            "Largest repositories",
            ("repository", "files", "tokens", "sequences", "edges", "cut", "against the order"),
            [
                tuple(row[key] for key in ("repo", "files", "tokens", "sequences", "edges", "edges_cut", "edges_against_order"))
                for row in counts.get("largest", [])
            ],
        ),
    ]
    return "\n".join(sections)


def _repositories(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    counts = summary["counts"]
    of = {name: counts.get(f"repository_{name}", 0) for name in _FACTS}
    rejected = [(f"not taken: {rule}", count) for rule, count in sorted(counts.get("rejected", {}).items())]
    limit = [] if summary["threshold"] is None else [("mean quality below which the lowest share lies", f"{summary['threshold']:.4f}")]
    return [("taken", counts.get("repositories", 0)), *rejected, *limit, *((text, of[name]) for name, text in _FACTS.items())]


_FACTS = {
    "files": "files in sequences",
    "files_failed": "files of repositories that failed",
    "sequences": "sequences",
    "over_budget": "of them longer than the budget, one file each",
    "edges": "dependencies",
    "edges_cut": "of them between two sequences",
    "edges_against_order": "of them against the order",
    "edges_misplaced": "of these, outside of cycles",
    "cyclic_files": "files in cycles",
}


def _lengths(kind: str, counts: Mapping[str, Any]) -> str:
    rows = sorted((int(most), count) for most, count in counts.get(f"{kind}_tokens_by_length", {}).items())
    return _table(f"Rows of kind '{kind}' by tokens", ("tokens up to", "rows"), [(f"{most:,}", count) for most, count in rows])


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in [header, *rows]]
    if len(cells) == 1:
        return f"{title}\n  none\n"
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([title, *lines, ""])
