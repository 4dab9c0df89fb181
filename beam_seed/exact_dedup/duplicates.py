"""Members with equal SHA-256 digests, and which one of them is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed.members import refuse_repeats, verdict_table

_MODULUS = 1 << 256


def set_digest(files: Iterable[tuple[str, str]]) -> bytes:
    """Digest of a set of (path, content digest) pairs, 32 bytes: the sum modulo 2^256 of the pairs' SHA-256.

    A sum (AdHash; Bellare and Micciancio 1997) and not a digest of the sorted list, so that a repository that lies in several
    shards is digested shard by shard and :func:`merge_digests` gives the digest of the whole.
    """
    total = 0
    for path, content_digest in files:
        pair = path.encode("utf-8", "surrogatepass") + b"\0" + content_digest.encode()
        total += int.from_bytes(hashlib.sha256(pair).digest(), "big")
    return (total % _MODULUS).to_bytes(32, "big")


def merge_digests(digests: Iterable[bytes]) -> bytes:
    """The set digest of the union of disjoint sets."""
    return (sum(int.from_bytes(digest, "big") for digest in digests) % _MODULUS).to_bytes(32, "big")


def digest_partition(members: pa.Table, partitions: int) -> npt.NDArray[np.int64]:
    """Which of ``partitions`` parts of the digest space each member falls into."""
    return (_digest_words(members)[:, 0] % np.uint64(partitions)).astype(np.int64)


def _digest_words(members: pa.Table) -> npt.NDArray[np.uint64]:
    digests = members["digest"].combine_chunks()
    start = digests.offset * 32
    return np.frombuffer(digests.buffers()[1], dtype="<u8")[start // 8 : start // 8 + len(digests) * 4].reshape(-1, 4)


def _with_copies(members: pa.Table) -> pa.Table:
    words = _digest_words(members)
    order = np.lexsort(words.T)
    equal = (words[order][1:] == words[order][:-1]).all(axis=1)
    has_copy = np.zeros(len(words), dtype=bool)
    has_copy[order[1:][equal]] = True
    has_copy[order[:-1][equal]] = True
    return members.filter(pa.array(has_copy))


def find_duplicates(members: pa.Table) -> pa.Table:
    """VERDICTS of a MEMBERS table that holds every member of its digests.

    Of equal members the first in the order of preference (see :mod:`beam_seed.members`) is kept; similarity is 1.0.
    Raises ValueError where two members have one address, such as one document that was read twice.
    """
    members = _with_copies(members)
    repository = members["repository"].combine_chunks().dictionary_decode()
    members = members.set_column(members.schema.get_field_index("repository"), "repository", repository)
    members = members.sort_by([("digest", "ascending"), ("repository", "ascending"), ("path", "ascending"), ("address", "ascending")])
    refuse_repeats(members)
    words = _digest_words(members)
    first = np.append(True, (words[1:] != words[:-1]).any(axis=1))[: len(words)]
    chosen = np.flatnonzero(first)[np.cumsum(first) - 1] if len(words) else np.empty(0, dtype=np.int64)
    return verdict_table(members, chosen, np.ones(len(chosen)), np.ones(len(chosen), dtype=np.int64))
