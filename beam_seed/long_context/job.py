"""The long-context job, as its books, its report and ``why`` know it: what is read, kept and dropped are files."""

from __future__ import annotations

import pyarrow as pa

from beam_seed.report.job import Job

VARIANT = "long_context"

# The steps that may drop a file: of a repository, one by one or with it; a single file; any of a repository that cannot be assembled.
CHOICE, LENGTH, ASSEMBLY = "choice", "length", "assembly"

PLACES = pa.schema(  # documents/: one row for each file that is in a sequence
    [
        *(pa.field(name, pa.string(), nullable=False) for name in ("id", "source", "repo", "path")),
        pa.field("size", pa.int64(), nullable=False),  # bytes of its text
        pa.field("language", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # of the sequence, as are the next three
        pa.field("sequence", pa.string(), nullable=False),  # id, in the file of the same name in corpora/long_context/
        pa.field("part", pa.int32(), nullable=False),  # of the repository, from 0
        pa.field("parts", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # in the sequence, from 0
        pa.field("files", pa.int32(), nullable=False),  # in the sequence
    ]
)

# A row of the corpus holds many files, so the books are of the rows of documents/.
LONG_CONTEXT = Job("long-context", (VARIANT,), (CHOICE, LENGTH, ASSEMBLY), PLACES)
