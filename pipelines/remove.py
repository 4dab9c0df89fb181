"""``beam-seed remove``: repositories, files, contents or owners taken out of finished shards, or of a corpus, for good."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter

from beam_seed import metrics, storage
from beam_seed import options as opt
from beam_seed.curation.remove_rows import RemovedRow, remove_rows, update_manifest
from beam_seed.shards.format import ShardFile
from beam_seed.shards.publish import read_manifest
from beam_seed.shards.read import Name
from beam_seed.shards.remove import Part, Removed, Rewritten, decide, positions, publish, recover, rewrite, scan, without_removed
from beam_seed.shards.takedown import TOMBSTONES, Tombstones, read_list
from beam_seed.shards.takedown import told as told_tombstones
from beam_seed.shards.tokenizer import ShardTokenizer
from pipelines import launch

PROG = "beam-seed remove"

_LISTS = ("repos", "paths", "digests", "authors")


@dataclass(frozen=True)
class Options:
    """Take documents out of finished shards (they become padding) or of a folder of a corpus: beam-seed remove DIR --repos=FILE."""

    repos: str = opt.option("", "File of names of repositories, one a line.", kind="read")
    paths: str = opt.option("", "File of paths: repository, '/', path in it; one a line.", kind="read")
    digests: str = opt.option("", "File of SHA-256 digests of files' texts (UTF-8), 64 hex digits; one a line.", kind="read")
    authors: str = opt.option("", "File of owners: what stands before the last '/' of a repository's name; one a line.", kind="read")
    report_only: bool = opt.option(False, "Only tell which shards and sequences hold it.")
    workers: int = opt.option(0, "Processes of a local run; 0 means one for each processor.", check=opt.not_negative)


def build(pipeline: beam.Pipeline, root: str, options: Options, tombstones: Tombstones) -> None:
    """Add the job to ``pipeline``."""
    padding = read_manifest(root).padding
    shards = pipeline | "Shards" >> beam.Create(positions(root))
    scanned = shards | "To scan" >> beam.Reshuffle() | "Scan" >> beam.ParDo(_Scan(root, tombstones)).with_outputs("parts", main="names")
    decided = scanned.parts | "By document" >> beam.GroupByKey() | "Decide" >> beam.ParDo(_Decide(root, tombstones))
    rewritten = (
        shards
        | "To rewrite" >> beam.Reshuffle()
        | "Rewrite" >> beam.Map(_rewrite, root, padding, not options.report_only, AsIter(scanned.names), AsIter(decided))
    )
    _ = rewritten | "All shards" >> beam.combiners.ToList() | "Publish" >> beam.Map(_publish, root, tombstones, options.report_only)


def build_rows(pipeline: beam.Pipeline, root: str, options: Options, tombstones: Tombstones) -> None:
    """Add the job that takes rows out of a corpus to ``pipeline``."""
    files = [info.path for info in storage.match(storage.join(storage.escape(root), "*.parquet"))]
    removed = (
        pipeline
        | "Files" >> beam.Create(files)
        | "Spread files" >> beam.Reshuffle()
        | "Remove rows" >> beam.Map(remove_rows, tombstones, not options.report_only)
    )
    _ = removed | "All files" >> beam.combiners.ToList() | "Tell" >> beam.Map(_publish_rows, root, tombstones, options.report_only)


def _publish_rows(found: Sequence[Sequence[Any]], root: str, tombstones: Tombstones, report_only: bool) -> None:
    rows = sorted(RemovedRow(*row) for rows in found for row in rows)
    number = len(storage.match(storage.join(storage.escape(root), "removals", "[0-9]*.json")))
    entry = _entry(tombstones, _report_name(number, report_only)) | {"documents": len(rows), "files": sorted({row.file for row in rows})}
    storage.write_json(storage.join(root, *entry["report"].split("/")), entry | {"found": [row._asdict() for row in rows]})
    if not report_only:
        update_manifest(root, entry)


def _entry(tombstones: Tombstones, report: str) -> dict[str, Any]:
    """What a manifest and a report say of a removal besides its figures."""
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"at": at, "asked": told_tombstones(tombstones), "report": report}


def _report_name(number: int, report_only: bool) -> str:
    return "removals/report.json" if report_only else f"removals/{number:05d}.json"


def _known(root: str) -> Tombstones:
    path = storage.join(root, TOMBSTONES)
    return Tombstones.read(path) if storage.exists(path) else Tombstones()


class _WithTokenizer(beam.DoFn):
    def __init__(self, root: str, tombstones: Tombstones):
        self._root = root
        self._tombstones = tombstones

    def setup(self) -> None:
        self._tokenizer = ShardTokenizer.load(storage.join(self._root, "tokenizer"))


class _Scan(_WithTokenizer):
    """Shards to (name, why); 'parts': (name, Part) of the documents that have to be put together first."""

    def process(self, placed: tuple[ShardFile, int]) -> Iterator[Any]:
        for name, found in scan(self._root, ShardFile(*placed[0]), self._tombstones, self._tokenizer):
            yield (name, found) if isinstance(found, str) else beam.pvalue.TaggedOutput("parts", (name, found))


class _Decide(_WithTokenizer):
    def process(self, parts: tuple[Name, Iterable[Part]]) -> Iterator[tuple[Name, str]]:
        if why := decide(list(parts[1]), self._tombstones, self._tokenizer):
            yield parts[0], why


def _rewrite(placed: tuple[ShardFile, int], root: str, padding: int, write: bool, *found: Iterable[tuple[Name, str]]) -> Rewritten:
    why = {tuple(name): reason for names in found for name, reason in names}
    shard = ShardFile(*placed[0])
    rewritten = rewrite(root, shard, placed[1], why, padding, write)  # type: ignore[arg-type]
    changed = len({removed.position for removed in rewritten.found})
    metrics.count("remove", shard.sequences, shard.sequences - changed, {"removed": changed})
    return rewritten


def _publish(rewritten: Sequence[Any], root: str, tombstones: Tombstones, report_only: bool) -> None:
    shards = [Rewritten(ShardFile(*file), [Removed(*each) for each in found], *counts) for file, found, *counts in rewritten]
    shards.sort(key=lambda shard: shard.file.path)
    manifest = read_manifest(root)
    name = _report_name(len(manifest.removed), report_only)
    changed = without_removed(manifest, shards, _entry(tombstones, name))
    found = [removed._asdict() | {"shard": shard.file.path} for shard in shards for removed in shard.found]
    storage.write_json(storage.join(root, *name.split("/")), changed.removed[-1] | {"found": found})
    if not report_only:
        publish(root, changed, [shard.file.path for shard in shards if shard.found], _known(root) | tombstones)


def check(options: Options) -> Tombstones:
    """What is to go. Raises UsageError, which names the flag."""
    lists: dict[str, list[str]] = {}
    for name in _LISTS:
        if path := getattr(options, name):
            try:
                lists[name] = read_list(path)
                Tombstones.of(**{name: lists[name]})
            except (ValueError, OSError) as error:
                raise opt.UsageError(PROG, f"argument --{name}: {error}") from None
    tombstones = Tombstones.of(**lists)
    if not tombstones:
        raise opt.UsageError(PROG, f"nothing to remove; expected a list of some by {', '.join('--' + name for name in _LISTS)}")
    return tombstones


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    root = arguments.pop(0) if arguments and not arguments[0].startswith("-") else ""
    options, beam_arguments = opt.parse(Options, arguments, PROG)
    if not root:
        raise opt.UsageError(PROG, f"no directory given; expected {PROG} DIR --repos=FILE, where DIR is what beam-seed shards wrote")
    tombstones = check(options)
    with launch.alone(PROG, root):
        if storage.match(storage.join(storage.escape(root), "*.parquet")):
            job = build_rows
            if not options.report_only:
                (_known(root) | tombstones).write(storage.join(root, TOMBSTONES))
        else:
            job = build
            _prepare(root)
        status = launch.run(PROG, lambda pipeline: job(pipeline, root, options, tombstones), options, beam_arguments)
    if not status:
        _tell(root, options.report_only)
    return status


def _prepare(root: str) -> None:
    try:
        if recover(root):
            print("a removal that was cut short is finished")
        read_manifest(root)
    except ValueError as error:
        raise opt.UsageError(PROG, str(error)) from None


def _tell(root: str, report_only: bool) -> None:
    reports = storage.match(storage.join(storage.escape(root), "removals", "report.json" if report_only else "[0-9]*.json"))
    told = storage.read_json(reports[-1].path)
    places = f"{told['sequences']:,} sequences of {len(told['shards'])} shards" if "shards" in told else f"{len(told['files'])} files"
    print(f"{'found' if report_only else 'removed'} {told['documents']:,} documents in {places}: {reports[-1].path}")


if __name__ == "__main__":
    sys.exit(main())
