"""A repository's files into sequences: ordered, cut, formatted and told."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from beam_seed.commits.tokens import EstimatedTokens, TokenCounter
from beam_seed.dependencies.graph import Graph, SourceFile, read_graph
from beam_seed.long_context.cut import cut, edges_cut
from beam_seed.long_context.format import file_head, format_sequence, repository_head
from beam_seed.long_context.order import ORDERS, Ordered, order_files
from beam_seed.records import document_id
from beam_seed.special_tokens import escape
from beam_seed.syntax.isolation import ParserProcess

SEQUENCES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the document where it is one file, else a digest of those of its files
        pa.field("kind", pa.string(), nullable=False),  # 'file' or 'repository'
        pa.field("source", pa.string(), nullable=False),  # of the first file, as are the licence's
        pa.field("repo", pa.string(), nullable=False),  # repository; host of a page
        pa.field("path", pa.string(), nullable=False),  # '' where kind is 'repository'
        pa.field("content", pa.large_string(), nullable=False),  # see format.py
        pa.field("tokens", pa.int64(), nullable=False),  # of the markers' lines and contents, counted one by one
        pa.field("size", pa.int64(), nullable=False),  # bytes of the content
        pa.field("files", pa.int32(), nullable=False),
        pa.field("ids", pa.string(), nullable=False),  # of the files in order: JSON list
        pa.field("language", pa.string(), nullable=False),  # the one with most bytes
        pa.field("languages", pa.string(), nullable=False),  # bytes by language: JSON object
        pa.field("license", pa.string(), nullable=False),
        pa.field("quality", pa.float32()),  # mean of the files that have one
        pa.field("part", pa.int32(), nullable=False),  # of the repository, from 0
        pa.field("parts", pa.int32(), nullable=False),
    ]
)


class CodeFile(NamedTuple):
    """A file on its way into a sequence."""

    id: str
    source: str
    repo: str
    path: str
    content: str
    language: str  # '' = unknown
    license: str
    quality: float | None  # None = not scored


class LongSequence(NamedTuple):
    """A row of SEQUENCES."""

    id: str
    kind: str
    source: str
    repo: str
    path: str
    content: str
    tokens: int
    size: int
    files: int
    ids: str
    language: str
    languages: str
    license: str
    quality: float | None
    part: int
    parts: int


@dataclass(frozen=True)
class Assembly:
    """How repositories become sequences. Raises ValueError where a value is none of those that can be."""

    order: str = "topological"
    budget: int = 32_768
    """Tokens of a sequence: the recipe's longest context."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order!r}; expected one of {', '.join(ORDERS)}")
        if self.budget < 1:
            raise ValueError(f"budget is {self.budget}; expected a number of tokens above 0, such as 32768")


class Assembled(NamedTuple):
    """The sequences of one repository, and what is to be told of it."""

    sequences: list[LongSequence]
    files: list[list[CodeFile]]  # of each sequence, in order
    facts: dict[str, Any]  # see _facts


def assemble(
    repo: str, files: Sequence[CodeFile], process: ParserProcess, assembly: Assembly | None = None, counter: TokenCounter | None = None
) -> Assembled:
    """The sequences of a repository: every file is in exactly one. The order of ``files`` makes no difference.

    A budget counts the repository's line, and for each file its line and its content as escaped. A sequence is longer than the budget only
    where it is one file that is.
    """
    assembly, counter = assembly or Assembly(), counter or EstimatedTokens()
    files = sorted(files, key=lambda file: (file.path, file.id))
    graph = read_graph([SourceFile(file.path, file.language, file.content) for file in files], process)
    columns = ([getattr(file, name) for file in files] for name in ("path", "language", "id"))
    ordered = order_files(graph, assembly.order, *columns)
    head = counter.count(repository_head(repo))
    tokens = np.array([count_tokens(file, counter) for file in files], np.int64)
    parts = cut(graph, tokens, ordered.positions, max(1, assembly.budget - head))
    placed = [[files[number] for number in part] for part in parts]
    sequences = [
        make_sequence("repository", repo, placed[place], head + int(tokens[part].sum()), place, len(parts))
        for place, part in enumerate(parts)
    ]
    return Assembled(sequences, placed, _facts(repo, graph, ordered, parts, sequences, assembly.budget))


def count_tokens(file: CodeFile, counter: TokenCounter) -> int:
    """Tokens of a file in a sequence: its line and its content."""
    return counter.count(file_head(file.path)) + counter.count(escape(file.content))


def make_sequence(kind: str, repo: str, files: Sequence[CodeFile], tokens: int, part: int = 0, parts: int = 1) -> LongSequence:
    """The row of files in order."""
    content = format_sequence(repo, [(file.path, file.content) for file in files])
    sizes: Counter[str] = Counter()
    for file in files:
        sizes[file.language] += len(file.content.encode())
    languages = dict(sorted(sizes.items(), key=lambda each: (-each[1], each[0])))
    scores = [file.quality for file in files if file.quality is not None]
    ids = [file.id for file in files]
    return LongSequence(
        id=ids[0] if kind == "file" else document_id(files[0].source, repo, "\0".join(ids)),
        kind=kind,
        source=files[0].source,
        repo=repo,
        path=files[0].path if kind == "file" else "",
        content=content,
        tokens=tokens,
        size=len(content.encode()),
        files=len(files),
        ids=json.dumps(ids),
        language=next(iter(languages)),
        languages=json.dumps(languages),
        license=files[0].license,
        quality=math.fsum(scores) / len(scores) if scores else None,
        part=part,
        parts=parts,
    )


def _facts(
    repo: str, graph: Graph, ordered: Ordered, parts: Sequence[Sequence[int]], sequences: Sequence[LongSequence], budget: int
) -> dict[str, Any]:
    """What the summary adds up, and the repository's own line in it."""
    return {
        "repo": repo,
        "files": graph.files,
        "tokens": sum(sequence.tokens for sequence in sequences),
        "sequences": len(sequences),
        "over_budget": sum(sequence.tokens > budget for sequence in sequences),
        "over_budget_files": sum(sequence.files for sequence in sequences if sequence.tokens > budget),
        "edges": int((graph.edges[:, 0] < graph.files).sum()),
        "edges_cut": edges_cut(graph, parts),
        "edges_against_order": ordered.broken,
        "edges_misplaced": ordered.misplaced,
        "cyclic_files": ordered.cyclic_files,
        "cycles": ordered.cycles,
        "largest_cycle": ordered.largest_cycle,
        "languages": {language: counts._asdict() for language, counts in graph.counts.items()},
    }
