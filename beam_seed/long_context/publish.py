"""The corpus of long documents on disk: its files, what was not taken, the summary and the manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from beam_seed import __version__, metrics, storage
from beam_seed.commits.tokens import TokenCounter
from beam_seed.curation.datasets import FAILED, REJECTED, table_of, write_batches, write_table
from beam_seed.failures import check_failed
from beam_seed.long_context.assemble import SEQUENCES, Assembly, LongSequence, assemble
from beam_seed.long_context.choose import failure
from beam_seed.long_context.report import report_text
from beam_seed.long_context.tables import Repository, long_files, read_pieces
from beam_seed.records import Failed, Rejected
from beam_seed.syntax.isolation import ParserProcess

GROUP_BYTES = 8 << 20  # of text in a row group
LARGEST = 20  # repositories that the report names
VARIANT = "long_context"
_CHUNK = 1 << 20  # bytes read at a time

Counts = dict[str, Any]
"""Integers, dictionaries of counts, and 'largest': a list of repositories' facts."""


def corpus_path(root: str, name: str) -> str:
    return storage.join(root, "corpora", VARIANT, f"{name}.parquet")


def write_repositories(root: str, name: str, repositories: Iterable[Repository], assembly: Assembly, counter: TokenCounter) -> Counts:
    """Assemble a bucket of repositories into one file of the corpus, and tell what came of them."""
    counts: Counts = {}
    failed: list[Failed] = []
    with ParserProcess() as process:
        ordered = sorted((Repository(*each) for each in repositories), key=lambda repository: repository.repo)
        rows = (row for repository in ordered for row in _assembled(repository, process, assembly, counter, counts, failed))
        write_batches(corpus_path(root, name), SEQUENCES, _batches(_counted(rows, counts)))
    write_failed(root, name, failed)
    add_counts(counts, {"repositories": len(ordered)})
    read, kept, lost = (counts.get(f"repository_files{ending}", 0) for ending in ("_read", "", "_failed"))
    metrics.count("assemble", read, kept, failed=lost)
    return counts


def _assembled(
    repository: Repository, process: ParserProcess, assembly: Assembly, counter: TokenCounter, counts: Counts, failed: list[Failed]
) -> Iterator[LongSequence]:
    # A piece that fails leaves the others of its repository as they are: nothing of it has been written yet.
    for files in read_pieces(repository):
        size = sum(len(file.content.encode()) for file in files)
        try:
            made = assemble(repository.repo, files, process, assembly, counter)
        except Exception as error:
            failed.append(failure(repository.repo, repository.source, size, error))
            add_counts(counts, {"repository_files_read": len(files), "repository_files_failed": len(files)})
            continue
        facts = {name: value for name, value in made.facts.items() if isinstance(value, int)}
        told_files = {f"repository_{name}": value for name, value in facts.items()}
        languages = {"languages": made.facts["languages"]}
        add_counts(counts, {"repository_files_read": len(files), **told_files, **languages, "largest": [made.facts]})
        yield from made.sequences


def write_files(root: str, name: str, table: str, least: int, counter: TokenCounter) -> Counts:
    """Write the long rows of a table to one file of the corpus."""
    counts: Counts = {}
    write_batches(corpus_path(root, name), SEQUENCES, _batches(_counted(long_files(table, least, counter, counts), counts)))
    read, long = counts.get("files_read", 0), counts.get("file_rows", 0)
    metrics.count("long_files", read, long, {"short": read - long})
    return counts


def _counted(rows: Iterable[LongSequence], counts: Counts) -> Iterator[LongSequence]:
    for row in rows:
        length = {f"{row.kind}_tokens_by_length": {str(1 << max(0, row.tokens - 1).bit_length()): 1}}
        add_counts(counts, {f"{row.kind}_rows": 1, f"{row.kind}_row_tokens": row.tokens, f"{row.kind}_row_bytes": row.size, **length})
        yield row


def _batches(rows: Iterable[LongSequence]) -> Iterator[pa.Table]:
    waiting: list[LongSequence] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += row.size
        if size >= GROUP_BYTES:
            yield table_of(waiting, SEQUENCES)
            waiting, size = [], 0
    if waiting:
        yield table_of(waiting, SEQUENCES)


def write_failed(root: str, name: str, failed: Sequence[Failed]) -> None:
    if failed:
        write_table(storage.join(root, "failed", f"{name}.parquet"), table_of(failed, FAILED, variant=VARIANT))


def write_rejected(root: str, rejected: Iterable[Rejected]) -> Counts:
    """Write why repositories were not taken."""
    rows = sorted((Rejected(*each) for each in rejected), key=lambda each: (each.repo, each.source))
    if rows:
        write_table(storage.join(root, "rejected", "repositories.parquet"), table_of(rows, REJECTED, variant=VARIANT))
    return {"rejected": dict(Counter(row.rule for row in rows))}


def add_counts(counts: Counts, more: Mapping[str, Any]) -> None:
    """Add ``more`` to ``counts``: integers and dictionaries of them are added up, of lists the largest repositories are kept."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            add_counts(counts.setdefault(name, {}), value)
        elif isinstance(value, list):
            counts[name] = sorted([*counts.get(name, []), *value], key=lambda facts: (-facts["tokens"], facts["repo"]))[:LARGEST]
        else:
            counts[name] = counts.get(name, 0) + value


def publish(root: str, counts: Iterable[Counts], told: Mapping[str, Any], threshold: float | None, max_failed_share: float = 1.0) -> None:
    """Write ``long_context.json``, ``report.txt`` and, last, ``manifest.json``.

    Raises RuntimeError where more than a share of the files failed, or where the books do not close: files read that are neither in a
    sequence nor in a failed repository.
    """
    total: Counts = {}
    for each in counts:
        add_counts(total, each)
    read, kept, failed = (total.get(f"repository_files{ending}", 0) for ending in ("_read", "", "_failed"))
    if read != kept + failed:
        raise RuntimeError(f"{read} files of repositories were read, {kept} are in sequences, {failed} failed; expected the sum to close")
    check_failed(read, failed, max_failed_share, storage.join(root, "failed"))
    summary = {"threshold": threshold, "counts": total}
    storage.write_json(storage.join(root, f"{VARIANT}.json"), summary)
    with storage.open_write(storage.join(root, "report.txt")) as out:
        out.write(report_text(summary, told).encode())
    manifest = {"format": "beam_seed.corpus/1", "job": VARIANT, "version": __version__, **told, "corpora": {VARIANT: _files(root)}}
    storage.write_json(storage.join(root, "manifest.json"), manifest)


def _files(root: str) -> list[dict[str, Any]]:
    files = []
    for info in storage.match(corpus_path(storage.escape(root), "*")):
        with storage.open_read(info.path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        files.append({"path": f"corpora/{VARIANT}/{info.path.rpartition('/')[2]}", "size": info.size, "sha256": digest.hexdigest()})
    return files
