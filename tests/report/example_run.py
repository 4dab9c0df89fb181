"""A plausible run made of synthetic tables, for tests and for looking at the report: `python tests/report/example_run.py OUT.html`."""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow as pa

from beam_seed.curation.job import GITHUB
from beam_seed.records import document_id
from beam_seed.report.build import build_report
from beam_seed.report.render import render
from beam_seed.report.schema import Facts, Lsh, Report, Throughput
from beam_seed.report.tally import Tally, Total

LANGUAGES = {
    "Python": (9000, "py"),
    "JavaScript": (6500, "js"),
    "C": (4200, "c"),
    "TypeScript": (3900, "ts"),
    "C++": (3300, "cpp"),
    "Markdown": (2600, "md"),
    "Java": (2100, "java"),
    "Go": (1500, "go"),
    "Rust": (1300, "rs"),
    "HTML": (1100, "html"),
    "CSS": (800, "css"),
    "Shell": (700, "sh"),
    "JSON": (650, "json"),
    "Ruby": (500, "rb"),
    "Perl": (450, "pl"),
    "Fortran": (240, "f90"),
    "CUDA": (120, "cu"),
    "Tcl": (60, "tcl"),
}
_EXCERPT = 'def {name}(request, *args):\n    """Answer one request."""\n    for arg in args:\n        yield request.send(arg)\n'


def documents(seed: int = 7) -> list[dict]:
    """Rows of documents: source, repo, path, language, size, content."""
    random = np.random.default_rng(seed)
    rows = []
    for language, (number, suffix) in LANGUAGES.items():
        sizes = np.minimum(np.exp(random.normal(8.2, 1.5, number)), 1 << 20).astype(int)
        for index, size in enumerate(sizes.tolist()):
            repo = f"{['pallets', 'numpy', 'left-pad', 'django', 'llvm', 'requests'][index % 6]}/{language.lower()}-{index // 60}"
            path = f"src/{['core', 'util', 'tests', 'vendor'][index % 4]}/module_{index:05d}.{suffix}"
            rows.append(
                {"source": f"gs://raw/2026/{index % 9}.tar.zst", "repo": repo, "path": path, "language": language, "size": int(size)}
            )
    for row in rows:
        row["id"] = document_id(row["source"], row["repo"], row["path"])
        row["content"] = _EXCERPT.format(name=row["path"].split("/")[-1].split(".")[0])
    return rows


def run(rows: list[dict], seed: int = 11) -> Tally:
    """Judge the rows by dice and tally the outcome."""
    random = np.random.default_rng(seed)
    tally = Tally()
    kept: dict[str, list[dict]] = {"file_level": [], "repo_level": []}
    rejected, failed = [], []
    for row in rows:
        for variant, outcome in _fates(row, rows, random):
            if outcome is None:
                quality = float(np.float32(np.clip(random.beta(5, 2.5), 0.31, 1)))
                size = int(random.pareto(1.1)) + 1 if random.random() < 0.2 else 1
                cluster = row["id"]
                if variant == "repo_level":
                    cluster = document_id(row["source"], row["repo"], "")
                    size = max(1, int(cluster[:2], 16) - 230)
                kept[variant].append({**row, "quality": quality, "cluster_id": cluster, "cluster_size": size})
            else:
                (failed if "error" in outcome else rejected).append({**row, "variant": variant, **outcome})
    for variant, held in kept.items():
        table = pa.Table.from_pylist(held)
        tally.add_kept(variant, table, variant in GITHUB.repositories)
    large = sorted(kept["file_level"], key=lambda row: -row["cluster_size"])[:20]
    for number, row in enumerate(row for row in rejected if row["rule"] == "near-duplicate" and row["variant"] == "file_level"):
        twin = large[number * number % 20]
        row["evidence"] = _evidence(twin)
    tally.add_rejected(pa.Table.from_pylist(rejected))
    tally.add_failed(pa.Table.from_pylist(failed))
    tally.add_cluster_members(pa.Table.from_pylist(rejected))
    return tally


def _evidence(twin: dict) -> str:
    who = {name: twin[name] for name in ("id", "source", "repo", "path")}
    return json.dumps({"kept": who, "cluster": twin["id"]}, sort_keys=True)


def _fates(row: dict, rows: list[dict], random: np.random.Generator) -> list[tuple[str, dict | None]]:
    dice = random.random()
    if dice < 0.04:
        return [("both", _why("read", "vendored", None, None, json.dumps({"folder": "node_modules"})))]
    if dice < 0.07:
        return [("both", _why("language", "unsupported-language", None, None, "{}"))]
    if dice < 0.11:
        return [("both", _why("rules", "long-line", float(int(random.pareto(1) * 9000) + 1000), 1000.0, "{}"))]
    if dice < 0.13:
        return [("both", _why("rules", "generated", 1.0, 0.0, json.dumps({"marker": "DO NOT EDIT", "line": 3})))]
    twin = _evidence(rows[int(random.integers(len(rows)))])
    if dice < 0.33:
        return [("file_level", _why("exact_dedup", "exact-duplicate", 1.0, 1.0, twin)), ("repo_level", None)]
    if dice < 0.42:
        jaccard = 0.7 + 0.3 * random.beta(1.2, 1.5)
        return [("file_level", _why("near_dedup", "near-duplicate", jaccard, 0.7, twin)), ("repo_level", None)]
    if dice < 0.46:
        return [
            ("file_level", None),
            ("repo_level", _why("near_dedup", "near-duplicate-repository", 0.7 + 0.3 * random.random(), 0.7, twin)),
        ]
    if dice < 0.50:
        share = 0.05 + 0.9 * random.random() ** 3
        return [("both", _why("syntax", "syntax-error", share, 0.05, json.dumps({"line": 17, "node": "ERROR"})))]
    if dice < 0.502:
        return [("both", {"stage": "syntax", "error": "WorkerLost: the parser process ended with signal 11"})]
    if dice < 0.56:
        return [
            (
                "both",
                _why("quality", "low-quality", 0.30 * random.random() ** 0.4, 0.31, '{"by": "files", "drop_lowest": 0.1, "per": "all"}'),
            )
        ]
    return [("file_level", None), ("repo_level", None)]


def _why(stage: str, rule: str, measured: float | None, limit: float | None, evidence: str) -> dict:
    return {"stage": stage, "rule": rule, "measured": measured, "limit": limit, "evidence": evidence}


def report() -> Report:
    rows = documents()
    total = Total(len(rows), sum(row["size"] for row in rows), sum(int(row["id"][:8], 16) for row in rows))
    seconds = {"read": 21.4, "measure": 33.0, "duplicates": 18.2, "score": 61.7, "decide": 1.4, "assemble": 9.8}
    facts = Facts(
        job=GITHUB,
        read=total,
        inputs=["gs://raw/2026/*.tar.zst", "/data/more/*.parquet"],
        options={
            "output": "gs://curated/2026-11",
            "near_threshold": 0.7,
            "drop_lowest": 0.1,
            "per": "all",
            "scorer": "default",
            "runner": "FnApiRunner",
        },
        versions={"beam_seed": "0.1.0", "apache-beam": "2.77.0", "python": "3.11.7", "scorer": "3f2a9c0b11d47e55"},
        duration=148.2,
        lsh=Lsh(21, 6, 0.7),
        throughput=[Throughput(stage, taken, total.files, total.bytes, stage == "read") for stage, taken in seconds.items()],
    )
    return build_report(run(rows), facts)


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write(render(report()))
