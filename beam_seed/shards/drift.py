"""The drift of a run of shards against another: as drift.json and as a page."""

from __future__ import annotations

from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_seed import storage
from beam_seed.report.render import template
from beam_seed.statistics import schema
from beam_seed.statistics.drift import Drift, compare

_FILES = ("statistics.pbtxt", "schema.pbtxt")


def check_baseline(root: str) -> None:
    """Raise ValueError where ``root`` is no directory whose statistics a run can be held against."""
    for name in _FILES:
        if not storage.exists(path := storage.join(root, name)):
            raise ValueError(f"no {path}; expected a directory that beam-seed shards wrote")


def find_drift(root: str, baseline: str, limit: float) -> Drift:
    """The drift of the run in ``root``, whose statistics are written, against that in ``baseline``."""
    now, before = (
        text_format.Parse(_read(folder, _FILES[0]), statistics_pb2.DatasetFeatureStatisticsList()) for folder in (root, baseline)
    )
    return compare(now, before, schema.from_text(_read(baseline, _FILES[1])), limit)


def _read(root: str, name: str) -> str:
    with storage.open_read(storage.join(root, name)) as file:
        return file.read().decode()


def to_json(drift: Drift, baseline: str) -> dict[str, Any]:
    columns = [
        column._asdict() | {"over": column.distance > column.limit, "moved": [moved._asdict() for moved in column.moved]}
        for column in drift.columns
    ]
    columns.sort(key=lambda column: (-column["distance"] / column["limit"], column["column"]))
    rows = {"before": drift.rows[0], "now": drift.rows[1]}
    return {"baseline": baseline, "found": drift.found, "documents": rows, "anomalies": drift.anomalies, "columns": columns}


def write_drift(root: str, drift: Drift, baseline: str) -> None:
    """Write drift.json and drift.html."""
    told = to_json(drift, baseline)
    storage.write_json(storage.join(root, "drift.json"), told)
    with storage.open_write(storage.join(root, "drift.html")) as out:
        out.write(template("beam_seed.shards", "drift.html").render(told).encode())


def told(drift: Drift) -> list[str]:
    """One line for each thing that drifted."""
    lines = [f"{anomaly['column']}: {anomaly['description']}" for anomaly in drift.anomalies]
    for column in drift.columns:
        if column.distance > column.limit:
            moved = column.moved[0]
            figures = f"{moved.value} from {moved.before:.4g} to {moved.now:.4g}"
            lines.append(f"{column.column}: {column.measure} {column.distance:.3f}, limit {column.limit:g}; {figures}")
    return lines
