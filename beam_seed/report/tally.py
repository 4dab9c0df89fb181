"""A run's outcomes counted table by table: mergeable in any order, bounded, and the same bytes whatever the order."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.records import document_id
from beam_seed.report.columns import (
    Column,
    Groups,
    evidence_clusters,
    evidence_similarities,
    floats,
    group_rows,
    hex_prefixes,
    is_empty,
    select,
    size_bins,
)
from beam_seed.report.samples import Record, largest, record, smallest

BOTH = "both"  # a rejected or failed row that counts in every variant

UNIT_BINS = 50  # bins of [0, 1]: 0.02 wide, finer than scores or similarities can be read off a page
SAMPLES = 5  # examples per rule: enough to see what it drops, few enough to read
CLUSTERS = 20  # the largest duplicate clusters of each variant
MEMBERS = 10  # dropped members shown of one cluster
REPOSITORY = "-repository"  # what ends the name of a rule that drops a repository for being a duplicate
EXCERPT = 600  # characters of content shown of a sample: about a dozen lines

# Scores and similarities are summed as integers in this unit, so that sums do not depend on the order of
# merging; 2**33 of them fit into 64 bits and the mean is exact to 2**-31.
_UNIT = 1 << 30

# The first word of an error ('ValueError: ...') stands for its kind; messages are unbounded in number.
_ERROR_KIND = r"^(?P<kind>[A-Za-z_][A-Za-z0-9_.]{0,60})(?::|$)"

_KEPT_COLUMNS = ("id", "source", "repo", "path", "size")
_CLUSTER_COLUMNS = ("cluster_id", "cluster_size")
_ROW_COLUMNS = ("id", "source", "repo", "path", "language", "size", "variant", "stage")


class Total(NamedTuple):
    """A number of documents, their bytes, and the sum of the first 32 bits (8 hex digits) of their ids.

    Two sets of the same count and bytes but different documents differ in the check-sum.
    """

    files: int = 0
    bytes: int = 0
    checksum: int = 0

    def __add__(self, other: object) -> Total:
        if not isinstance(other, Total):
            return NotImplemented
        return Total(self.files + other.files, self.bytes + other.bytes, self.checksum + other.checksum)


class Key(NamedTuple):
    """What documents are counted by; '' where it does not apply."""

    variant: str  # such as 'file_level', or 'both'
    outcome: str  # 'kept', 'rejected' or 'failed'
    stage: str
    rule: str  # for failed: the kind of error
    language: str


@dataclass
class Slice:
    """Counts of the documents of one key. ``measured`` is the score of a kept document, the rule's measurement of a rejected one."""

    files: int = 0
    bytes: int = 0
    checksum: int = 0  # see Total
    sizes: dict[int, int] = field(default_factory=dict)  # bit length of the size -> files; bin b holds [2**(b-1), 2**b)
    units: dict[int, int] = field(default_factory=dict)  # bin of [0, 1] -> files whose measurement lies in it
    unit_sum: int = 0  # sum of the measurements in [0, 1], in units of 2**-30
    lowest: float | None = None  # of all measurements, also those outside [0, 1]
    highest: float | None = None
    limit_low: float | None = None
    limit_high: float | None = None

    @property
    def total(self) -> Total:
        return Total(self.files, self.bytes, self.checksum)

    @property
    def unit_files(self) -> int:
        return sum(self.units.values())

    @property
    def unit_mean(self) -> float | None:
        return self.unit_sum / _UNIT / self.unit_files if self.units else None

    def add(self, other: Slice) -> None:
        self.files += other.files
        self.bytes += other.bytes
        self.checksum += other.checksum
        self.unit_sum += other.unit_sum
        for mine, others in ((self.sizes, other.sizes), (self.units, other.units)):
            for number, files in others.items():
                mine[number] = mine.get(number, 0) + files
        self.lowest, self.limit_low = _least(self.lowest, other.lowest), _least(self.limit_low, other.limit_low)
        self.highest, self.limit_high = _greatest(self.highest, other.highest), _greatest(self.limit_high, other.limit_high)


