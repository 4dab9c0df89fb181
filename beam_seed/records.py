"""The records that travel between steps: fields only, no methods.

Beam may hand a decoded record back as a look-alike tuple of another class (its schema ids are made per process),
so code reads fields and calls module functions; it never asks ``isinstance(document, Document)``.

No ``from __future__ import annotations`` here: Beam reads the types of the fields, and takes a type that is a string for
"anything" (which makes the coder not deterministic); it does not know ``int | None`` either.
"""

import hashlib
from typing import NamedTuple, Optional


class Document(NamedTuple):
    """One text file of one repository."""

    id: str  # 32 hex digits, see document_id
    source: str  # where it was read: the folder, archive or table, as listed from --input
    repo: str  # name of the repository
    path: str  # path inside the repository, '/' separated
    revision: str  # commit id; '' where the source has none
    content: str  # decoded text without byte-order mark
    size: int  # bytes of the content as UTF-8
    sha256: str  # 64 hex digits, of the content as UTF-8
    license: str  # SPDX expression or name as the source gives it; '' = unknown
    stars: Optional[int]  # noqa: UP045 (None = unknown)
    forks: Optional[int]  # noqa: UP045
    created: str  # ISO 8601 date of the repository's creation; '' = unknown
    language: str  # linguist's name; '' before detection


class Rejected(NamedTuple):
    """A document that a rule dropped, with the measurement the rule was decided on."""

    id: str
    source: str
    repo: str
    path: str
    size: int  # bytes
    language: str  # '' where not (yet) known
    stage: str  # the step, e.g. 'read', 'language', 'rules', 'near_dedup'
    rule: str  # e.g. 'binary', 'near-duplicate'
    measured: Optional[float]  # noqa: UP045 (None where the rule measures nothing)
    limit: Optional[float]  # noqa: UP045
    evidence: str  # JSON object; '{}' where there is nothing more to say


class Failed(NamedTuple):
    """A document on which a step could not be run. A crash is never a score and never a rejection."""

    id: str
    source: str
    repo: str
    path: str
    size: int  # bytes; 0 where the content could not be read
    language: str
    stage: str
    error: str  # exception type and message, one line


def document_id(source: str, repo: str, path: str) -> str:
    """Stable identity of a document: BLAKE2b-128 of its source, repository and path, as 32 hex digits."""
    return hashlib.blake2b("\0".join((source, repo, path)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def reject(
    document: Document,
    stage: str,
    rule: str,
    measured: float | None = None,
    limit: float | None = None,
    evidence: str = "{}",
) -> Rejected:
    """The Rejected record of ``document``."""
    return Rejected(
        document.id,
        document.source,
        document.repo,
        document.path,
        document.size,
        document.language,
        stage,
        rule,
        measured,
        limit,
        evidence,
    )


def fail(document: Document, stage: str, error: BaseException | str) -> Failed:
    """The Failed record of ``document``."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Failed(
        document.id,
        document.source,
        document.repo,
        document.path,
        document.size,
        document.language,
        stage,
        " ".join(text.split())[:1000],
    )


Judgement = Document | Rejected | Failed
"""What a judge says of one document: the document itself (kept, possibly with fields filled in), or why not."""


def make_document(repo: str, path: str, content: str, *, source: str = "", language: str = "", stars: int | None = None) -> Document:
    """A document from its content; size, digest and id are worked out, what is not given is unknown."""
    data = content.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(data).hexdigest()
    return Document(document_id(source, repo, path), source, repo, path, "", content, len(data), digest, "", stars, None, "", language)
