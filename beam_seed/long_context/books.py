"""What became of every file of one part of the job: written as it is told, counted, and kept for ``why`` and the report."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from beam_seed import metrics, storage
from beam_seed.curation.datasets import FAILED, REJECTED, table_of, table_writer
from beam_seed.curation.dropped import leave_tally
from beam_seed.long_context.assemble import CodeFile, LongSequence
from beam_seed.long_context.job import ASSEMBLY, PLACES, VARIANT
from beam_seed.records import Failed, Rejected, document_id
from beam_seed.report.tally import Tally, Total

_SCHEMAS = {"documents": PLACES, "rejected": REJECTED, "failed": FAILED}
_WAITING = 4096  # rows that are held before they are written; they have no text
_DIGEST = re.compile(r"[0-9a-f]{32}")


class Place(NamedTuple):
    """A row of PLACES."""

    id: str
    source: str
    repo: str
    path: str
    size: int
    language: str
    license: str
    kind: str
    sequence: str
    part: int
    parts: int
    position: int
    files: int


class Books:
    """The books of one part: every file that is read must be kept, rejected or failed. See :func:`open_books`."""

    def __init__(self, root: str, name: str, opened: contextlib.ExitStack):
        self._root, self._name, self._opened = root, name, opened
        self._writers: dict[str, Any] = {}
        self._waiting: dict[str, list[Any]] = {dataset: [] for dataset in _SCHEMAS}
        self.tally = Tally()
        self.read = Total()

    def take(self, files: Sequence[CodeFile]) -> None:
        """Count files as read."""
        for file in files:
            digest = _digest(file.id, file.source, file.repo, file.path)
            self.read += Total(1, size_of(file), int(digest[:8], 16))

    def keep(self, sequence: LongSequence, files: Sequence[CodeFile]) -> None:
        """Tell where the files of a sequence, in order, are."""
        where = (sequence.kind, sequence.id, sequence.part, sequence.parts)
        for position, file in enumerate(files):
            who = (*file[:4], size_of(file), file.language, file.license)
            self._add("documents", Place(*who, *where, position, len(files)))

    def reject(self, rejected: Rejected) -> None:
        self._add("rejected", rejected)

    def fail(self, file: CodeFile, error: str) -> None:
        self._add("failed", Failed(*file[:4], size_of(file), file.language, ASSEMBLY, error))

    def _add(self, dataset: str, row: Any) -> None:
        self._waiting[dataset].append(row)
        if len(self._waiting[dataset]) >= _WAITING:
            self._write(dataset)

    def _write(self, dataset: str) -> None:
        schema = _SCHEMAS[dataset]
        constants = {"variant": VARIANT} if "variant" in schema.names else {}
        table = table_of(self._waiting[dataset], schema, **constants)
        self._waiting[dataset].clear()
        if dataset not in self._writers:
            path = storage.join(self._root, dataset, f"{self._name}.parquet")
            self._writers[dataset] = self._opened.enter_context(table_writer(path, schema))
        self._writers[dataset].write_table(table)
        if dataset == "documents":
            self.tally.add_kept(VARIANT, _told(table))
        else:
            getattr(self.tally, f"add_{dataset}")(_told(table))

    def close(self) -> None:
        """Write what is held. ``documents/`` has a file of every part, the others where there is a row."""
        for dataset, rows in self._waiting.items():
            if rows or (dataset == "documents" and dataset not in self._writers):
                self._write(dataset)


@contextlib.contextmanager
def open_books(root: str, name: str, stage: str) -> Iterator[Books]:
    """The books of the part ``name``: their files appear, and the tally for the report, when the block ends without an exception.

    stage: of the counters, see :data:`beam_seed.metrics.STAGES`.
    """
    with contextlib.ExitStack() as opened:
        books = Books(root, name, opened)
        yield books
        books.close()
    leave_tally(root, name, books.tally)
    dropped = Counter[str]()
    for key, part in books.tally.slices.items():
        dropped[key.rule] += part.files if key.outcome == "rejected" else 0
    kept, failed = (books.tally.total(VARIANT, outcome) for outcome in ("kept", "failed"))
    metrics.count(stage, books.read.files, kept.files, dropped, failed.files, (books.read.bytes, kept.bytes))


def size_of(file: CodeFile) -> int:
    """Bytes of a file's text."""
    return len(file.content.encode())


def _told(table: pa.Table) -> pa.Table:
    """The rows as a tally takes them: ids are digests, and no name is empty, which it takes for a defect but strangers' tables may be."""
    who = [table[name].to_pylist() for name in ("id", "source", "repo", "path")]
    columns = {"id": [_digest(*each) for each in zip(*who, strict=True)]}
    columns |= {name: [value or "(none)" for value in values] for name, values in zip(("source", "repo", "path"), who[1:], strict=True)}
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.string()))
    return table


def _digest(id_: str, source: str, repo: str, path: str) -> str:
    return id_ if _DIGEST.fullmatch(id_) else document_id(id_ or source, repo, path)
