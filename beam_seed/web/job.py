"""The web job, as its books and its report know it."""

from __future__ import annotations

import pyarrow as pa

from beam_seed.report.job import Job
from beam_seed.web.datasets import PAGES

VARIANT = "web"

_TAKEN = ("id", "source", "repo", "path", "revision", "content", "size", "sha256")
_FACTS = ("url", "title", "charset", "page_language", "code_tags", "code_blocks", "words")

CORPUS = pa.schema(
    [
        *(PAGES.field(name) for name in (*_TAKEN, *_FACTS)),
        pa.field("category", pa.string(), nullable=False),
        pa.field("categorised_by", pa.string(), nullable=False),  # what told: 'host', 'markup', 'generator', 'model', 'path', 'default'
        pa.field("relevance", pa.float32()),  # null where code tags told, or no model was given
        pa.field("quality", pa.float32()),  # null where nothing was scored
        pa.field("sampling_rate", pa.float64(), nullable=False),  # the page stands for 1 / rate pages
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("relevance_model", pa.string(), nullable=False),  # fingerprints; '' where none was used
        pa.field("scorer", pa.string(), nullable=False),
    ]
)

WEB = Job(
    name="web",
    variants=(VARIANT,),
    funnel=("read", "heuristics", "url_dedup", "relevance", "exact_dedup", "near_dedup", "decontamination", "quality", "sampling"),
    corpus=CORPUS,
    categorical=("category", "categorised_by", "charset", "page_language", "relevance_model", "scorer"),
    document="page",
    group="category",
)
