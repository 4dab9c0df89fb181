"""Stage 7: what the run did, as tallies and statistics that every stage leaves behind, a manifest, and a report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam_package
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import Message

from beam_seed import __version__, storage
from beam_seed.curation.datasets import CORPUS, read_groups, read_table, shard_path
from beam_seed.curation.decide import VARIANTS
from beam_seed.curation.read import Bucket
from beam_seed.languages.registry import LANGUAGES
from beam_seed.report.accounting import broken
from beam_seed.report.build import build_report
from beam_seed.report.render import render
from beam_seed.report.schema import Facts, Invariant, Lsh, Throughput
from beam_seed.report.tally import Tally, Total
from beam_seed.report.tally import merge as merge_tallies
from beam_seed.statistics import collect, validate
from beam_seed.statistics import schema as schemas

STAGES = ("read", "language", "rules", "exact_dedup", "near_dedup", "syntax", "quality")
_CATEGORICAL = ("language", "license", "scorer")
_CHUNK = 1 << 20  # bytes read at once of a file that is digested


class Totals(NamedTuple):
    """Everything the stages left behind, merged."""

    tally: bytes  # packed Tally
    statistics: Mapping[str, bytes]  # variant -> packed Statistics


def merge_totals(paths: Iterable[str]) -> Totals:
    """The sum of the tallies at ``paths``; the corpora's file names begin with their variant."""
    tallies: list[Tally] = []
    statistics = {variant: collect.Statistics() for variant in VARIANTS}
    for path in paths:
        value = storage.read_json(path)
        tallies.append(Tally.from_bytes(value["tally"].encode()))
        if value["statistics"]:
            variant = next(each for each in VARIANTS if path.rpartition("/")[2].startswith(each))
            statistics[variant].merge(collect.Statistics.from_bytes(value["statistics"].encode()))
    return Totals(merge_tallies(tallies).to_bytes(), {variant: own.to_bytes() for variant, own in statistics.items()})


def sum_totals(totals: Iterable[Totals]) -> Totals:
    """The sum of several sums."""
    tallies: list[Tally] = []
    statistics = {variant: collect.Statistics() for variant in VARIANTS}
    for each in totals:
        tallies.append(Tally.from_bytes(each.tally))
        for variant in VARIANTS:
            statistics[variant].merge(collect.Statistics.from_bytes(each.statistics[variant]))
    return Totals(merge_tallies(tallies).to_bytes(), {variant: own.to_bytes() for variant, own in statistics.items()})


def illustrate(root: str, number: int, totals: Totals) -> tuple[bytes, dict[str, str]]:
    """What one shard adds to the pictures: a packed Tally of members of the largest clusters, and the sampled documents' texts."""
    whole = Tally.from_bytes(totals.tally)
    found = Tally()
    path = storage.join(root, "rejected", f"verdict-{shard_path('', '', number).rpartition('/')[2]}")
    if storage.exists(path):
        found.add_cluster_members(read_table(path), whole.cluster_ids())
    ids = read_table(shard_path(root, "documents", number), ["id"])["id"]
    rows = np.flatnonzero(pc.is_in(ids, pa.array(sorted(whole.sample_ids()), pa.string())).to_numpy())
    texts: dict[str, str] = {}
    for start, table in read_groups(shard_path(root, "documents", number), ["id", "content"], rows.tolist()):
        here = rows[(rows >= start) & (rows < start + len(table))] - start
        chosen = table.take(pa.array(here)).to_pylist()
        texts |= {row["id"]: row["content"] for row in chosen}
    return found.to_bytes(), texts


class Run(NamedTuple):
    """What the report says of the run itself."""

    root: str
    inputs: Sequence[str]
    options: Mapping[str, Any]
    lsh: tuple[int, int, float]  # bands, rows, threshold
    scorer: str  # fingerprint
    stages: Mapping[str, str]  # name -> fingerprint, in order
    started: float  # seconds since the epoch


