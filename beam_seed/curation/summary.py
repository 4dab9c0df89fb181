"""Stage 7: what the run did, as tallies and statistics that every stage leaves behind, a manifest, and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam_package
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import Message

from beam_seed import __version__, storage
from beam_seed.curation.datasets import read_groups, read_table, shard_path
from beam_seed.curation.read import Bucket
from beam_seed.estimate.cost import cost_of
from beam_seed.estimate.prices import read_prices
from beam_seed.failures import too_many
from beam_seed.languages.registry import LANGUAGES
from beam_seed.report.accounting import broken
from beam_seed.report.build import build_report
from beam_seed.report.job import Job
from beam_seed.report.render import render
from beam_seed.report.schema import Facts, Invariant, Lsh, Section, Throughput
from beam_seed.report.tally import Tally, Total
from beam_seed.report.tally import merge as merge_tallies
from beam_seed.statistics import collect, validate
from beam_seed.statistics import schema as schemas

FORETOLD = "estimate.json"
"""Where ``beam-seed estimate --output`` is to be written for the report to show it."""


class Totals(NamedTuple):
    """Everything the stages left behind, merged."""

    tally: bytes  # packed Tally
    statistics: Mapping[str, bytes]  # variant -> packed Statistics, of those that have rows


def merge_totals(paths: Iterable[str]) -> Totals:
    """The sum of the tallies at ``paths``; those of corpora are named after their variant and the number of the part."""
    tallies: list[Tally] = []
    statistics: dict[str, collect.Statistics] = {}
    for path in paths:
        value = storage.read_json(path)
        tallies.append(Tally.from_bytes(value["tally"].encode()))
        if value["statistics"]:
            variant = path.rpartition("/")[2].rpartition("-")[0]
            _add(statistics, variant, value["statistics"].encode())
    return _totals(tallies, statistics)


def sum_totals(totals: Iterable[Totals]) -> Totals:
    """The sum of several sums."""
    tallies: list[Tally] = []
    statistics: dict[str, collect.Statistics] = {}
    for each in totals:
        tallies.append(Tally.from_bytes(each.tally))
        for variant, packed in each.statistics.items():
            _add(statistics, variant, packed)
    return _totals(tallies, statistics)


def _add(statistics: dict[str, collect.Statistics], variant: str, packed: bytes) -> None:
    statistics.setdefault(variant, collect.Statistics()).merge(collect.Statistics.from_bytes(packed))


def _totals(tallies: Iterable[Tally], statistics: Mapping[str, collect.Statistics]) -> Totals:
    return Totals(merge_tallies(tallies).to_bytes(), {variant: own.to_bytes() for variant, own in statistics.items()})


def illustrate(root: str, number: int, totals: Totals, excerpt: str) -> tuple[bytes, dict[str, str]]:
    """What one shard adds to the pictures: a packed Tally of members of the largest clusters, and the sampled documents' texts.

    excerpt: the column of texts.
    """
    whole = Tally.from_bytes(totals.tally)
    found = Tally()
    path = storage.join(root, "rejected", f"verdict-{shard_path('', '', number).rpartition('/')[2]}")
    if storage.exists(path):
        found.add_cluster_members(read_table(path), whole.cluster_ids())
    ids = read_table(shard_path(root, "documents", number), ["id"])["id"]
    rows = np.flatnonzero(pc.is_in(ids, pa.array(sorted(whole.sample_ids()), pa.string())).to_numpy())
    texts: dict[str, str] = {}
    for start, table in read_groups(shard_path(root, "documents", number), ["id", excerpt], rows.tolist()):
        here = rows[(rows >= start) & (rows < start + len(table))] - start
        chosen = table.take(pa.array(here)).to_pylist()
        texts |= {row["id"]: row[excerpt] for row in chosen}
    return found.to_bytes(), texts


def no_sections(root: str, tally: Tally) -> Sequence[Section]:
    """The sections of a job that has none of its own."""
    return ()


class Run(NamedTuple):
    """What the report says of the run itself."""

    job: Job
    root: str
    inputs: Sequence[str]
    options: Mapping[str, Any]
    lsh: tuple[int, int, float] | None  # bands, rows, threshold; None where no near-duplicates are looked for
    models: Mapping[str, str]  # entries of the manifest: what a model is for -> its fingerprint, '' where it was not used
    sections: Callable[[str, Tally], Sequence[Section]] = no_sections  # (root, tally), once all datasets are written
    stages: Mapping[str, str] = {}  # name -> fingerprint, in order
    started: float = 0.0  # seconds since the epoch
    max_failed_share: float = 1.0  # of the documents; where more failed, the run fails
    cores: int = 0  # that worked on it; 0 where the runner does not tell


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
    limits = [limit_failed(variant, tally, read, run.max_failed_share) for variant in run.job.variants]
    described = [_describe(run, variant, totals.statistics.get(variant), tally) for variant in run.job.variants]
    versions = {"beam_seed": __version__, "apache-beam": beam_package.__version__, "pyarrow": pa.__version__}
    facts = Facts(
        job=run.job,
        read=read,
        inputs=run.inputs,
        options=run.options,
        versions=versions,
        duration=now - run.started,
        lsh=Lsh(*run.lsh) if run.lsh else None,
        throughput=_throughput(run, read, finished),
        invariants=[*(invariant for group in described for invariant in group), *limits],
        sections=run.sections(run.root, tally),
    )
    report = build_report(tally, facts)
    if run.cores and (cost := cost_of(report, run.cores, read_prices(""), _foretold(run.root))):
        report["cost"] = cost
    storage.write_json(storage.join(run.root, "report.json"), report)
    with storage.open_write(storage.join(run.root, "report.html")) as out:
        out.write(render(report).encode())
    problems = broken([Invariant(**invariant) for invariant in report["invariants"]])
    if problems:
        raise RuntimeError(f"the run's invariants do not hold: {problems}; the datasets in {run.root} must not be used; see report.html")
    manifest = _manifest(run, report, versions)
    storage.write_json(storage.join(run.root, "manifest.json"), manifest)
    for scratch in ("spill", "candidates", "unscored"):
        storage.discard(storage.join(run.root, "_work", scratch))
    return manifest


def _foretold(root: str) -> Any:
    """What an estimate of this run says that was written into its folder; None where there is none."""
    path = storage.join(root, FORETOLD)
    return storage.read_json(path) if storage.exists(path) else None


def _describe(run: Run, variant: str, packed: bytes | None, tally: Tally) -> list[Invariant]:
    """Write a corpus's schema and statistics; the invariants they are held against."""
    corpus = run.job.corpus
    statistics = collect.Statistics.from_bytes(packed) if packed else collect.Statistics()
    message = statistics.to_proto(variant, run.job.categorical)
    schema = schemas.corpus_schema(corpus, sorted(language.name for language in LANGUAGES))
    # Readers of Parquet folders skip what begins with an underscore.
    folder = storage.join(run.root, "corpora", variant, "_statistics")
    _write_proto(folder, "schema.pbtxt", schemas.to_text(schema).encode())
    _write_proto(folder, "statistics.pb", _serialised(message))
    _write_proto(folder, "statistics.pbtxt", collect.to_text(message).encode())
    anomalies = validate.validate(message, schema)
    _write_proto(folder, "anomalies.pbtxt", validate.to_text(validate.to_proto(anomalies, schema)).encode())
    told = "; ".join(anomaly.description for anomaly in anomalies) or f"{statistics.rows:,} rows, {len(corpus)} columns"
    kept = tally.total(variant, "kept").files
    return [
        Invariant(f"{variant}: the corpus is as its schema says", not anomalies, told),
        Invariant(f"{variant}: rows written = files kept", statistics.rows == kept, f"{statistics.rows:,} and {kept:,}"),
    ]


def limit_failed(variant: str, tally: Tally, read: Total, share: float) -> Invariant:
    """That no more than a share of what was read failed, see :mod:`beam_seed.failures`."""
    failed = tally.total(variant, "failed").files
    # Without the root: the manifest is the same wherever a run lies.
    told = f"{failed:,} of {read.files:,}" + ("; their errors are in failed/" if failed else "")
    holds = not too_many(read.files, failed, share)
    return Invariant(f"{variant}: not more failed than max_failed_share, {share}, allows", holds, told)


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
        "job": run.job.name,
        "versions": dict(versions),
        "options": dict(run.options),
        "inputs": list(run.inputs),
        "stages": dict(run.stages),
        **run.models,
        "read": report["read"],
        "kept": report["kept"],
        "corpora": {variant: _files(run.root, variant) for variant in run.job.variants},
        "invariants": report["invariants"],
    }


def _files(root: str, variant: str) -> list[dict[str, Any]]:
    files = []
    for info in storage.match(storage.join(storage.escape(root), "corpora", variant, "*.parquet")):
        _, digest = storage.digest(info.path)
        files.append({"path": f"corpora/{variant}/{info.path.rpartition('/')[2]}", "size": info.size, "sha256": digest})
    return files
