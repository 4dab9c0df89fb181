"""The rows of the web corpus."""

from __future__ import annotations

import pyarrow as pa

from beam_seed.web.job import CORPUS


def corpus_rows(documents: pa.Table, verdicts: pa.Table, variant: str, relevance_model: str, scorer: str) -> pa.Table:
    """Kept pages and what was found of them. relevance_model, scorer: fingerprints, '' where none was used. See ``assemble.CorpusRows``."""
    columns = {name: documents[name] for name in documents.column_names if name in CORPUS.names}
    columns |= {name: verdicts[name] for name in ("category", "relevance", "quality", "sampling_rate", "cluster_size")}
    columns["categorised_by"] = verdicts["detected_by"]
    columns["cluster_id"] = documents["id"]
    for name, value in (("relevance_model", relevance_model), ("scorer", scorer)):
        columns[name] = pa.array([value] * len(documents), pa.string())
    return pa.table({name: columns[name] for name in CORPUS.names}, schema=CORPUS)
