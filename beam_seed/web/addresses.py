"""Duplicates by canonical address: of the captures of one address in several archives the newest is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from beam_seed.curation.datasets import read_table, shard_path
from beam_seed.members import MEMBERS, SHARD_BITS, VERDICTS, address, preference
from beam_seed.packing import pack_table, unpack_tables
from beam_seed.records import document_id

STAGE, RULE = "url_dedup", "same-address"

_ROW_MASK = np.uint64((1 << SHARD_BITS) - 1)


def address_members(root: str, number: int) -> bytes:
    """Packed MEMBERS of a shard's pages, whose digests are of their canonical addresses and whose preference is their date.

    Order of preference: captured later (to the second), then the names of host, archive and path. Captures without a date come last.
    """
    table = read_table(shard_path(root, "documents", number), ["source", "repo", "path", "created"])
    rows = table.to_pylist()
    arrays = [
        address(number, np.arange(len(rows))),
        pa.array([_digest(row["repo"], row["path"]) for row in rows], pa.binary(32)),
        # The machinery prefers what has more stars: seconds stand in for them.
        pa.array([preference(_seconds(row["created"]), "", row["repo"], row["source"]) for row in rows], pa.string()).dictionary_encode(),
        table["path"],
    ]
    return pack_table(pa.table(arrays, schema=MEMBERS))


def _digest(host: str, path: str) -> bytes:
    return hashlib.sha256(f"{host}\0{path}".encode("utf-8", "surrogatepass")).digest()


def _seconds(date: str) -> int | None:
    try:
        told = datetime.fromisoformat(date)
    except ValueError:
        return None
    return max(0, int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()))


def same_addresses(packed: Iterable[bytes]) -> dict[int, dict[str, Any]]:
    """Row of a shard -> the rejection of its page, from packed VERDICTS of :func:`address_members`."""
    verdicts = unpack_tables(packed, VERDICTS)
    rows = (verdicts["member"].to_numpy() & _ROW_MASK).astype(np.int64).tolist()
    told = zip(rows, verdicts.to_pylist(), strict=True)
    return {row: _rejection(verdict) for row, verdict in told if verdict["member"] != verdict["kept"]}


def _rejection(verdict: dict[str, Any]) -> dict[str, Any]:
    kept = {name: verdict[name] for name in ("source", "repo", "path")}
    evidence = {"kept": {"id": document_id(**kept), **kept}}
    told = json.dumps(evidence, sort_keys=True, ensure_ascii=False)
    return {"stage": STAGE, "rule": RULE, "measured": None, "limit": None, "evidence": told}
