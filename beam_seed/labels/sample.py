"""A random sample of files: so many of each language, chosen by digest, so that neither order nor partitioning of the input matters.

Every file draws a number, the keyed digest of (seed, its id); of each language the files with the smallest draws are taken. That is
a reservoir that merges: the smallest of parts are the smallest of the whole. Copies of one content count once (the copy with the
smallest draw stands for all), so a content that is there k times has k chances: sample from a corpus without duplicates.

What travels is a draw, a digest and an address for each file; text is read where it lies, by ``pick`` for the files taken.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from beam_seed.curation.datasets import DOCUMENTS, table_of
from beam_seed.labels.allocation import Quotas
from beam_seed.labels.tables import column_names, identity, language_of, read_documents, read_rows
from beam_seed.records import Document
from beam_seed.trainer.labels import project_of

_EMPTY = hashlib.sha256(b"").digest()[:16]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Candidate(NamedTuple):
    """A file that may be taken, ordered by its draw."""

    draw: bytes  # 16 bytes
    content: bytes  # first 16 bytes of the content's SHA-256
    project: bytes  # 8 bytes: digest of the project's name; two files without a repository are two projects
    language: str
    file: str  # path of the table
    row: int


CANDIDATES = pa.schema(
    [
        ("draw", pa.binary(16)),
        ("content", pa.binary(16)),
        ("project", pa.binary(8)),
        ("language", pa.dictionary(pa.int32(), pa.string())),
        ("file", pa.dictionary(pa.int32(), pa.string())),
        ("row", pa.int64()),
    ]
)


def candidates(path: str, quotas: Quotas, seed: int, tally: Counter[str]) -> Iterator[Candidate]:
    """The files of one table. Text is read only where the table does not tell language and digest.

    ``tally`` counts rows; those unusable (no path, no content), without_language and not_asked (of a language without a quota).
    Raises ValueError on a digest that is none, UnreadableTableError on damage.
    """
    told = {"language", "sha256"} <= set(column_names(path))
    columns = ["id", "source", "repo", "path", "language", "sha256", *(() if told else ("content",))]
    for row, values in read_rows(path, columns):
        tally["rows"] += 1
        if not values["path"] or not (told or values["content"]):
            tally["unusable"] += 1
            continue
        content = _told_digest(values["sha256"], path, row) if told else _digest(values["content"].encode("utf-8", "surrogatepass"))
        language = values["language"] or "" if told else language_of(values)
        if content == _EMPTY:
            tally["unusable"] += 1
        elif not language:
            tally["without_language"] += 1
        elif not quotas.of(language):
            tally["not_asked"] += 1
        else:
            yield Candidate(draw(identity(values), seed), content, _project(values), language, path, row)


def draw(document: str, seed: int) -> bytes:
    """The number that a document draws."""
    return hashlib.blake2b(document.encode("utf-8", "surrogatepass"), digest_size=16, key=str(seed).encode()).digest()


def _told_digest(sha256: str | None, path: str, row: int) -> bytes:
    if not sha256 or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{path} has the sha256 {sha256!r} in row {row}; expected 64 hex digits, or a table without that column")
    return bytes.fromhex(sha256)[:16]


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


def _project(values: dict[str, str]) -> bytes:
    name = project_of(values["repo"] or "") or f"\0{identity(values)}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Pool(NamedTuple):
    """What may still be taken of one language."""

    asked: int
    available: int  # distinct contents seen
    taken: list[Candidate]  # ascending


def pools(found: Iterable[Candidate], quotas: Quotas, per_project: int) -> dict[str, Pool]:
    """The pool of each language. ``found`` holds all copies of the contents in it: they count once, whatever their language."""
    contents: dict[bytes, Candidate] = {}
    for each in found:
        if each.content not in contents or each < contents[each.content]:
            contents[each.content] = each
    languages: dict[str, list[Candidate]] = {}
    for each in contents.values():
        languages.setdefault(each.language, []).append(each)
    return {
        language: Pool(quotas.of(language), len(group), _smallest(group, quotas.of(language), per_project))
        for language, group in languages.items()
    }


def merge_pools(parts: Iterable[Pool], per_project: int) -> Pool:
    """One pool of several of one language that share no content. Associative and commutative."""
    listed = list(parts)
    asked = max((part.asked for part in listed), default=0)
    together = [Candidate(*each) for part in listed for each in part.taken]
    return Pool(asked, sum(part.available for part in listed), _smallest(together, asked, per_project))


def _smallest(found: list[Candidate], files: int, per_project: int) -> list[Candidate]:
    """The ``files`` smallest draws, at most ``per_project`` of one project (0 = any number).

    Both limits are on nested sets, so the choice of a union is the choice from the parts' choices.
    """
    projects: Counter[bytes] = Counter()
    taken: list[Candidate] = []
    for each in sorted(found):
        if len(taken) == files:
            break
        if not per_project or projects[each.project] < per_project:
            projects[each.project] += 1
            taken.append(each)
    return taken


def plan(taken: Iterable[Candidate], rows: int) -> Iterator[tuple[int, list[tuple[str, list[int]]]]]:
    """Shards of at most ``rows`` files each: their number, and of each table the rows that are in it, all in order of table and row."""
    ordered = sorted((each.file, each.row) for each in taken)
    for number, start in enumerate(range(0, len(ordered), rows)):
        grouped = itertools.groupby(ordered[start : start + rows], key=operator.itemgetter(0))
        yield number, [(file, [row for _, row in group]) for file, group in grouped]


def pick(places: Iterable[tuple[str, Sequence[int]]]) -> Iterator[Document]:
    """The documents at places: tables, and of each the rows, ascending."""
    for path, rows in places:
        for _, document in read_documents(path, rows):
            yield document


def draw_sample(files: Sequence[str], quotas: Quotas, seed: int = 0, per_project: int = 0) -> pa.Table:
    """The sample of Parquet files as a table of documents (``curation.datasets.DOCUMENTS``), without Beam: for input that fits in memory.

    The rows are those that ``transforms.SampleFiles`` takes, in the order of tables and rows.
    """
    tally: Counter[str] = Counter()
    found = (each for path in files for each in candidates(path, quotas, seed, tally))
    taken = [each for pool in pools(found, quotas, per_project).values() for each in pool.taken]
    return table_of([document for _, places in plan(taken, max(1, len(taken))) for document in pick(places)], DOCUMENTS)
