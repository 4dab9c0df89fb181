"""What is measured of a file once, whatever the sources: comments, documentation, imports, and where it falls in draws."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import pyarrow as pa

from beam_seed.high_quality.imports import imported_modules
from beam_seed.high_quality.text import without_licence
from beam_seed.notebooks.render import LANGUAGE as NOTEBOOK
from beam_seed.quality import anatomy
from beam_seed.records import Document
from beam_seed.trainer.labels import project_of

TRAINING, VALIDATION, TEST = 0, 1, 2

HELD_OUT = 0.2
"""Share of the projects in the validation part, which thresholds are chosen on, and in the test part, which figures come from."""

MEASURES = pa.schema(
    [
        ("id", pa.string()),
        ("repo", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("size", pa.int64()),  # bytes
        ("digest", pa.binary(32)),  # SHA-256 of the content
        ("quality", pa.float32()),  # null where the corpus tells none
        ("draw", pa.uint64()),  # of a seeded digest of the id: draws take the lowest
        ("fold", pa.int8()),  # TRAINING, VALIDATION or TEST
        ("comment_share", pa.float32()),  # of the lines that are not blank, without a licence at the top; null where unmeasured
        ("documented_share", pa.float32()),  # of the functions; null where there are none, or none are known of the language
        ("imports", pa.string()),  # one on a line
        ("error", pa.string()),  # why it could not be measured; else null
    ]
)


class Measured(NamedTuple):
    """What is told by the content."""

    comment_share: float | None
    documented_share: float | None
    imports: str
    error: str | None


def measure(document: Document) -> Measured:
    """Measure one file. What goes wrong is told in ``error``, never raised: one odd file must not cost the corpus."""
    try:
        # A rendered notebook is a program in the percent format; Python's comments are most kernels'.
        found = anatomy.measure(without_licence(document.content), "Python" if document.language == NOTEBOOK else document.language)
        functions = found.functions or ()
        documented = sum(function.documented for function in functions) / len(functions) if functions else None
        comments = 1 - found.code_lines / found.lines if found.lines else 0.0
        return Measured(comments, documented, "\n".join(imported_modules(document.content, document.language)), None)
    except Exception as error:
        return Measured(None, None, "", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def draw_of(identity: str, seed: int) -> int:
    """A file's place in draws, 64 bits."""
    return int.from_bytes(_digest(identity, seed), "little")


def fold_of(repo: str, identity: str, seed: int) -> int:
    """The part of a file's project: versions of one project, and forks of its name, fall together. Without one a file is its own."""
    place = int.from_bytes(_digest(project_of(repo) or identity, seed), "big") / 2**64
    return VALIDATION if place < HELD_OUT else TEST if place < 2 * HELD_OUT else TRAINING


def _digest(text: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
