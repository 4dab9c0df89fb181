"""The columns of the commits job: its samples between the stages, and its corpus.

Lists of paths are texts, one path a line, quoted as ``paths.quote`` does, so that no path holds a line's end.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from beam_seed.curation.datasets import DOCUMENTS, MEASURES
from beam_seed.report.job import Job


class CommitSample(NamedTuple):
    """One row of ``documents/``. ``content`` is the target alone: near-duplicates are samples whose answers are alike."""

    id: str  # records.document_id of source, repo and commit
    source: str
    repo: str
    path: str  # the commit's id, 40 hex digits
    revision: str  # of the snapshot before it: the first parent's id
    content: str  # target
    size: int  # bytes of prompt and target as UTF-8
    sha256: str  # of prompt and target
    license: str
    stars: int | None
    forks: int | None
    created: str
    language: str  # of the told file with most changed lines; '' where it is in none
    prompt: str
    message: str
    parents: str  # ids, separated by spaces
    merge: bool
    author_time: int  # Unix seconds
    author_offset: int  # minutes east of UTC
    commit_time: int
    commit_offset: int
    snapshot: str  # id of the tree before the commit
    patch_id: str  # see patch.parse_patch
    paths: str  # what the target changes
    omitted_paths: str  # what the commit changes besides: binary, vendored, generated, see filters
    context_paths: str  # README and found files that the prompt shows, in its order
    cut: str  # parts of the prompt that are shortened or left out
    files: int  # that the target changes
    added_lines: int
    deleted_lines: int
    prompt_tokens: int
    target_tokens: int
    changed: list[dict[str, str]]  # the told files after the commit that are scored: path, language, text


def _field(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_CHANGED = pa.list_(pa.struct([("path", pa.string()), ("language", pa.string()), ("text", pa.string())]))

_OWN = [
    *(_field(name, pa.string()) for name in ("message", "parents")),
    _field("merge", pa.bool_()),
    *(_field(name, pa.int64()) for name in ("author_time", "author_offset", "commit_time", "commit_offset")),
    *(_field(name, pa.string()) for name in ("snapshot", "patch_id", "paths", "omitted_paths", "context_paths", "cut")),
    *(_field(name, pa.int64()) for name in ("files", "added_lines", "deleted_lines", "prompt_tokens", "target_tokens")),
]

SAMPLES = pa.schema([*DOCUMENTS, _field("prompt", pa.large_string()), *_OWN, pa.field("changed", _CHANGED, nullable=False)])

SAMPLE_MEASURES = pa.schema([field for field in MEASURES if field.name not in ("language", "detected_by")])

SAMPLE_VERDICTS = pa.schema(
    [
        _field("id", pa.string()),
        _field("commits", pa.bool_()),  # in the corpus
        _field("cluster_size", pa.int32()),
        pa.field("quality", pa.float32()),
    ]
)

CORPUS = pa.schema(
    [
        *(DOCUMENTS.field(name) for name in ("id", "source", "repo", "path", "revision", "content", "size", "sha256")),
        pa.field("language", pa.string()),  # null where the target changes no file of a known one
        _field("target_offset", pa.int64()),  # characters of content before the target
        *(DOCUMENTS.field(name) for name in ("license", "stars", "forks", "created")),
        *_OWN,
        _field("cluster_id", pa.string()),
        _field("cluster_size", pa.int32()),
        pa.field("quality", pa.float32()),  # mean of the changed files after the commit; null where none could be scored
        _field("scorer", pa.string()),
    ]
)

COMMITS = Job(
    name="commits",
    variants=("commits",),
    funnel=("read", "repositories", "commit_rules", "decontamination", "exact_dedup", "near_dedup", "quality"),
    corpus=CORPUS,
    categorical=("language", "license", "scorer", "cut"),
    document="commit",
    abbreviated=True,
)
