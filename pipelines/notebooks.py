"""``beam-seed notebooks``: the Jupyter notebooks of repositories to documents of their text and code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.curation.read import Bucket, bucket_count, bucket_of, write_bucket
from beam_seed.failures import check_failed
from beam_seed.judge import judge_all
from beam_seed.notebooks import transforms as notebooks
from beam_seed.records import Document
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import MetadataIndex, RepoMetadata, load_metadata
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits
from beam_seed.sources.table import read_table
from beam_seed.sources.units import Unit, distinct_names, list_units
from pipelines import launch

PROG = "beam-seed notebooks"
SUMMARY = "notebooks.json"

_SHARD_BYTES = 32 << 20  # of text in a file of documents/, as the main job's default


@dataclass(frozen=True)
class Options:
    """Render the Jupyter notebooks of repositories as documents of text and code."""

    input: list[str] = opt.option([], "Repositories, archives, tables, folders of them, or globs, as of beam-seed github.", kind="read")
    output: str = opt.option("", "Folder: documents/, rejected/ and failed/ (notebooks not among them, and why), counts.", kind="write")
    metadata: str = opt.option("", "JSON Lines of repositories' stars, forks, licences and dates.", kind="read")
    max_failed_share: float = launch.max_failed_share()
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options, units: Sequence[Unit], metadata: Mapping[str, RepoMetadata]) -> None:
    """Add the job to ``pipeline``: a bucket of repositories is read, rendered and written by one worker, so no text is shuffled."""
    buckets: dict[int, list[Unit]] = {}
    for unit in units:
        buckets.setdefault(bucket_of(unit.repo, bucket_count(units, _SHARD_BYTES)), []).append(unit)
    listed = pipeline | "Buckets" >> beam.Create(sorted(buckets.items()), reshuffle=True)
    written = listed | "Render and write" >> beam.Map(_render_bucket, options.output, metadata)
    _ = written | "All buckets" >> beam.combiners.ToList() | "Summarise" >> beam.Map(_summarise, options.output, options.max_failed_share)


def _render_bucket(bucket: tuple[int, Sequence[Unit]], root: str, metadata: Mapping[str, RepoMetadata]) -> Bucket:
    number, units = bucket
    return write_bucket(number, _items([Unit(*unit) for unit in units], MetadataIndex(metadata)), root, _SHARD_BYTES)


def _items(units: Iterable[Unit], metadata: MetadataIndex) -> Iterator[Any]:
    """What becomes of each notebook of the units."""
    for unit in units:
        read = read_table(unit, ColumnMap(), Limits(), metadata) if unit.kind == "table" else read_unit(unit, Limits(), metadata)
        for item in filter(notebooks.is_notebook, read):
            if isinstance(item, Document):
                yield from judge_all(notebooks.judge, [item], notebooks.STAGE)
            else:
                yield item


def _summarise(buckets: Sequence[Bucket], root: str, max_failed_share: float) -> None:
    counts = {"read": sum(bucket.files for bucket in buckets)}
    for name, dataset in (("rendered", "documents"), ("rejected", "rejected"), ("failed", "failed")):
        counts[name] = sum(_rows(info.path) for info in storage.match(storage.join(storage.escape(root), dataset, "*.parquet")))
    if counts["read"] != counts["rendered"] + counts["rejected"] + counts["failed"]:
        raise ValueError(f"the counts of {root} do not close: {counts}; expected read = rendered + rejected + failed")
    check_failed(counts["read"], counts["failed"], max_failed_share, storage.join(root, "failed"))
    storage.write_json(storage.join(root, SUMMARY), counts)


def _rows(path: str) -> int:
    with storage.open_read(path) as file:
        return int(pq.ParquetFile(file).metadata.num_rows)


def check(options: Options) -> tuple[list[Unit], Mapping[str, RepoMetadata]]:
    """The units and what is known of their repositories. Raises UsageError, which names the flag."""
    for name in ("input", "output"):
        if not getattr(options, name):
            raise opt.UsageError(PROG, f"argument --{name}: none given; see {PROG} --help")
    try:
        units = distinct_names({unit for pattern in options.input for unit in list_units(pattern)})
    except OSError as error:
        raise opt.UsageError(PROG, f"argument --input: {error}") from None
    try:
        return sorted(units), load_metadata(options.metadata) if options.metadata else {}
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --metadata: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    units, metadata = check(options)
    with launch.alone(PROG, options.output):
        launch.clear(options.output, SUMMARY, "documents/*.parquet", "rejected/*.parquet", "failed/*.parquet", "_work/tally/*")
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, units, metadata), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        counts = storage.read_json(storage.join(options.output, SUMMARY))
        print(f"rendered {counts['rendered']:,} of {counts['read']:,} notebooks: {storage.join(options.output, 'documents')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
