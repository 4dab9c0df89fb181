"""What a run of high-quality mining did: manifest.json, and the same as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beam_seed import __version__, storage
from beam_seed.high_quality.sources import Source
from beam_seed.report.render import template
from beam_seed.report.text import visible

FORMAT = "beam_seed.high_quality/1"

_FATES = ("selected", "copies", "not_selected", "of_no_source", "unmeasured")
"""What becomes of files, each of exactly one."""


def write(
    counts: Sequence[Mapping[str, Any]], root: str, options: Mapping[str, str], sources: Sequence[Source], *rounds: Any
) -> dict[str, Any]:
    """Write ``report.html`` and, last, ``manifest.json``; returns the sums. Raises ValueError where files are lost or counted twice."""
    total = add_up(counts)
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "options": dict(options),
        "counts": total,
        "sources": {source.name: {"about": source.about, **source.plain()} for source in sources},
        "rounds": [sorted(figures, key=lambda each: str(each["source"])) for figures in rounds],
        "files": [info.path.removeprefix(root).lstrip("/") for info in storage.match(storage.join(storage.escape(root), "corpora", "**"))],
    }
    with storage.open_write(storage.join(root, "report.html")) as page:
        page.write(render(manifest).encode())
    storage.write_json(storage.join(root, "manifest.json"), manifest)
    return {"counts": total}


def add_up(counts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The counts of all tables together. Raises ValueError where the fates do not add up to what was read."""
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    if sum(total[fate] for fate in _FATES) != total["read"] or any(total[fate] < 0 for fate in _FATES):
        told = ", ".join(f"{total[fate]} {fate}" for fate in _FATES)
        raise ValueError(f"{total['read']} files were read, but {told}; expected each in exactly one; this is a fault of beam-seed")
    return dict(sorted(total.items()))


def warnings(manifest: Mapping[str, Any]) -> list[str]:
    """What a user must know: models that were not made or not used."""
    told = [each for figures in manifest["rounds"] for each in figures]
    return [f"round {each['round']}, source {each['source']}: {each['why']}" for each in told if each.get("why")]


def render(manifest: Mapping[str, Any]) -> str:
    """The page; equal manifests give equal pages."""
    by_source: dict[str, list[Any]] = {name: [] for name in manifest["sources"]}
    for figures in manifest["rounds"]:
        for told in figures:
            by_source[told["source"]].append(told)
    values = {**manifest, "by_source": by_source, "warnings": warnings(manifest)}
    page: str = template("beam_seed.high_quality", "report.html").render(visible(values))
    return page