def write_summary(
    run: Run,
    totals: Totals,
    pictures: Iterable[tuple[bytes, dict[str, str]]],
    buckets: Iterable[Bucket],
    finished: Mapping[str, float | None],
    now: float,
) -> dict[str, Any]:
    """Write statistics, schemas, ``report.json``, ``report.html`` and, last, ``manifest.json``.

    finished: when each stage was published, in seconds since the epoch; None where an earlier run did it.
    Raises RuntimeError where an invariant does not hold: the books do not close, or a corpus is not as its schema says.
    """
    tally = Tally.from_bytes(totals.tally)
    for packed, texts in pictures:
        tally.merge(Tally.from_bytes(packed))
        tally.add_excerpts(texts)
    read = sum((Total(bucket.files, bucket.size, bucket.checksum) for bucket in buckets), Total())
    described = [_describe(run.root, variant, totals.statistics[variant], tally) for variant in VARIANTS]
    versions = {"beam_seed": __version__, "apache-beam": beam_package.__version__, "pyarrow": pa.__version__}
    facts = Facts(
        job="github",
        read=read,
        stages=STAGES,
        inputs=run.inputs,
        options=run.options,
        versions=versions,
        duration=now - run.started,
        lsh=Lsh(*run.lsh),
        throughput=_throughput(run, read, finished),
        invariants=[invariant for group in described for invariant in group],
    )
    report = build_report(tally, facts)
    storage.write_json(storage.join(run.root, "report.json"), report)
    with storage.open_write(storage.join(run.root, "report.html")) as out:
        out.write(render(report).encode())
    problems = broken([Invariant(**invariant) for invariant in report["invariants"]])
    if problems:
        raise RuntimeError(f"the run's invariants do not hold: {problems}; the datasets in {run.root} must not be used; see report.html")
    manifest = _manifest(run, report, versions)
    storage.write_json(storage.join(run.root, "manifest.json"), manifest)
    for scratch in ("spill", "candidates"):
        storage.delete_tree(storage.join(run.root, "_work", scratch))
    return manifest


def _describe(root: str, variant: str, packed: bytes, tally: Tally) -> list[Invariant]:
    """Write a corpus's schema and statistics; the invariants they are held against."""
    statistics = collect.Statistics.from_bytes(packed)
    message = statistics.to_proto(variant, _CATEGORICAL)
    schema = schemas.corpus_schema(CORPUS, sorted(language.name for language in LANGUAGES))
    # Readers of Parquet folders skip what begins with an underscore.
    folder = storage.join(root, "corpora", variant, "_statistics")
    _write_proto(folder, "schema.pbtxt", schemas.to_text(schema).encode())
    _write_proto(folder, "statistics.pb", _serialised(message))
    _write_proto(folder, "statistics.pbtxt", collect.to_text(message).encode())
    anomalies = validate.validate(message, schema)
    _write_proto(folder, "anomalies.pbtxt", validate.to_text(validate.to_proto(anomalies, schema)).encode())
    told = "; ".join(anomaly.description for anomaly in anomalies) or f"{statistics.rows:,} rows, {len(CORPUS)} columns"
    kept = tally.total(variant, "kept").files
    return [
        Invariant(f"{variant}: the corpus is as its schema says", not anomalies, told),
        Invariant(f"{variant}: rows written = files kept", statistics.rows == kept, f"{statistics.rows:,} and {kept:,}"),
    ]


def _serialised(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def _write_proto(folder: str, name: str, data: bytes) -> None:
    with storage.open_write(storage.join(folder, name)) as out:
        out.write(data)


def _throughput(run: Run, read: Total, finished: Mapping[str, float | None]) -> list[Throughput]:
    before, rates = run.started, []
    for stage in run.stages:
        now = finished[stage]
        seconds = max(now - before, 0.0) if now is not None else 0.0
        rates.append(Throughput(stage, seconds, read.files, read.bytes, now is None))
        before = now if now is not None else before
    return rates


def _manifest(run: Run, report: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    """What the run published: nothing in it depends on when, where or by how many workers it was run."""
    return {
        "format": "beam_seed.corpus/1",
        "job": "github",
        "versions": dict(versions),
        "options": dict(run.options),
        "inputs": list(run.inputs),
        "stages": dict(run.stages),
        "scorer": run.scorer,
        "read": report["read"],
        "kept": report["kept"],
        "corpora": {variant: _files(run.root, variant) for variant in VARIANTS},
        "invariants": report["invariants"],
    }


def _files(root: str, variant: str) -> list[dict[str, Any]]:
    files = []
    for info in storage.match(storage.join(storage.escape(root), "corpora", variant, "*.parquet")):
        digest = hashlib.sha256()
        with storage.open_read(info.path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        files.append({"path": f"corpora/{variant}/{info.path.rpartition('/')[2]}", "size": info.size, "sha256": digest.hexdigest()})
    return files
