"""Beam wiring of stage 3. Digests, bands and candidate references are shuffled; verdicts travel as side inputs keyed by shard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import AsMultiMap, AsSingleton

from beam_seed import metrics, storage
from beam_seed.curation import collect as collecting
from beam_seed.curation import duplicates as dup
from beam_seed.curation.datasets import DUPLICATES, read_table, shard_path, write_table
from beam_seed.curation.duplicates import Place, Repository
from beam_seed.curation.publish import read_stage
from beam_seed.exact_dedup.transforms import FindExactDuplicates
from beam_seed.members import SHARD_BITS, shard_key
from beam_seed.near_dedup.lsh import Bands
from beam_seed.near_dedup.transforms import ROUNDS, ClusterCandidates, VerifyCandidates, split_by_band
from beam_seed.packing import pack_table, split_by, unpack_table

KeyedBytes = tuple[int, bytes]


@dataclass
class FindDuplicates(beam.PTransform):
    """Measured places to ``(shard number, packed DUPLICATES)``, one for each; written to ``duplicates/`` too.

    threshold: Jaccard similarity; None finds exact duplicates only. against: output folders of earlier runs, whose files and
    repositories are preferred to everything new.
    """

    root: str
    bands: Bands
    threshold: float | None
    against: Sequence[str] = ()
    partitions: int = 16
    rounds: int = ROUNDS
    parts: int = 0  # tasks that verification is divided into; 0 = as many as there are places, which suits places of one size

    def expand(self, new: Any) -> Any:
        earlier = new.pipeline | "Earlier runs" >> beam.Create(list(enumerate(self.against, 1)), reshuffle=False)
        old = earlier | "Their shards" >> beam.FlatMap(_earlier_places).with_output_types(Place)
        places = (new, old) | "All places" >> beam.Flatten()
        repositories = places | "Combine repositories" >> _CombineRepositories()
        members = (
            places | "Pack files" >> beam.Map(lambda place: pack_table(dup.file_members(place))).with_output_types(bytes),
            repositories | "Pack repositories" >> beam.Map(lambda some: pack_table(dup.repository_members(some))).with_output_types(bytes),
        )
        exact = members | "Members" >> beam.Flatten() | "Find exact" >> FindExactDuplicates(self.partitions)
        near = self._find_near(self.threshold, new, old, repositories, exact) if self.threshold is not None else _no_verdicts(new)
        final = (exact, near) | "Settle" >> _Settle()
        return _publish(new, repositories, final, self.root)

    # Beam's in-process runner holds back a flattened collection until *every* consumer of its sources' inputs has run, and waits for
    # itself where one of those consumers comes later. A Reshuffle of its own for each consumer that has side inputs prevents that, and
    # keeps cheap and expensive steps from being fused on other runners.
    def _find_near(self, threshold: float, new: Any, old: Any, repositories: Any, exact: Any) -> Any:
        signed = (
            new | "Files to sign" >> beam.Reshuffle() | "Sign files" >> beam.Map(_sign_files, AsMultiMap(exact)).with_output_types(bytes),
            repositories
            | "Repositories to sign" >> beam.Reshuffle()
            | "Sign repositories" >> beam.FlatMap(_sign_repositories, self.bands, False, AsMultiMap(exact)).with_output_types(bytes),
        )
        index = (
            old | "Files to index" >> beam.Reshuffle() | "Index files" >> beam.Map(_sign_files, AsMultiMap(exact)).with_output_types(bytes),
            repositories
            | "Repositories to index" >> beam.Reshuffle()
            | "Index repositories" >> beam.FlatMap(_sign_repositories, self.bands, True, AsMultiMap(exact)).with_output_types(bytes),
        )
        index = (
            index
            | "Band index" >> beam.Flatten()
            | "Index by band" >> beam.FlatMap(split_by_band, self.bands.bands, self.partitions).with_output_types(KeyedBytes)
        )
        cluster = ClusterCandidates(self.bands, self.partitions, self.rounds, index=index)
        clusters = signed | "Signed" >> beam.Flatten() | "Cluster" >> cluster
        targets = (
            repositories
            | "Repositories to target" >> beam.Reshuffle()
            | "Target repositories"
            >> beam.FlatMap(_target_repositories, AsMultiMap(clusters), AsMultiMap(exact)).with_output_types(KeyedBytes)
        )
        folder = storage.join(self.root, "_work", "candidates")
        count = new | "Count shards" >> beam.combiners.Count.Globally()
        places = (new, old) | "Places with text" >> beam.Flatten() | "Spread places" >> beam.Reshuffle()
        candidates = places | "Collect candidates" >> beam.FlatMap(
            _collect, folder, AsMultiMap(clusters), AsMultiMap(targets), AsMultiMap(exact), self.parts or AsSingleton(count)
        ).with_output_types(KeyedBytes)
        return candidates | "Verify" >> VerifyCandidates(threshold, self.bands, load=collecting.load)


def _earlier_places(run: tuple[int, str]) -> Iterator[Place]:
    dataset, root = run
    for item in read_stage(root, "duplicates")["items"]:
        yield Place(root, dataset, item["number"], shard_path(root, "documents", item["number"]))


@dataclass
class _CombineRepositories(beam.PTransform):
    """Places to batches of repositories (lists)."""

    def expand(self, places: Any) -> Any:
        return (
            places
            | "Read pieces" >> beam.FlatMap(_read_pieces).with_output_types(KeyedPieces)
            | "Group pieces" >> beam.GroupByKey()
            | "Combine" >> beam.FlatMap(_combine_pieces)
            # Batches only amortise the cost of packing; their bounds have no effect on any result.
            | "Batch" >> beam.BatchElements(min_batch_size=64, max_batch_size=4096)
        )


KeyedPieces = tuple[str, bytes]


def _read_pieces(place: Place) -> Iterator[KeyedPieces]:
    pieces = dup.read_pieces(place)
    # A repository lies in one bucket; its name and its bucket's first 14 bits tell it apart from a namesake elsewhere.
    for row in range(len(pieces)):
        yield f"{place.dataset}\0{place.number >> 10}\0{pieces['repo'][row].as_py()}", pack_table(pieces.slice(row, 1))


def _combine_pieces(group: tuple[str, Iterable[bytes]]) -> Iterator[Repository]:
    key, packed = group
    rows = [row for each in packed for row in unpack_table(each).to_pylist()]
    repository = dup.combine_pieces(int(key.split("\0")[0]), rows)
    if repository is not None:
        yield repository


def _own(repositories: Sequence[Repository], side_input: Mapping[int, Iterable[bytes]]) -> list[bytes]:
    keys = sorted({repository.address >> SHARD_BITS for repository in repositories})
    return [packed for key in keys for packed in side_input[key]]


def _sign_files(place: Place, exact: Mapping[int, Iterable[bytes]]) -> bytes:
    return dup.signed_files(place, exact[shard_key(place.number, place.dataset)])


def _sign_repositories(
    repositories: Sequence[Repository], bands: Bands, published: bool, exact: Mapping[int, Iterable[bytes]]
) -> Iterator[bytes]:
    chosen = [repository for repository in repositories if bool(repository.dataset) == published]
    if chosen:
        yield dup.signed_repositories(chosen, _own(chosen, exact), bands)


def _target_repositories(
    repositories: Sequence[Repository], clusters: Mapping[int, Iterable[bytes]], exact: Mapping[int, Iterable[bytes]]
) -> Iterator[KeyedBytes]:
    by_dataset = split_by(np.array([repository.dataset for repository in repositories]))
    for dataset, rows in by_dataset:
        some = [repositories[row] for row in rows]
        found = list(collecting.repository_targets(some, _own(some, clusters), _own(some, exact)))
        for shard, indices in split_by(np.array([shard for shard, _ in found], dtype=np.int64)):
            yield shard_key(shard, dataset), collecting.pack_targets([found[index][1] for index in indices])


def _collect(
    place: Place,
    folder: str,
    clusters: Mapping[int, Iterable[bytes]],
    targets: Mapping[int, Iterable[bytes]],
    exact: Mapping[int, Iterable[bytes]],
    parts: int,
) -> Iterator[KeyedBytes]:
    key = shard_key(place.number, place.dataset)
    wanted = collecting.file_targets(place, clusters[key], exact[key]) + collecting.unpack_targets(targets[key])
    yield from collecting.collect(place, wanted, parts, folder)


@dataclass
class _Settle(beam.PTransform):
    """(exact, near) verdicts to ``(address >> 32, packed FINAL)``."""

    def expand(self, verdicts: tuple[Any, Any]) -> Any:
        exact, near = verdicts
        by_kept = exact | "By kept" >> beam.FlatMap(_by_kept).with_output_types(KeyedBytes)
        return (
            {"exact": by_kept, "near": near}
            | "Meet" >> beam.CoGroupByKey()
            | "Settle" >> beam.FlatMap(lambda group: dup.settle(group[1]["exact"], group[1]["near"])).with_output_types(KeyedBytes)
        )


def _by_kept(verdicts: KeyedBytes) -> Iterator[KeyedBytes]:
    table = unpack_table(verdicts[1])
    for key, rows in split_by(table["kept"].to_numpy() >> np.uint64(SHARD_BITS)):
        yield key, pack_table(table.take(pa.array(rows)))


def _no_verdicts(places: Any) -> Any:
    return places.pipeline | "No near verdicts" >> beam.Create([], reshuffle=False).with_output_types(KeyedBytes)


def _publish(places: Any, repositories: Any, final: Any, root: str) -> Any:
    """Route final verdicts to the shards of this run and write them."""
    files = final | "Verdicts on files" >> beam.FlatMap(_file_duplicates).with_output_types(KeyedBytes)
    whole = (
        repositories
        | "Repositories to judge" >> beam.Reshuffle()
        | "Verdicts on repositories" >> beam.FlatMap(_repository_duplicates, AsMultiMap(final)).with_output_types(KeyedBytes)
    )
    every = places | "Every shard" >> beam.Map(lambda place: (place.number, pack_table(DUPLICATES.empty_table()))).with_output_types(
        KeyedBytes
    )
    return (
        (files, whole, every)
        | "All verdicts" >> beam.Flatten()
        | "By shard" >> beam.GroupByKey()
        | "Write duplicates" >> beam.Map(_write_duplicates, root).with_output_types(KeyedBytes)
    )


def _file_duplicates(verdicts: KeyedBytes) -> Iterator[KeyedBytes]:
    key, packed = verdicts
    if key < dup.FIRST_PUBLISHED_KEY:
        yield key, dup.file_duplicates(packed)


def _repository_duplicates(repositories: Sequence[Repository], final: Mapping[int, Iterable[bytes]]) -> Iterator[KeyedBytes]:
    for repository in repositories:
        if not repository.dataset:
            yield from dup.repository_duplicates(repository, final[repository.address >> SHARD_BITS])


def _write_duplicates(group: tuple[int, Iterable[bytes]], root: str) -> KeyedBytes:
    number, packed = group
    with metrics.busy("duplicates"):
        table = dup.gather_duplicates(packed)
    passed = read_table(shard_path(root, "measures", number), ["stage"])["stage"].null_count
    gone = table.filter(pc.and_(pc.equal(table["kind"], "file"), pc.not_equal(table["rule"], "kept")))
    kept = passed - len(dup.dropped_rows(table, "file"))
    metrics.count("duplicates", passed, kept, gone["rule"].to_pylist())
    write_table(shard_path(root, "duplicates", number), table)
    return number, pack_table(table)
