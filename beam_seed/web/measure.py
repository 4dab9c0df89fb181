"""Everything that is a pure function of one page, in one pass over the text: category, kind, relevance, digest, bands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from beam_seed import metrics
from beam_seed.curation.datasets import PIECES, shard_path, write_batches, write_table
from beam_seed.near_dedup.lsh import Bands, band_hashes, has_shingles
from beam_seed.near_dedup.minhash import sign
from beam_seed.near_dedup.shingles import shingle
from beam_seed.web import category_model, relevance
from beam_seed.web.datasets import read_pages
from beam_seed.web.records import LANGUAGE, Page

STAGE = "relevance"

MEASURES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("detected_by", pa.string(), nullable=False),  # what told the category
        pa.field("relevance", pa.float32()),  # null where code tags told, or no model was given
        pa.field("stage", pa.string()),  # null where the page passed
        pa.field("rule", pa.string()),
        pa.field("measured", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("evidence", pa.string()),
        pa.field("digest", pa.binary(32), nullable=False),  # SHA-256 of the content
        pa.field("bands", pa.binary()),  # little-endian uint64 band hashes; null where there is nothing to compare
    ]
)


class Models(NamedTuple):
    """What pages are measured by, loaded."""

    relevance: relevance.Model | None  # None: only pages with code tags are relevant
    category: category_model.Model | None  # None: rules alone tell categories


def measure_shard(root: str, number: int, same_addresses: Mapping[int, dict[str, Any]], models: Models, bands: Bands) -> None:
    """Write the shard's ``measures/``, row by row as in ``documents/``, and its empty ``repositories/``.

    same_addresses: row -> rejection of the pages of which another capture is kept. They are not measured further.
    """
    write_batches(shard_path(root, "measures", number), MEASURES, _measure_groups(root, number, same_addresses, models, bands))
    write_table(shard_path(root, "repositories", number), PIECES.empty_table())


def _measure_groups(
    root: str, number: int, same_addresses: Mapping[int, dict[str, Any]], models: Models, bands: Bands
) -> Iterator[pa.Table]:
    for start, pages in read_pages(shard_path(root, "documents", number)):
        found = category_model.classify(pages, models.category)
        fresh = [row for row in range(len(pages)) if start + row not in same_addresses]
        scores, rejections = judge_relevance(pages, fresh, models.relevance)
        rejections |= {row: same_addresses[start + row] for row in range(len(pages)) if start + row in same_addresses}
        passed = [row for row in fresh if row not in rejections]
        size = sum(page.size for page in pages), sum(pages[row].size for row in passed)
        metrics.count("measures", len(pages), len(passed), [told["rule"] for told in rejections.values()], size=size)
        columns: dict[str, Any] = {
            "id": [page.id for page in pages],
            "language": [LANGUAGE] * len(pages),
            "category": [each.category for each in found],
            "detected_by": [each.how for each in found],
            "relevance": [scores.get(row) for row in range(len(pages))],
            "digest": [bytes.fromhex(page.sha256) for page in pages],
            "bands": _bands(pages, passed, bands),
        }
        for name in ("stage", "rule", "measured", "limit", "evidence"):
            columns[name] = [rejections[row][name] if row in rejections else None for row in range(len(pages))]
        yield pa.table({name: columns[name] for name in MEASURES.names}, schema=MEASURES)


def judge_relevance(
    pages: Sequence[Page], rows: Sequence[int], model: relevance.Model | None
) -> tuple[dict[int, float], dict[int, dict[str, Any]]]:
    """(row -> score, row -> rejection) of those of ``rows`` that code tags do not make relevant; without a model they are all rejected."""
    untagged = [row for row in rows if not pages[row].code_tags]
    if model is None:
        return {}, {row: _rejection("no-code-tags", 0.0, 1.0, {}) for row in untagged}
    scores = model.score([(pages[row].title, pages[row].content) for row in untagged]).tolist()
    told = dict(zip(untagged, scores, strict=True))
    evidence = {"model": model.fingerprint}
    low = {row: _rejection("not-code-related", score, model.threshold, evidence) for row, score in told.items() if score < model.threshold}
    return told, low


def _rejection(rule: str, measured: float, limit: float, evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {"stage": STAGE, "rule": rule, "measured": measured, "limit": limit, "evidence": json.dumps(evidence, sort_keys=True)}


def _bands(pages: Sequence[Page], passed: Sequence[int], bands: Bands) -> list[bytes | None]:
    signatures = sign(shingle([pages[row].content.encode("utf-8", "surrogatepass") for row in passed]), bands.num_perm)
    hashes, signed = band_hashes(signatures, bands).astype("<u8"), has_shingles(signatures)
    found: list[bytes | None] = [None] * len(pages)
    for index, row in enumerate(passed):
        found[row] = hashes[index].tobytes() if signed[index] else None
    return found
