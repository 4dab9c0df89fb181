"""What became of a file: where it stands in which sequence, or why it is in none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from beam_seed.long_context.job import ASSEMBLY, CHOICE, LENGTH, LONG_CONTEXT, PLACES, VARIANT
from beam_seed.report.why import Fate, ReadTable, Story, find

_OUTCOMES = {"documents": "kept", "rejected": "rejected", "failed": "failed"}
_DROPPED = ("size", "language", "variant", "stage", "rule", "measured", "limit", "evidence", "error")
_FUNNELS = {"repository": (CHOICE, ASSEMBLY), "file": (LENGTH,)}


def explain(read_table: ReadTable, name: str) -> list[Story]:
    """The stories of all files called ``name``: one as a file of its repository and one as a single file, where it was given as both.

    name: REPO/PATH, or PATH alone where one repository has it. Raises NotFoundError where no such file was read.
    """
    stories = find(read_table, name, LONG_CONTEXT, partial(_stories, read_table))
    return sorted(stories, key=lambda story: (story.who["source"], story.who["id"], list(story.fates)))


def _stories(read_table: ReadTable, names: Collection[tuple[str, str]]) -> list[Story]:
    if not names:
        return []
    repos, paths = (pa.array([each[part] for each in names], pa.string()) for part in (0, 1))
    where = pc.field("repo").isin(repos) & pc.field("path").isin(paths)
    columns = [*dict.fromkeys((*PLACES.names, *_DROPPED)), "shard"]
    found = [(outcome, row) for dataset, outcome in _OUTCOMES.items() for row in read_table(dataset, columns, where).to_pylist()]
    return [_story(outcome, row) for outcome, row in found if (row["repo"], row["path"]) in names]


def _story(outcome: str, row: dict[str, Any]) -> Story:
    # A row of rejected/ or failed/ tells by its file whether it was given in a repository.
    kind = row.get("kind") or ("file" if row["shard"].startswith("files-") else "repository")
    who = {name: row[name] for name in ("id", "source", "repo", "path")}
    fates = {"single file" if kind == "file" else "file of its repository": Fate(outcome, row | {"variant": VARIANT})}
    return Story(
        who, row if outcome == "kept" else {}, {"language": row["language"]}, fates, replace(LONG_CONTEXT, funnel=_FUNNELS[kind]), {}
    )
