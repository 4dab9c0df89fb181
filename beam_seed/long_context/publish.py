"""The corpus of long documents on disk: its files, and what each part of them counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed import storage
from beam_seed.commits.tokens import TokenCounter
from beam_seed.curation.datasets import table_of, write_batches
from beam_seed.long_context.assemble import SEQUENCES, Assembly, CodeFile, LongSequence, assemble, count_tokens, make_sequence
from beam_seed.long_context.books import Books, open_books
from beam_seed.long_context.choose import of_file, told_error, too_short
from beam_seed.long_context.format import repository_head
from beam_seed.long_context.job import VARIANT
from beam_seed.long_context.tables import Repository, Turned, read_files, read_pieces, row_count
from beam_seed.records import Rejected
from beam_seed.report.tally import Total, unit_bins
from beam_seed.syntax.isolation import ParserProcess

GROUP_BYTES = 8 << 20  # of text in a row group
LARGEST = 20  # repositories that the report names

Counts = dict[str, Any]
"""Integers, dictionaries of counts, and 'largest': a list of repositories' facts."""


class Part(NamedTuple):
    """What is to be told of one file of the corpus, and of the files that could have been in it."""

    name: str
    read: tuple[int, ...]  # a Total
    threshold: float | None  # mean quality below which the lowest share of the repositories lies
    counts: Counts


def corpus_path(root: str, name: str) -> str:
    return storage.join(root, "corpora", VARIANT, f"{name}.parquet")


def write_repositories(
    root: str,
    name: str,
    kept: Iterable[Repository],
    rejected: Iterable[Turned],
    assembly: Assembly,
    counter: TokenCounter,
    threshold: float | None = None,
) -> Part:
    """Assemble a bucket of repositories into one file of the corpus, and tell what came of every file of them and of those not taken."""
    counts: Counts = {}
    chosen = sorted((Repository(*each) for each in kept), key=lambda repository: repository.repo)
    with ParserProcess() as process, open_books(root, name, "assemble") as books:
        for repository in chosen:
            _count_repository(counts, "kept", repository)
        rows = (row for repository in chosen for row in _assembled(repository, process, assembly, counter, counts, books))
        if chosen:
            write_batches(corpus_path(root, name), SEQUENCES, _batches(_counted(rows, counts)))
        _reject(rejected, counts, books)
    add_counts(counts, {"repositories": len(chosen)})
    return Part(name, tuple(books.read), threshold, counts)


def _reject(rejected: Iterable[Turned], counts: Counts, books: Books) -> None:
    turned = (Turned(Repository(*each[0]), Rejected(*each[1]), each[2]) for each in rejected)
    for repository, rejection, number in sorted(turned, key=lambda each: (each[0].repo, each[2])):
        if number == 0:
            _count_repository(counts, "dropped", repository)
            add_counts(counts, {"rejected": {rejection.rule: 1}})
        for table, rows in repository.places:
            for file in read_files(table, np.frombuffer(rows, "<i8").tolist()):
                books.take([file])
                books.reject(of_file(rejection, file))


def _count_repository(counts: Counts, outcome: str, repository: Repository) -> None:
    add_counts(counts, {"rows": repository.files})
    if repository.quality is not None and 0 <= repository.quality <= 1:
        add_counts(counts, {"quality": {outcome: {str(unit_bins(np.array([repository.quality]))[0]): 1}}})


def _assembled(
    repository: Repository, process: ParserProcess, assembly: Assembly, counter: TokenCounter, counts: Counts, books: Books
) -> Iterator[LongSequence]:
    # A piece that fails leaves the others of its repository as they are: nothing of it has been written yet.
    for files in read_pieces(repository):
        books.take(files)
        try:
            made = assemble(repository.repo, files, process, assembly, counter)
        except Exception as error:
            told = told_error(error)
            for file in files:
                books.fail(file, told)
            add_counts(counts, {"repository_files_read": len(files), "repository_files_failed": len(files)})
            continue
        facts = {f"repository_{name}": value for name, value in made.facts.items() if isinstance(value, int) and name != "largest_cycle"}
        add_counts(counts, {"repository_files_read": len(files), **facts, "languages": made.facts["languages"], "largest": [made.facts]})
        for sequence, placed in zip(made.sequences, made.files, strict=True):
            books.keep(sequence, placed)
            yield sequence


def write_files(root: str, name: str, table: str, least: int, counter: TokenCounter) -> Part:
    """Write the long rows of a table to one file of the corpus, and tell why the others are not in it."""
    counts: Counts = {"rows": row_count(table)}
    with open_books(root, name, "long_files") as books:
        write_batches(
            corpus_path(root, name), SEQUENCES, _batches(_counted(_long(read_files(table), least, counter, counts, books), counts))
        )
    return Part(name, tuple(books.read), None, counts)


def _long(files: Iterable[CodeFile], least: int, counter: TokenCounter, counts: Counts, books: Books) -> Iterator[LongSequence]:
    for file in files:
        books.take([file])
        rejected = too_short(file, least, counter)
        add_counts(counts, {"files_read": 1, "files_long": int(rejected is None)})
        if rejected is not None:
            books.reject(rejected)
            continue
        head = counter.count(repository_head(file.repo))
        sequence = make_sequence("file", file.repo, [file], head + count_tokens(file, counter))
        books.keep(sequence, [file])
        yield sequence


def _counted(rows: Iterable[LongSequence], counts: Counts) -> Iterator[LongSequence]:
    for row in rows:
        length = {f"{row.kind}_tokens_by_length": {str(1 << max(0, row.tokens - 1).bit_length()): 1}}
        more = {"rows": 1, "row_tokens": row.tokens, "row_bytes": row.size, "row_files": row.files}
        add_counts(counts, {f"{row.kind}_{name}": value for name, value in more.items()} | length)
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


def add_counts(counts: Counts, more: Mapping[str, Any]) -> None:
    """Add ``more`` to ``counts``: integers and dictionaries of them are added up, of lists the largest repositories are kept."""
    for name, value in more.items():
        if isinstance(value, Mapping):
            add_counts(counts.setdefault(name, {}), value)
        elif isinstance(value, list):
            counts[name] = sorted([*counts.get(name, []), *value], key=lambda facts: (-facts["tokens"], facts["repo"]))[:LARGEST]
        else:
            counts[name] = counts.get(name, 0) + value


def add_up(parts: Iterable[Part]) -> tuple[Total, float | None, Counts]:
    """What was read, the threshold, and the counts, of all parts together."""
    read, threshold, total = Total(), None, {}  # type: Total, float | None, Counts
    for part in parts:
        read += Total(*part.read)
        threshold = part.threshold if threshold is None else threshold
        add_counts(total, part.counts)
    return read, threshold, total
