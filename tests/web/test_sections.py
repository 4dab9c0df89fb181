from __future__ import annotations

import pytest

from beam_seed.report.tally import UNIT_BINS, Key, Slice, Tally
from beam_seed.web.categories import load_table
from beam_seed.web.sections import web_sections


def part(files, score=None, limit=None):
    units = {} if score is None else {int(score * UNIT_BINS): files}
    return Slice(files, units=units, unit_sum=0 if score is None else int(files * score * 2**30), limit_low=limit, limit_high=limit)


def tally(**categories):
    """Category -> (kept, low, unsampled) slices."""
    made = Tally()
    for name, (kept, low, unsampled) in categories.items():
        made.slices[Key("web", "kept", "", "", name)] = kept
        made.slices[Key("web", "rejected", "quality", "low-quality", name)] = low
        made.slices[Key("web", "rejected", "sampling", "not-sampled", name)] = unsampled
    return made


def rows(section):
    return {row[0]: dict(zip(section.header, row, strict=True)) for row in section.rows}


BIASED = tally(e_commerce=(part(10, 0.9), part(30, 0.85, 0.88), part(20, 0.3, 0.33)), forum=(part(30, 0.3), part(10, 0.2, 0.25), Slice()))


def test_nothing_to_tell_of_an_empty_run():
    assert web_sections(Tally(), load_table()) == []


def test_the_mix_before_and_after():
    _, mix = web_sections(BIASED, load_table())
    found = rows(mix)
    assert {name: (row["Pages"], row["Dropped"], row["Kept"]) for name, row in found.items()} == {
        "e commerce": (60, 30, 10),
        "forum": (40, 10, 30),
    }
    assert (found["e commerce"]["Before"], found["forum"]["After"]) == (0.6, 0.75)
    assert found["forum"]["Rate"] == load_table().policies["forum"].sampling_rate


def test_one_threshold_for_all_drops_the_lowest_of_all():
    # Forty are dropped in all: of one list, all forty of the forum, which has the lowest scores.
    found = rows(web_sections(BIASED, load_table())[1])
    assert found["forum"]["One threshold"] == pytest.approx(0)
    assert found["e commerce"]["One threshold"] == pytest.approx(1)


def test_scores_are_drawn_with_the_threshold():
    scores, _ = web_sections(BIASED, load_table())
    plots = {plot.caption: plot for plot in scores.plots}
    assert set(plots) == {"e commerce", "forum"}
    histogram = plots["forum"].data
    assert (sum(histogram["kept"]), sum(histogram["dropped"]), plots["forum"].limit) == (30, 10, 0.25)


def test_without_scores_there_is_no_plot_and_no_common_threshold():
    scores, mix = web_sections(tally(qa=(part(5), Slice(), Slice())), load_table())
    assert (scores.text, scores.plots) == ("Nothing was scored.", [])
    assert rows(mix)["qa"]["One threshold"] is None


def test_solved_rates_are_told():
    table = load_table()._replace(target_mix={"forum": 1.0})
    _, mix = web_sections(BIASED, table)
    assert "forum 100%" in mix.text
    assert (rows(mix)["forum"]["Rate"], rows(mix)["e commerce"]["Rate"]) == (1.0, 0.33)
