"""What the report shows of web pages alone: how categories are scored, and what thresholds and sampling make of their mix."""

from __future__ import annotations

from typing import NamedTuple

from beam_seed.report.schema import Histogram, Plot, Section
from beam_seed.report.tally import UNIT_BINS, Slice, Tally
from beam_seed.web.categories import NAMES, Table


class _Category(NamedTuple):
    """The pages of one category that deduplication left."""

    name: str
    kept: Slice
    low: Slice  # dropped for their score
    unsampled: Slice

    @property
    def passed(self) -> int:
        return self.kept.files + self.unsampled.files

    @property
    def reached(self) -> int:
        return self.passed + self.low.files


def web_sections(tally: Tally, table: Table) -> list[Section]:
    """The bias of the scorer, and its cure, from the run's tally alone."""
    found = [category for name in NAMES if (category := _category(tally, name)).reached]
    return [_scores(found), _mix(found, table)] if found else []


def _category(tally: Tally, name: str) -> _Category:
    parts = {"kept": Slice(), "low-quality": Slice(), "not-sampled": Slice()}
    for key, part in tally.slices.items():
        rule = "kept" if key.outcome == "kept" else key.rule
        if key.language == name and rule in parts:
            parts[rule].add(part)
    return _Category(name, *parts.values())


def _scores(found: list[_Category]) -> Section:
    # Pages that were not sampled leave the draw, not the score, as their measurement: kept ones are a fair sample of what passed.
    plots = [Plot(_words(each.name), _histogram(each), each.low.limit_high) for each in found if each.kept.units or each.low.units]
    text = (
        "Scores of the pages of each category that deduplication left, without those that were not sampled. A scorer likes some forms of "
        "page whatever they say, so each category has a threshold of its own: the dashed line."
    )
    return Section("Scores by form", text if plots else "Nothing was scored.", plots=plots)


def _histogram(each: _Category) -> Histogram:
    kept, low = ([part.units.get(number, 0) for number in range(UNIT_BINS)] for part in (each.kept, each.low))
    return {"kind": "unit", "first": 0, "kept": kept, "dropped": low}


_HEADER = (
    *("Category", "Pages", "Before", "%", "Mean score", "One threshold", "Under one threshold, %"),
    *("Threshold", "Dropped", "Rate", "Kept", "After", "After, %"),
)
_METERS = ("Before", "One threshold", "After")


def _mix(found: list[_Category], table: Table) -> Section:
    reached, kept = sum(each.reached for each in found), sum(each.kept.files for each in found)
    common = _under_one_threshold(found)
    rows = [_row(each, reached, kept, common.get(each.name), table) for each in found]
    text = (
        "The mix of categories among the pages that deduplication left, what one threshold for all would make of it (dropping as many "
        "pages for their score as the categories' own thresholds did), and the mix that their own thresholds and sampling rates made."
    )
    if table.target_mix:
        told = ", ".join(f"{_words(name)} {share:.0%}" for name, share in table.target_mix.items())
        text += f" The rates were solved for a target mix: {told}."
    return Section("The mix of categories", text, _HEADER, rows, meters=_METERS)


def _row(each: _Category, reached: int, kept: int, common: float | None, table: Table) -> tuple[str | float | None, ...]:
    before, after = each.reached / reached, each.kept.files / kept if kept else 0.0
    shares = [None if share is None else round(100 * share, 2) for share in (before, common, after)]
    return (
        *(_words(each.name), each.reached, before, shares[0], _mean(each), common, shares[1]),
        *(each.low.limit_high, each.low.files, _rate(each, table), each.kept.files, after, shares[2]),
    )


def _under_one_threshold(found: list[_Category]) -> dict[str, float]:
    """Share of each category if the lowest scores of all together had been dropped, as many as were; read off 50 bins.

    What of a category passed but was not sampled is taken to be scored like what was kept of it.
    """
    weights = {each.name: _weights(each) for each in found}
    if not all(weights.values()):
        return {}
    left = float(sum(each.low.files for each in found))
    kept = dict.fromkeys(weights, 0.0)
    for number in range(UNIT_BINS):
        here = {name: own[number] for name, own in weights.items()}
        whole = sum(here.values())
        dropped = min(left, whole)
        left -= dropped
        for name, count in here.items():
            kept[name] += count * (1 - dropped / whole) if whole else 0.0
    total = sum(kept.values())
    return {name: count / total for name, count in kept.items()} if total else {}


def _weights(each: _Category) -> list[float]:
    if not each.kept.units and not each.low.units:
        return []
    factor = each.passed / each.kept.files if each.kept.files else 0.0
    return [each.kept.units.get(number, 0) * factor + each.low.units.get(number, 0) for number in range(UNIT_BINS)]


def _mean(each: _Category) -> float | None:
    whole = Slice()
    whole.add(each.kept)
    whole.add(each.low)
    return whole.unit_mean


def _rate(each: _Category, table: Table) -> float | None:
    """The rate that was used; of a solved one, what the pages that it dropped were held against."""
    if not table.target_mix:
        return table.policies[each.name].sampling_rate
    return each.unsampled.limit_high if each.unsampled.files else 1.0


def _words(name: str) -> str:
    return name.replace("_", " ")
