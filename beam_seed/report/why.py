"""The whole story of one document, from a run's datasets: where it was read, what was measured, what became of it and why."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from beam_seed.report.job import Job
from beam_seed.report.tally import BOTH
from beam_seed.report.text import one_line

ReadTable = Callable[[str, Sequence[str], Any], pa.Table]
"""``(dataset, columns, filter) -> rows``: dataset such as 'corpora/file_level'; filter a pyarrow.compute Expression or None. Columns that
the dataset lacks are left out; the column 'shard' is the name of the file that holds the row. No rows where there is no such dataset."""

Row = dict[str, Any]

SHOWN = 10  # of the documents that a kept one stands for
_NEAR_NAMES = 5
# difflib compares a name with every other one; beyond this many the message would take longer than the search.
_COMPARED_NAMES = 20_000

_DROPPED_OR_NOT = ("documents", "rejected", "failed")
_WHO = ("id", "source", "repo", "path")
_DOCUMENT = (*_WHO, "revision", "size", "sha256", "license", "stars", "forks", "created", "language", "shard")
_MEASURES = ("id", "detected_by")  # and what the job groups documents by
_VERDICT = ("id", "syntax_error_share", "quality")
_KEPT = (*_WHO, "size", "language", "quality", "syntax_error_share", "scorer", "cluster_id", "cluster_size", "shard")
_REJECTED = (*_WHO, "size", "language", "variant", "stage", "rule", "measured", "limit", "evidence")
_FAILED = (*_WHO, "size", "language", "variant", "stage", "error")


class NotFoundError(LookupError):
    """No document of this name was read; the message suggests near names."""


@dataclass
class Fate:
    """What became of a document in one variant."""

    outcome: str  # 'kept', 'rejected', 'failed', or 'unknown' in an unfinished run
    row: Row = field(default_factory=dict)  # of corpora/, rejected/ or failed/
    stands_for: list[Row] = field(default_factory=list)  # kept: up to SHOWN of the documents dropped in its favour
    favoured: Fate | None = None  # rejected as a duplicate: what became of the one in whose favour

    @property
    def evidence(self) -> Row:
        try:
            told = json.loads(self.row.get("evidence") or "{}")
        except (ValueError, RecursionError):
            told = None
        return told if isinstance(told, dict) else {}


@dataclass
class Story:
    """One document; values that no dataset tells are missing from the rows."""

    who: Row  # id, source, repo, path
    document: Row  # of documents/; empty where it was dropped while reading
    measures: Row  # language, detected_by, syntax_error_share, quality
    fates: dict[str, Fate]  # by variant
    job: Job
    limits: dict[str, float]  # of the rules that it passed, as far as they dropped another file of its language


def parquet_reader(list_files: Callable[[str], Iterable[str]], open_file: Callable[[str], BinaryIO]) -> ReadTable:
    """A ReadTable over Parquet files; row groups that cannot match are skipped."""

    def read(dataset: str, columns: Sequence[str], where: Any) -> pa.Table:
        tables = []
        for path in sorted(list_files(dataset)):
            with open_file(path) as file:
                fragment = ds.ParquetFileFormat().make_fragment(pa.PythonFile(file, mode="r"))
                present = [name for name in columns if name in fragment.physical_schema.names]
                table = fragment.to_table(columns=present, filter=where, use_threads=False)
            if "shard" in columns:
                table = table.append_column("shard", pa.array([path.rsplit("/", 1)[-1]] * table.num_rows, pa.string()))
            tables.append(table)
        return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})

    return read


def explain(read_table: ReadTable, name: str, job: Job) -> list[Story]:
    """The stories of all documents called ``name``, in order of source.

    name: REPO/PATH (repositories' names may hold slashes), or PATH alone where one repository has it, such as a commit's id or a URL;
    of a commit's id the beginning will do where no other one begins so. Raises NotFoundError where no such document was read, or where the
    name stands for several.
    """
    stories = find(read_table, name, job, partial(_stories, read_table, job))
    return sorted(stories, key=lambda story: (story.who["source"], story.who["id"]))


def find(read_table: ReadTable, name: str, job: Job, tell: Callable[[Collection[tuple[str, str]]], list[Story]]) -> list[Story]:
    """The stories of all documents called ``name``, see :func:`explain`; ``tell`` gives those of any number of (repository, path)."""
    stories = tell(_splits(name))
    if not stories:
        repos = _names(read_table, "repo", pc.field("path") == name)
        if len(repos) > 1:
            raise NotFoundError(one_line(_ambiguous(name, repos, job)))
        stories = tell([(repo, name) for repo in repos])
    if not stories and job.abbreviated:
        found = _begun(read_table, name)
        if len(found) > 1:
            raise NotFoundError(one_line(_begun_by_several(name, found, job)))
        stories = tell(found)
    if not stories:
        raise NotFoundError(one_line(_not_found(read_table, name, job)))
    return stories


def _stories(read_table: ReadTable, job: Job, names: Collection[tuple[str, str]]) -> list[Story]:
    """Of each document that has one of ``names``, (repository, path)."""
    if not names:
        return []
    repos, paths = (pa.array([each[part] for each in names], pa.string()) for part in (0, 1))
    where = pc.field("repo").isin(repos) & pc.field("path").isin(paths)
    documents, rejected, failed = (
        [row for row in _rows(read_table, dataset, columns, where) if (row["repo"], row["path"]) in names]
        for dataset, columns in (("documents", _DOCUMENT), ("rejected", _REJECTED), ("failed", _FAILED))
    )
    found = {row["id"]: {column: row[column] for column in _WHO} for row in [*documents, *rejected, *failed]}
    return [_story(read_table, who, documents, rejected, failed, job) for who in found.values()]


def _splits(name: str) -> list[tuple[str, str]]:
    parts = name.split("/")
    return [("/".join(parts[:cut]), "/".join(parts[cut:])) for cut in range(1, len(parts))]


def _begun(read_table: ReadTable, name: str) -> list[tuple[str, str]]:
    """The (repository, path) of which ``name`` is PATH's beginning, or REPO/ and it: of hex digits, as many as git asks for."""
    repo, _, beginning = name.rpartition("/")
    if not re.fullmatch(r"[0-9a-f]{4,}", beginning):
        return []
    where = pc.starts_with(pc.field("path"), beginning)
    where = where & (pc.field("repo") == repo) if repo else where
    return sorted({(row["repo"], row["path"]) for each in _DROPPED_OR_NOT for row in _rows(read_table, each, ("repo", "path"), where)})


def _rows(read_table: ReadTable, dataset: str, columns: Sequence[str], where: Any) -> list[Row]:
    rows: list[Row] = read_table(dataset, columns, where).to_pylist()
    return rows


def _story(read_table: ReadTable, who: Row, documents: list[Row], rejected: list[Row], failed: list[Row], job: Job) -> Story:
    own = pc.field("id") == who["id"]
    document = next((row for row in documents if row["id"] == who["id"]), {})
    measures: Row = {}
    for dataset, columns in (("measures", (*_MEASURES, job.group)), ("verdicts", _VERDICT)):
        for row in _rows(read_table, dataset, columns, own):
            measures |= {name: value for name, value in row.items() if value is not None and name != "id"}
    mine = [row for row in rejected if row["id"] == who["id"]], [row for row in failed if row["id"] == who["id"]]
    fates = {variant: _fate(read_table, variant, who["id"], *mine) for variant in job.variants}
    for fate in fates.values():
        _follow(read_table, fate, job)
    known = measures.get(job.group) or document.get(job.group)
    language = known or next((fate.row.get("language") for fate in fates.values()), None)
    return Story(who, document, measures | {"language": language or ""}, fates, job, _limits(read_table, language or ""))


def _fate(read_table: ReadTable, variant: str, id_: str, rejected: list[Row], failed: list[Row]) -> Fate:
    for outcome, rows in (("rejected", rejected), ("failed", failed)):
        for row in rows:
            if row["variant"] in (variant, BOTH):
                return Fate(outcome, row | {"variant": variant})
    for row in _rows(read_table, f"corpora/{variant}", _KEPT, pc.field("id") == id_):
        return Fate("kept", row | {"variant": variant})
    return Fate("unknown", {"variant": variant})


def _follow(read_table: ReadTable, fate: Fate, job: Job) -> None:
    """Look up the other documents of a duplicate's cluster."""
    variant = fate.row["variant"]
    if fate.outcome == "kept" and fate.row.get("cluster_size", 1) > 1:
        cluster = json.dumps(fate.row["cluster_id"])
        about = pc.field("variant").isin([variant, BOTH]) & pc.match_substring(pc.field("evidence"), f'"cluster": {cluster}')
        rows = sorted(_rows(read_table, "rejected", _REJECTED, about), key=lambda row: row["id"])
        if variant in job.repositories:  # one row for each repository, not for each of its files
            rows = list({(row["source"], row["repo"]): row | {"path": ""} for row in rows}.values())
        fate.stands_for = rows[:SHOWN]
    kept = fate.evidence.get("kept")
    if fate.outcome == "rejected" and isinstance(kept, dict) and isinstance(kept.get("id"), str):
        if "path" not in kept:  # a repository: its files were judged one by one after it was kept
            rows = _rows(read_table, f"corpora/{variant}", _KEPT, pc.field("cluster_id") == kept["id"])
            fate.favoured = Fate("kept", rows[0] | {"variant": variant}) if rows else None
            return
        own = pc.field("id") == kept["id"]
        fate.favoured = _fate(
            read_table, variant, kept["id"], _rows(read_table, "rejected", _REJECTED, own), _rows(read_table, "failed", _FAILED, own)
        )


def _limits(read_table: ReadTable, language: str) -> dict[str, float]:
    """The limit of each rule, where it is the same for all files of the language that the rule dropped."""
    table = read_table("rejected", ("rule", "limit"), (pc.field("language") == language) & pc.field("limit").is_valid())
    if not table.num_rows:
        return {}
    extremes = table.group_by("rule", use_threads=False).aggregate([("limit", "min"), ("limit", "max")]).to_pylist()
    return {row["rule"]: row["limit_min"] for row in extremes if row["limit_min"] == row["limit_max"]}


def _ambiguous(name: str, repos: list[str], job: Job) -> str:
    shown = ", ".join(f"{repo}/{name}" for repo in repos[:_NEAR_NAMES])
    return f"{len(repos):,} repositories have a {job.document} {name!r}; expected REPO/PATH, such as {shown}"


def _begun_by_several(name: str, found: list[tuple[str, str]], job: Job) -> str:
    shown = ", ".join("/".join(each) for each in found[:_NEAR_NAMES])
    return f"{name!r} is the beginning of {len(found):,} {job.document}s; expected more of it, or one of: {shown}"


def _not_found(read_table: ReadTable, name: str, job: Job) -> str:
    repos = set(_names(read_table, "repo", None))
    known = [(repo, path) for repo, path in _splits(name) if repo in repos]
    near = _near(name, [f"{repo}/{path}" for repo, _ in known for path in _names(read_table, "path", pc.field("repo") == repo)])
    if near:
        return f"no {job.document} {name!r} was read; near names: {', '.join(near)}"
    if known:
        return f"no {job.document} {name!r} was read; the repository {known[-1][0]!r} has none of a near name"
    near = [repo for wanted, _ in _splits(name) or [(name, "")] for repo in _near_beginnings(wanted, sorted(repos))]
    told = (
        f"repositories of near names: {', '.join(list(dict.fromkeys(near))[:_NEAR_NAMES])}"
        if near
        else f"{len(repos):,} repositories were read"
    )
    return f"no {job.document} {name!r} was read; expected REPO/PATH; {told}"


def _names(read_table: ReadTable, column: str, where: Any) -> list[str]:
    tables = [read_table(dataset, (column,), where) for dataset in _DROPPED_OR_NOT]
    return sorted({name for table in tables if table.num_rows for name in pc.unique(table[column]).to_pylist()})


def _near(name: str, names: list[str]) -> list[str]:
    """Names that look alike, those with the same last part first."""
    last = name.rsplit("/", 1)[-1]
    same = [each for each in names if each.rsplit("/", 1)[-1] == last]
    alike = difflib.get_close_matches(name, names[:_COMPARED_NAMES], n=_NEAR_NAMES)
    return list(dict.fromkeys([*difflib.get_close_matches(name, same, n=_NEAR_NAMES, cutoff=0.0), *alike]))[:_NEAR_NAMES]


def _near_beginnings(name: str, names: list[str]) -> list[str]:
    """Names that begin, or are, alike: a repository's name often ends in a version."""
    beginnings: dict[str, list[str]] = {}
    for each in names[:_COMPARED_NAMES]:
        beginnings.setdefault(each[: len(name)], []).append(each)
    alike = difflib.get_close_matches(name, beginnings, n=_NEAR_NAMES)
    return list(dict.fromkeys([*_near(name, names), *(each for beginning in alike for each in beginnings[beginning])]))
