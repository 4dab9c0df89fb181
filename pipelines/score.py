"""``beam-seed score``: Parquet tables of files to the same rows with their quality, without the lowest of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsMultiMap

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.curation import score_tables as tables
from beam_seed.curation.datasets import QUALITY, table_of
from beam_seed.curation.score_tables import Table
from beam_seed.curation.score_transforms import UNSCORED, RecallScores, ScoreAndRemember
from beam_seed.labels.tables import NEEDED
from beam_seed.packing import pack_table, unpack_table
from beam_seed.quality import cache
from beam_seed.quality.package import InputFormat, Package, open_package
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.quality.transforms import CountScores
from pipelines import launch
from pipelines.tables import find_tables, part_name

PROG = "beam-seed score"

KeyedBytes = tuple[int, bytes]


@dataclass(frozen=True)
class Options:
    """Score the files in Parquet tables, and drop the lowest-scored share of them."""

    input: list[str] = opt.option(
        [], "Parquet files, globs or folders with columns repo, path, content (and language, else it is detected).", kind="read"
    )
    output: str = opt.option("", "Folder: kept/ (rows with their quality), dropped/ (what went, and why), scores.json.", kind="write")
    scorer: str = opt.option("", "Folder of the quality model; without it, the one that comes with the package.", kind="folder")
    drop_lowest: float = opt.option(0.10, "Share of the files with the lowest quality that is dropped.", check=opt.share)
    drop_by: str = opt.option("files", "What the share is a share of.", choices=("files", "bytes"))
    drop_per: str = opt.option("all", "Whether the share holds over all files or within each language.", choices=("all", "language"))
    cache: str = opt.option(
        "", "Folder of the scores of earlier runs, which are not computed again; without it, _cache in the output.", kind="write"
    )
    accelerator: str = opt.option("", "Accelerator of the scoring step, such as type:nvidia-l4;count:1;install-nvidia-driver.")
    partitions: int = opt.option(16, "Parts of the keys of known scores; raise it above about 50 million files.", check=opt.positive)
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, options: Options, files: Sequence[str], package: Package) -> None:
    """Add the job to ``pipeline``."""
    known = cache.folder(options.cache or storage.join(options.output, "_cache"), package.fingerprint, bool(options.accelerator))
    found = [Table(n, path, storage.join(options.output, "_work", "facts", part_name(n, len(files)))) for n, path in enumerate(files)]
    inputs = pipeline | "Tables" >> beam.Create(found).with_output_types(Table)
    wanted = inputs | "To recall" >> beam.Reshuffle() | "Want" >> beam.Map(_want, package.input).with_output_types(KeyedBytes)
    recalled = AsMultiMap(wanted | "Recall scores" >> RecallScores(known, options.partitions))
    read = inputs | "To read" >> beam.Reshuffle() | "Read" >> beam.ParDo(_Read(package.input), recalled).with_outputs("known", main="fresh")
    scored = (read.known, read.fresh) | "Score the rest" >> ScoreAndRemember(
        options.scorer, options.accelerator, known, storage.join(options.output, UNSCORED)
    )
    rows = scored | "Name tables" >> beam.MapTuple(lambda number, packed: (found[number], packed))
    weights = rows | "Weigh" >> beam.FlatMap(_weights, options.drop_by, options.drop_per)
    histogram = weights | "Count scores" >> beam.CombineGlobally(CountScores())
    thresholds = AsDict(histogram | "Find thresholds" >> beam.FlatMap(_thresholds, options.drop_lowest))
    written = rows | "To write" >> beam.Reshuffle() | "Write" >> beam.Map(_write, options, len(files), package.fingerprint, thresholds)
    parameters = {"scorer": package.fingerprint, **{name: getattr(options, name) for name in ("drop_lowest", "drop_by", "drop_per")}}
    _ = written | "All counts" >> beam.combiners.ToList() | "Summarise" >> beam.Map(_summarise, options.output, parameters, thresholds)


def _want(table: Table, form: InputFormat) -> KeyedBytes:
    return table.number, pack_table(tables.want(Table(*table), form))


class _Read(beam.DoFn):
    """Tables to ((number, row, key), document) of what is to be scored; 'known': (number, packed QUALITY of the rest)."""

    def __init__(self, form: InputFormat):
        self._form = form

    def process(self, table: Table, recalled: Mapping[int, Iterable[bytes]]) -> Iterator[Any]:
        for found in tables.unknown(table, recalled[table.number], self._form):
            if isinstance(found, list):
                yield beam.pvalue.TaggedOutput("known", (table.number, pack_table(table_of(found, QUALITY))))
            else:
                row, key, document = found
                yield (table.number, row, key), document


def _weights(scored: tuple[Table, bytes], by: str, per: str) -> list[tuple[str, int, float | None]]:
    table, quality = scored
    return tables.weights(table, unpack_table(quality), by, per)


def _thresholds(histogram: bytes, drop_lowest: float) -> list[tuple[str, float]]:
    return list(ScoreHistogram.from_bytes(histogram).thresholds(drop_lowest).items())


def _write(scored: tuple[Table, bytes], options: Options, parts: int, scorer: str, thresholds: Mapping[str, float]) -> dict[str, int]:
    table, quality = scored
    kept, dropped = (storage.join(options.output, name, part_name(table.number, parts)) for name in ("kept", "dropped"))
    return tables.write_scored(table, unpack_table(quality), thresholds, options.drop_per, scorer, kept, dropped)


def _summarise(counts: Sequence[Mapping[str, int]], output: str, parameters: Mapping[str, Any], thresholds: Mapping[str, float]) -> None:
    storage.write_json(storage.join(output, "scores.json"), tables.summary(counts, thresholds) | dict(parameters))
    storage.discard(storage.join(output, "_work"))


def check(options: Options) -> tuple[list[str], Package]:
    """The input tables and the scorer. Raises UsageError, which names the flag."""
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    files = [info.path for info in find_tables(PROG, options.input, NEEDED)]
    try:
        return files, open_package(options.scorer)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --scorer: {error}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    files, package = check(options)
    with launch.alone(PROG, options.output):
        launch.clear(options.output, "scores.json", "kept/*.parquet", "dropped/*.parquet", "_work/unscored/*")
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, files, package), options, beam_arguments)
    if not status and not launch.only_stages(beam_arguments):
        counts = storage.read_json(storage.join(options.output, "scores.json"))["counts"]
        print(f"kept {counts['kept_files']:,} of {counts['read_files']:,} files: {storage.join(options.output, 'kept')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
