"""Labels in a bucket, against an emulator on loopback."""

import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage

from beam_seed.trainer.labels import read_labels


@pytest.fixture
def bucket(emulated_bucket):
    return storage.Client().bucket("bucket")


def put(bucket, name, *paths):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"content": "x", "language": "Go", "path": path, "rating": 5} for path in paths]), file)
    bucket.blob(name).upload_from_string(file.getvalue())


def paths(pattern):
    return [label.document.path for label in read_labels([pattern])]


def test_folders_patterns_and_files(bucket):
    put(bucket, "labels/b.parquet", "3")
    put(bucket, "labels/a.parquet", "1", "2")
    put(bucket, "labels/deep/c.parquet", "4")
    put(bucket, "labels-of-others/d.parquet", "5")
    bucket.blob("labels/manifest.json").upload_from_string("{}")
    assert paths("gs://bucket/labels") == paths("gs://bucket/labels/") == paths("gs://bucket/labels/*.parquet") == ["1", "2", "3"]
    assert paths("gs://bucket/labels/b.parquet") == ["3"]
    assert paths("gs://bucket/labels*/?.parquet") == ["5", "1", "2", "3"]
    assert paths("gs://bucket/*/deep/[a-c].parquet") == ["4"]


def test_nothing_there(bucket):
    for pattern in ("gs://bucket/none", "gs://bucket/labels/*.parquet", "gs://nobucket/labels"):
        with pytest.raises(FileNotFoundError, match=r"gs://.*expected Parquet files"):
            read_labels([pattern])


def test_no_table(bucket):
    bucket.blob("labels/a.parquet").upload_from_string("cut off")
    with pytest.raises(ValueError, match=r"gs://bucket/labels/a\.parquet is no Parquet file"):
        read_labels(["gs://bucket/labels"])


def test_a_trainers_machine_needs_no_beam():
    # All of ours that the trainer imports, without the modules that import torch, which takes seconds.
    ours = "beam_seed.quality.scorer, beam_seed.trainer.baseline, beam_seed.trainer.evaluation_report, beam_seed.trainer.model_card"
    told = f"import sys, {ours}; print([name for name in sys.modules if name.split('.')[0] == 'apache_beam'])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.strip() == "[]"