@dataclass
class Tally:
    """Counts, histograms, samples and clusters of a run. Every method adds; ``merge`` adds another tally.

    Size: a few hundred bytes per (variant, stage, rule, language) that occurs, and ``SAMPLES`` short records per rule; it does not
    grow with the number of documents.
    """

    slices: dict[Key, Slice] = field(default_factory=dict)
    samples: dict[Key, list[Record]] = field(default_factory=dict)  # language ''; the SAMPLES smallest ids
    clusters: dict[str, list[Record]] = field(default_factory=dict)  # variant -> the CLUSTERS largest
    members: dict[tuple[str, str], list[Record]] = field(default_factory=dict)  # (variant, cluster) -> MEMBERS smallest ids
    defects: dict[str, int] = field(default_factory=dict)  # what is wrong with rows -> rows; empty in a sound run

    def add_kept(self, variant: str, table: pa.Table, of_repositories: bool = False) -> None:
        """Count rows of ``corpora/<variant>``. The columns language, quality (the score), cluster_id and cluster_size may be missing.

        of_repositories: the clusters of the variant are of repositories, not of documents.
        Raises ValueError where a needed column is missing or an id is not 32 hex digits.
        """
        if variant == BOTH:
            raise ValueError(f"found variant {variant!r}; expected the name of one corpus")
        optional = [name for name in ("language", *_CLUSTER_COLUMNS) if name in table.column_names]
        rows = select(table, "corpora", (*_KEPT_COLUMNS, *optional))
        if not table.num_rows:
            return
        languages = rows["language"].fill_null("") if "language" in rows else pa.array([""] * table.num_rows)
        groups = group_rows({"language": languages}, Key(variant, "kept", "", "", "")._replace)
        self._count(groups, table, rows, "quality")
        for name in ("source", "repo", "path"):
            self._note(f"kept row without {name}", is_empty(rows[name]))
        if set(_CLUSTER_COLUMNS) <= set(optional):
            self._add_clusters(variant, rows, of_repositories)
            self._note("kept row without cluster_id", is_empty(rows["cluster_id"]))

    def add_rejected(self, table: pa.Table) -> None:
        """Count rows of ``rejected/`` and sample them; an optional column ``content`` gives the samples' excerpts."""
        rows = select(table, "rejected", (*_ROW_COLUMNS, "rule", "evidence"))
        if not table.num_rows:
            return
        columns = {name: rows[name] for name in ("variant", "stage", "rule", "language")}
        self._add_dropped("rejected", table, rows, columns)
        self._note("rejected row without rule", is_empty(rows["rule"]))

    def add_failed(self, table: pa.Table) -> None:
        """Count rows of ``failed/`` by kind of error, and sample them."""
        rows = select(table, "failed", (*_ROW_COLUMNS, "error"))
        if not table.num_rows:
            return
        kinds = pc.fill_null(pc.struct_field(pc.extract_regex(rows["error"], _ERROR_KIND), "kind"), "error")
        columns = {"variant": rows["variant"], "stage": rows["stage"], "rule": kinds, "language": rows["language"]}
        self._add_dropped("failed", table, rows, columns)
        self._note("failed row without error", is_empty(rows["error"]))

    def add_cluster_members(self, rejected: pa.Table, clusters: Collection[str] | None = None) -> None:
        """Sample the dropped members of ``clusters`` from rows of ``rejected/``: a second pass, default: of this tally's own clusters.

        A member of a cluster of repositories is a repository: one record for its files.
        """
        wanted = self.cluster_ids() if clusters is None else clusters
        rows = select(rejected, "rejected", ("source", "repo", "path", "size", "variant", "rule", "evidence"))
        evidence = rows.pop("evidence")
        cluster, measured = evidence_clusters(evidence), evidence_similarities(evidence, floats(rejected, "measured"))
        chosen: Column = pc.is_in(cluster, pa.array(sorted(wanted), pa.string()))
        found: Any = pa.table({**rows, "cluster": cluster, "measured": measured}).filter(chosen)
        whole = pc.match_substring(found["rule"], REPOSITORY)
        found = found.set_column(found.column_names.index("path"), "path", pc.if_else(whole, "", found["path"]))
        members = found.group_by(["variant", "cluster", "rule", "source", "repo", "path"], use_threads=False)
        by_cluster: dict[tuple[str, str], list[Record]] = {}
        for row in members.aggregate([("size", "sum"), ("size", "count"), ("measured", "max")]).to_pylist():
            held = {name: row[name] for name in ("rule", "source", "repo", "path")}
            held |= {"files": row["size_count"], "size": row["size_sum"], "measured": row["measured_max"]}
            held["id"] = document_id(held["source"], held["repo"], held["path"])
            by_cluster.setdefault((row["variant"], row["cluster"]), []).append(held)
        for key, held_here in by_cluster.items():
            self.members[key] = smallest(self.members.get(key, []) + held_here, MEMBERS)

    def merge(self, other: Tally) -> Tally:
        """Add ``other`` to this tally and return this one; associative and commutative."""
        for key, part in other.slices.items():
            self.slices.setdefault(key, Slice()).add(part)
        for sample, held in other.samples.items():
            self.samples[sample] = smallest(self.samples.get(sample, []) + held, SAMPLES)
        for variant, held in other.clusters.items():
            self.clusters[variant] = largest(self.clusters.get(variant, []) + held, CLUSTERS)
        for member, held in other.members.items():
            self.members[member] = smallest(self.members.get(member, []) + held, MEMBERS)
        for defect, rows in other.defects.items():
            self.defects[defect] = self.defects.get(defect, 0) + rows
        return self

    def cluster_ids(self) -> set[str]:
        """The clusters whose members ``add_cluster_members`` looks for."""
        return {cluster["cluster_id"] for held in self.clusters.values() for cluster in held}

    def sample_ids(self) -> set[str]:
        """Ids of the sampled documents, whose contents ``add_excerpts`` takes."""
        return {sample["id"] for held in self.samples.values() for sample in held}

    def add_excerpts(self, contents: Mapping[str, str]) -> None:
        """Give the samples the beginning of their content, by id."""
        for key, held in self.samples.items():
            self.samples[key] = [_with_excerpt(sample | {"content": contents.get(sample["id"])}) for sample in held]

    def total(self, variant: str, outcome: str | None = None) -> Total:
        """Documents of a variant with this outcome (all outcomes by default); rows of 'both' count in each variant."""
        return sum(
            (s.total for key, s in self.slices.items() if key.variant in (variant, BOTH) and outcome in (None, key.outcome)), Total()
        )

    def to_bytes(self) -> bytes:
        """Canonical JSON: equal tallies give equal bytes."""
        value = {
            "slices": [
                [*key, {**asdict(part), "sizes": sorted(part.sizes.items()), "units": sorted(part.units.items())}]
                for key, part in sorted(self.slices.items())
            ],
            "samples": [[*key, held] for key, held in sorted(self.samples.items())],
            "clusters": sorted(self.clusters.items()),
            "members": [[*key, held] for key, held in sorted(self.members.items())],
            "defects": sorted(self.defects.items()),
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tally:
        value = json.loads(data)
        return cls(
            {Key(*key): Slice(**{**part, "sizes": dict(part["sizes"]), "units": dict(part["units"])}) for *key, part in value["slices"]},
            {Key(*key): held for *key, held in value["samples"]},
            dict(value["clusters"]),
            {(variant, cluster): held for variant, cluster, held in value["members"]},
            dict(value["defects"]),
        )

    def _add_dropped(self, outcome: str, table: pa.Table, rows: Mapping[str, Column], columns: Mapping[str, Column]) -> None:
        groups = group_rows(columns, lambda **names: Key(outcome=outcome, **names))
        self._count(groups, table, rows, "measured")
        self._note(f"{outcome} row without stage", is_empty(rows["stage"]))
        names = ("id", "source", "repo", "path", "language", "size", "measured", "limit", "evidence", "error", "content")
        for key, picked in groups.merged(lambda key: key._replace(language="")).smallest(hex_prefixes(rows["id"]), rows["id"], SAMPLES):
            held = [_with_excerpt(record(table, at, names)) for at in picked]
            self.samples[key] = smallest(self.samples.get(key, []) + held, SAMPLES)

    def _count(self, groups: Groups[Key], table: pa.Table, rows: Mapping[str, Column], measure: str) -> None:
        size = rows["size"].to_numpy(zero_copy_only=False)
        measured = floats(table, measure)
        inside = (measured >= 0) & (measured <= 1)
        value = np.where(inside, measured, 0.0)
        counted = groups.count(
            bytes=size, checksum=hex_prefixes(rows["id"]).astype(np.int64), unit_sum=np.rint(value * _UNIT).astype(np.int64)
        )
        extremes = groups.extremes(measured), groups.extremes(floats(table, "limit"))
        sizes = groups.histogram(size_bins(size))
        units = groups.histogram(unit_bins(value), inside)
        for code, key in enumerate(groups.keys):
            (lowest, highest), (limit_low, limit_high) = (pair[code] for pair in extremes)
            part = Slice(
                **counted[code],
                sizes=sizes[code],
                units=units[code],
                lowest=lowest,
                highest=highest,
                limit_low=limit_low,
                limit_high=limit_high,
            )
            self.slices.setdefault(key, Slice()).add(part)

    def _add_clusters(self, variant: str, rows: Mapping[str, Column], of_repositories: bool) -> None:
        duplicated: Column = pc.greater(rows["cluster_size"], pa.scalar(1))
        found: Any = pa.table({name: rows[name] for name in (*_KEPT_COLUMNS, *_CLUSTER_COLUMNS)}).filter(duplicated)
        if of_repositories:
            found = found.set_column(found.column_names.index("path"), "path", pa.array([""] * len(found), pa.string()))
        clusters = found.group_by(["cluster_id", "cluster_size", "source", "repo", "path"], use_threads=False)
        held = clusters.aggregate([("size", "sum"), ("size", "count")]).rename_columns(
            ["cluster_id", "cluster_size", "source", "repo", "path", "size", "files"]
        )
        # Ties are settled by the cluster's id, so that the choice does not depend on the order of rows.
        order = held.sort_by([("cluster_size", "descending"), ("cluster_id", "ascending")])["cluster_id"].unique()
        held = held.filter(pc.is_in(held["cluster_id"], order.slice(0, CLUSTERS)))
        self.clusters[variant] = largest(self.clusters.get(variant, []) + held.to_pylist(), CLUSTERS)

    def _note(self, defect: str, rows: Column) -> None:
        if number := pc.sum(rows).as_py():
            self.defects[defect] = self.defects.get(defect, 0) + number


def unit_bins(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bin of each value in [0, 1]; 1 lies in the last one."""
    # A value on an edge, such as 0.7 or its float32, belongs in the bin that it opens whichever way it was rounded.
    return np.minimum((values * UNIT_BINS + 1e-5).astype(np.int64), UNIT_BINS - 1)


def totals(table: pa.Table) -> Total:
    """The total of a table with the columns id and size, e.g. of the documents that were read."""
    rows = select(table, "documents", ("id", "size"))
    if not table.num_rows:
        return Total()
    return Total(table.num_rows, int(pc.sum(rows["size"]).as_py()), int(hex_prefixes(rows["id"]).astype(np.int64).sum()))


def merge(tallies: Iterable[Tally]) -> Tally:
    """One tally of all, leaving them as they are."""
    merged = Tally()
    for tally in tallies:
        merged.merge(tally)
    return merged


def _with_excerpt(sample: Record) -> Record:
    content = sample.pop("content", None)
    return sample if content is None else sample | {"excerpt": content[:EXCERPT]}


def _least(one: float | None, other: float | None) -> float | None:
    return min((value for value in (one, other) if value is not None), default=None)


def _greatest(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
