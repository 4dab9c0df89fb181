"""What each file is to each source in each round: of its pool, of its seed, found, a negative of some kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_seed.high_quality.imports import imports_any
from beam_seed.high_quality.measure import TRAINING
from beam_seed.high_quality.sources import Condition, Source
from beam_seed.quality.threshold import ScoreHistogram

Flags = npt.NDArray[np.bool_]
Limits = Mapping[str, Mapping[str, float]]
"""Share -> language -> the lowest quality of the files that are among this share of its language's with the highest."""

# What a file of the pool is, each one thing. LOW and FOUND are of the training part alone: the held-out parts stay as they are.
SEED, FOUND, LOW, BARE, RANDOM = range(5)
KINDS = ("seed", "found", "low", "bare", "random")

Asked = Mapping[str, Mapping[str, Any]]
"""Source -> figures of its last round, see ``mine.figures``: 'state' and 'threshold' are used."""


class Facts(NamedTuple):
    """MEASURES of one table, as arrays."""

    table: pa.Table
    quality: npt.NDArray[np.float32]  # NaN = unknown
    comments: npt.NDArray[np.float32]
    documented: npt.NDArray[np.float32]
    fold: npt.NDArray[np.int8]
    languages: list[str]

    @classmethod
    def of(cls, table: pa.Table) -> Facts:
        numbers = [table[name].to_numpy().astype(np.float32) for name in ("quality", "comment_share", "documented_share")]
        return cls(table, numbers[0], numbers[1], numbers[2], table["fold"].to_numpy(), table["language"].to_pylist())


def limits(histogram: ScoreHistogram, sources: Sequence[Source]) -> dict[str, dict[str, float]]:
    """The Limits that the sources' conditions need, of a histogram with a group for each language."""
    shares = {share for source in sources for share in source.shares}
    # Rounded, because 1 - 0.7 is not quite 0.3. Of share 0 no quality suffices.
    return {str(share): histogram.thresholds(round(1 - share, 9)) if share else {} for share in sorted(shares)}


def among_top(facts: Facts, share: float, given: Limits) -> Flags:
    """Which files are among this share of their language's with the highest quality; never one of unknown quality."""
    own = given[str(share)]
    return facts.quality >= np.array([own.get(language, np.inf) for language in facts.languages], np.float64)


def holds(condition: Condition, facts: Facts, given: Limits) -> Flags:
    """For which files a condition holds; a file that could not be measured meets none on comments."""
    found = np.ones(len(facts.languages), bool)
    if condition.languages:
        found &= np.isin(facts.languages, condition.languages)
    if condition.languages_not:
        found &= ~np.isin(facts.languages, condition.languages_not) & (np.array(facts.languages) != "")
    if condition.quality_top is not None:
        found &= among_top(facts, condition.quality_top, given)
    if condition.comment_share is not None:
        found &= facts.comments >= condition.comment_share
    if condition.documented_share is not None:
        found &= np.isnan(facts.documented) | (facts.documented >= condition.documented_share)
    if condition.imports or condition.paths:
        found[found] = _topic(condition, facts.table.filter(pa.array(found)))
    return found


def _topic(condition: Condition, table: pa.Table) -> list[bool]:
    wanted = frozenset(condition.imports)
    patterns = [re.compile(path, re.IGNORECASE) for path in condition.paths]
    imports, paths = table["imports"].to_pylist(), table["path"].to_pylist()
    return [
        imports_any(set(names.split("\n")), wanted) or any(pattern.search(path) for pattern in patterns)
        for names, path in zip(imports, paths, strict=True)
    ]


class Roles(NamedTuple):
    """What the files of a table are to one source; each array bool ``[files]``."""

    pool: Flags
    seed: Flags
    bare: Flags  # of the pool, quality as the seed's, without comments
    low: Flags  # of the pool, low quality
    good: Flags  # of the pool, quality that suffices to be found


def roles(source: Source, facts: Facts, given: Limits) -> Roles:
    """Works out the roles; they do not depend on any model."""
    pool = holds(source.pool, facts, given) & ~np.isnan(facts.comments)
    seed = pool & holds(source.seed, facts, given)
    well = among_top(facts, source.seed.quality_top, given) if source.seed.quality_top is not None else pool
    undocumented = np.isnan(facts.documented) | (facts.documented == 0)
    bare = pool & ~seed & well & (facts.comments <= source.bare_comment_share) & undocumented
    low = pool & ~seed & ~np.isnan(facts.quality) & ~among_top(facts, source.low_below_top, given)
    return Roles(pool, seed, bare, low, pool & among_top(facts, source.found_quality_top, given))


def recalled(source: Source, predictions: pa.Table | None, asked: Asked, count: int) -> Flags:
    """Which of ``count`` files the source's last model says yes to; none where it has no model that is used."""
    figures = asked.get(source.name)
    if predictions is None or figures is None or figures["state"] != "trained":
        return np.zeros(count, bool)
    return predictions[source.name].to_numpy().astype(np.float64) >= figures["threshold"]


def found(own: Roles, yes: Flags) -> Flags:
    """Which files a model that says ``yes`` has found: of sufficient quality, and neither of the seed nor bare."""
    return yes & own.good & ~own.seed & ~own.bare


def kinds(own: Roles, yes: Flags, fold: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The kind of each file, int8 ``[files]``; -1 outside of the pool.

    yes: what the model of the round before recalls; it changes kinds in the training part only.
    """
    kind = np.full(len(yes), -1, np.int8)
    kind[own.pool] = RANDOM
    kind[own.bare] = BARE
    learns = yes & (fold == TRAINING)
    kind[learns & own.low] = LOW
    kind[learns & found(own, yes)] = FOUND
    kind[own.seed] = SEED
    return kind
