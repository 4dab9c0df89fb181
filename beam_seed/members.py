"""Members of a deduplication: how a document or a repository is addressed, and which of two equal ones is preferred.

An address is 64 bits: kind (1), dataset (7), shard (24), row (32). Kind 0 is a document, at its row of ``documents/``;
kind 1 a repository, at the row of its first document. Dataset 0 is the run's own input, 1 to 127 the corpora it is
deduplicated against. ``address >> 32`` is the shard a verdict must reach.

Order of preference: published earlier, more stars, older, then by name of repository, source and path. Stars unknown
come after no stars, age unknown after every known age.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SHARD_BITS = 32
_DATASET_SHIFT = 56
_KIND_SHIFT = 63
MAX_SHARDS = 1 << 24
MAX_DATASETS = 127
_MAX_STARS = 10**12  # any number above the stars of all repositories together keeps the key's width fixed

MEMBERS = pa.schema(
    [
        ("address", pa.uint64()),
        ("digest", pa.binary(32)),
        ("repository", pa.dictionary(pa.int32(), pa.string())),  # preference(), shared by the repository's documents
        ("path", pa.string()),
    ]
)

VERDICTS = pa.schema(
    [
        ("member", pa.uint64()),
        ("kept", pa.uint64()),  # the member itself where it is kept and stands for others
        ("similarity", pa.float64()),
        ("size", pa.int64()),  # members the kept one stands for, itself included; 0 on the rows of dropped ones
        ("source", pa.string()),  # of the kept one, as are repo and path
        ("repo", pa.string()),
        ("path", pa.string()),
    ]
)


def address(shard: int, rows: npt.NDArray[np.integer], dataset: int = 0, repository: bool = False) -> npt.NDArray[np.uint64]:
    """Addresses of ``rows`` of one shard."""
    if not 0 <= shard < MAX_SHARDS or not 0 <= dataset <= MAX_DATASETS:
        raise ValueError(f"shard {shard} of dataset {dataset} has no address; expected shard < {MAX_SHARDS}, dataset <= {MAX_DATASETS}")
    base = int(repository) << _KIND_SHIFT | dataset << _DATASET_SHIFT | shard << SHARD_BITS
    return rows.astype(np.uint64) | np.uint64(base)


def shard_key(shard: int, dataset: int = 0, repository: bool = False) -> int:
    """``address >> 32`` of every member of a shard."""
    return int(address(shard, np.zeros(1, dtype=np.int64), dataset, repository)[0]) >> SHARD_BITS


def is_published(addresses: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which members belong to a corpus published earlier."""
    return (addresses >> np.uint64(_DATASET_SHIFT)) & np.uint64(MAX_DATASETS) > 0


def is_repository(addresses: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which members are repositories."""
    return addresses >> np.uint64(_KIND_SHIFT) > 0


HASHED_SHARD_BITS = 50
"""``hashed_address >> 50`` divides hashed members into 64 parts: few enough that a batch looks each up once."""


def hashed_address(identity: str) -> int:
    """A 56-bit stand-in for the address of a document that lies in no dataset (collisions: 7 in 10^9 documents)."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=7).digest(), "big")


def preference(stars: int | None, created: str, repo: str, source: str) -> str:
    """A string that sorts repositories in the documented order, and from which :func:`names` reads them back."""
    unpopularity = _MAX_STARS - min(-1 if stars is None else stars, _MAX_STARS)
    return "\0".join((f"{unpopularity:013d}", created or "9999", repo, source))


def ranked(repository: str, dataset: int) -> str:
    """A :func:`preference` among all datasets: what was published earlier comes before everything new."""
    return f"{dataset or MAX_DATASETS + 1:03d}" + repository


def names(repository: str) -> tuple[str, str]:
    """(repo, source) of a :func:`preference`, ranked or not."""
    _, _, repo, source = repository.split("\0", 3)
    return repo, source


def refuse_repeats(members: pa.Table) -> None:
    """Raise ValueError where a member is there twice, because verdicts could not tell the two apart.

    ``members`` (columns address, repository, path) are in order of preference, which puts the two side by side.
    """
    addresses = members["address"].to_numpy()
    repeated = np.flatnonzero(addresses[1:] == addresses[:-1])
    if len(repeated):
        again = members.slice(int(repeated[0]), 1)
        repo, source = names(again["repository"][0].as_py())
        path = again["path"][0].as_py()
        raise ValueError(
            f"two documents have the id of {repo}/{path} from {source}; expected each id once; "
            "read every source once, or remove repeated documents before deduplication"
        )


def verdict_table(
    members: pa.Table, chosen: npt.NDArray[np.int64], similarity: npt.NDArray[np.float64], weights: npt.NDArray[np.int64]
) -> pa.Table:
    """VERDICTS of ``members`` (columns address, repository, path), where member i is represented by ``chosen[i]``.

    ``weights[i]`` is how many documents member i stood for before. Kept members that stand for nobody else have no row.
    """
    addresses = members["address"].to_numpy()
    sizes = np.bincount(chosen, weights=weights, minlength=len(chosen)).astype(np.int64)
    is_kept = chosen == np.arange(len(chosen))
    told = np.flatnonzero((~is_kept & ~is_published(addresses)) | (is_kept & (sizes > 1)))
    kept = members.take(pa.array(chosen[told]))
    kept_names = [names(repository) for repository in kept["repository"].to_pylist()]
    return pa.table(
        [
            addresses[told],
            kept["address"],
            similarity[told],
            np.where(is_kept[told], sizes[told], 0),
            pa.array([source for _, source in kept_names], pa.string()),
            pa.array([repo for repo, _ in kept_names], pa.string()),
            kept["path"],
        ],
        schema=VERDICTS,
    )
