import html.parser
import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_seed.curation.job import GITHUB
from beam_seed.records import document_id
from beam_seed.report.build import build_report
from beam_seed.report.charts import candidate_curve, candidate_probability, histogram, unit_histogram
from beam_seed.report.render import render
from beam_seed.report.schema import Facts, Lsh, Report, Throughput
from beam_seed.report.tally import Tally, Total, totals
from beam_seed.report.text import byte_count, evidence, measure, one_line, percent, seconds, visible

unhurried = settings(max_examples=50, deadline=None)  # the machine may be busy

HOSTILE = [
    "<script>alert(1)</script>",
    '\'" onmouseover=alert(1) x="',
    "</style></title></pre><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe",
    "\x1b[31mred\x00",
    "&lt;b&gt;",
    "]]><!--",
]


class Page(html.parser.HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def facts(read, **more):
    job = replace(GITHUB, name=more.pop("job", "github"), funnel=("read", "rules"))
    named = {"job": job, "inputs": ["in"], "options": {}, "versions": {}, "duration": 1.0}
    return Facts(read=read, **(named | more))


def rejected(*rows):
    told = {
        "source": "s",
        "repo": "r",
        "size": 10,
        "language": "C",
        "variant": "both",
        "stage": "rules",
        "rule": "long-line",
        "measured": 5.0,
        "limit": 4.0,
        "evidence": "{}",
    }
    rows = [told | {"path": f"{number}.c"} | row for number, row in enumerate(rows)]
    return pa.Table.from_pylist([row | {"id": document_id(row["source"], row["repo"], row["path"])} for row in rows])


def kept(*rows):
    told = {"source": "s", "repo": "r", "size": 10, "language": "C", "cluster_size": 1, "quality": 0.5}
    rows = [told | {"path": f"kept-{number}.c"} | row for number, row in enumerate(rows)]
    rows = [row | {"id": document_id(row["source"], row["repo"], row["path"])} for row in rows]
    return pa.Table.from_pylist([{"cluster_id": row["id"]} | row for row in rows])


def only_rejected(*rows, **more):
    tally = Tally()
    table = rejected(*rows)
    tally.add_rejected(table)
    return build_report(tally, facts(totals(table), **more))


class TestReport:
    def test_an_empty_run(self):
        report = build_report(Tally(), facts(Total(), duration=0.0, inputs=[]))
        assert set(report) == set(Report.__annotations__) - {"document", "group", "sections", "cost"}
        page = render(report)
        assert "Nothing was dropped" in page
        assert "all 7 hold" in page
        json.dumps(report, allow_nan=False)

    def test_one_kept_file(self):
        tally = Tally()
        for variant in GITHUB.variants:
            tally.add_kept(variant, kept({}), variant in GITHUB.repositories)
        report = build_report(tally, facts(totals(kept({})), lsh=Lsh(21, 6, 0.7)))
        assert report["kept"] == {"file_level": {"files": 1, "bytes": 10}, "repo_level": {"files": 1, "bytes": 10}}
        assert report["score_table"][0]["quantiles"] == [0.51, 0.51, 0.51]
        assert report["languages"][0]["kept"]["repo_level"]["files"] == 1
        assert "1 file<" in render(report)

    def test_all_rejected(self):
        report = only_rejected({}, {"stage": "undeclared", "rule": "other", "measured": None, "limit": None})
        assert [(step["stage"], step["left"]["files"]) for step in report["funnel"]["repo_level"]] == [
            ("read", 2),
            ("rules", 1),
            ("undeclared", 0),
        ]
        assert "Nothing was scored" in render(report)

    def test_the_funnel_ends_at_what_is_kept(self):
        tally = Tally()
        tally.add_kept("file_level", kept({}, {"language": "Python"}))
        tally.add_kept("repo_level", kept({}, {"language": "Python"}))
        tally.add_rejected(rejected({}, {}, {"stage": "read"}))
        read = totals(pa.concat_tables([kept({}, {}).select(["id", "size"]), rejected({}, {}, {}).select(["id", "size"])]))
        report = build_report(tally, facts(read))
        for variant in ("file_level", "repo_level"):
            assert report["funnel"][variant][-1]["left"] == report["kept"][variant] == {"files": 2, "bytes": 20}
        assert all(invariant["holds"] for invariant in report["invariants"])

    def test_a_broken_invariant_is_shown_on_top(self):
        table = rejected({})
        tally = Tally()
        tally.add_rejected(table)
        page = render(build_report(tally, facts(Total(2, 20, 7))))
        assert "6 broken" in page
        assert '<div class="alarm">' in page

    def test_scores_of_kept_and_dropped(self):
        tally = Tally()
        tally.add_kept("file_level", kept(*({"quality": float(np.float32(q))} for q in (0.35, 0.5, 0.9))))
        tally.add_rejected(rejected({"stage": "quality", "rule": "low-quality", "measured": 0.1, "limit": 0.31}))
        report = build_report(tally, facts(Total(4, 40, 0)))
        scores = report["scores"]["file_level"]
        assert [(number, count) for number, count in enumerate(scores["kept"]) if count] == [(17, 1), (25, 1), (45, 1)]
        assert [(number, count) for number, count in enumerate(scores["dropped"]) if count] == [(5, 1)]
        row = report["score_table"][0]
        assert (row["files"], row["dropped"], row["limit"]) == (4, 1, 0.31)
        assert row["mean"] == pytest.approx((0.35 + 0.5 + 0.9 + 0.1) / 4, abs=1e-6)
        assert row["quantiles"][0] == pytest.approx(0.11)

    def test_similarities_of_near_duplicates(self):
        near = {"rule": "near-duplicate", "stage": "near_dedup", "limit": 0.7}
        report = only_rejected(
            {**near, "measured": 0.7},
            {**near, "measured": 1.0},
            {**near, "rule": "near-duplicate-repository", "measured": 0.8},
            lsh=Lsh(21, 6, 0.7),
        )
        jaccard = report["lsh"]["jaccard"]
        assert [number for number, count in enumerate(jaccard["near-duplicate"]) if count] == [35, 49]
        assert [number for number, count in enumerate(jaccard["near-duplicate-repository"]) if count] == [40]

    def test_equal_reports_give_equal_pages(self):
        options = {"lsh": Lsh(21, 6, 0.7), "throughput": [Throughput("read", 1.5, 10, 100), Throughput("measure", 0.0, 0, 0, True)]}
        assert render(only_rejected({}, **options)) == render(json.loads(json.dumps(only_rejected({}, **options))))


class TestHostileInput:
    def page(self, text):
        near = json.dumps({"kept": {"repo": text, "path": text}, text: text, "cluster": "c"})
        named = dict.fromkeys(("repo", "path", "source", "language", "stage", "rule", "content"), text)
        table = rejected(named | {"evidence": near})
        tally = Tally()
        tally.add_rejected(table)
        tally.add_failed(table.append_column("error", pa.array([f"ValueError: {text}"])))
        tally.add_kept("file_level", kept(dict.fromkeys(("repo", "path", "source", "language"), text) | {"cluster_size": 2}))
        return render(build_report(tally, facts(Total(), inputs=[text], options={text: text}, versions={text: text}, job=text)))

    @pytest.mark.parametrize("text", HOSTILE)
    def test_names_and_contents_are_only_text(self, text):
        page = self.page(text)
        hostile, harmless = Page(page), Page(self.page("Zq9"))
        assert sorted(hostile.tags) == sorted(harmless.tags)  # rules are sorted by name
        assert sorted(name for name, _ in hostile.attributes) == sorted(name for name, _ in harmless.attributes)
        assert "".join(hostile.text).count(visible(text)) == "".join(harmless.text).count("Zq9")
        assert not set(page) & {"\x1b", "\u202e", "\x00"}

    def test_lone_surrogates_from_evidence(self):
        page = render(only_rejected({"evidence": '{"kept": {"repo": "a", "path": "\\ud800.c"}}'}))
        page.encode()
        assert "a/\\ud800.c" in page

    @pytest.mark.parametrize("text", ["", "no json", "[1]", "null", "[" * 100_000, '{"kept": 1}', '{"a": {"b": [1, "x"]}}'])
    def test_evidence_of_any_form(self, text):
        assert "long-line" in render(only_rejected({"evidence": text}))

    def test_nothing_is_fetched_and_nothing_runs(self):
        page = render(only_rejected({}))
        assert "default-src 'none'" in page
        assert not re.search(r"https?://|@import|url\(|<script|<link|<iframe", page)


class TestCharts:
    @unhurried
    @given(st.integers(1, 60), st.integers(1, 20), st.floats(0, 1))
    def test_probability_is_that_of_independent_bands(self, bands, rows, similarity):
        missed = 1.0
        for _ in range(bands):
            missed *= 1 - similarity**rows
        assert candidate_probability(similarity, bands, rows) == pytest.approx(1 - missed, abs=1e-9)

    def test_curve_runs_from_none_to_all(self):
        curve = candidate_curve(21, 6)
        assert curve.startswith("M0 100.00L")
        assert curve.endswith("L100 0.00")

    def test_stacked_bars_reach_their_counts(self):
        chart = histogram({"kind": "log2", "first": 0, "kept": [1, 0, 3], "dropped": [0, 2, 1]})
        assert chart.top == 4
        assert chart.bars[0].title == "0 B: 1 kept, 0 dropped"
        assert chart.bars[2].title == "2 B to 4 B: 3 kept, 1 dropped"
        assert chart.paths[0] == "M0.00 100.00V75.00h30.00V100.00zM66.67 100.00V25.00h30.00V100.00z"
        assert "M66.67 25.00V0.00" in chart.paths[1]

    def test_counts_that_are_no_bytes(self):
        chart = histogram({"kind": "count", "first": 0, "kept": [1, 0, 3, 1], "dropped": [0] * 4})
        assert [bar.title.split(":")[0] for bar in chart.bars] == ["0 or 1", "2", "3 to 4", "5 to 8"]
        assert chart.labels == [(25.0, "1")]

    def test_an_empty_histogram(self):
        assert histogram({"kind": "log2", "first": 0, "kept": [], "dropped": []}).top == 0
        assert unit_histogram([[0] * 50], ["x"]).paths == [""]


class TestText:
    @pytest.mark.parametrize(
        ("value", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (123_456, "123 kB"), (999_999, "1 MB"), (2.5e12, "2.5 TB")]
    )
    def test_bytes(self, value, text):
        assert byte_count(value) == text

    @pytest.mark.parametrize(
        ("part", "whole", "text"),
        [(0, 0, "–"), (0, 5, "0 %"), (5, 5, "100 %"), (1, 3, "33.3 %"), (1, 10**6, "<0.1 %"), (10**6 - 1, 10**6, ">99.9 %")],
    )
    def test_percent(self, part, whole, text):
        assert percent(part, whole) == text

    @pytest.mark.parametrize(
        ("value", "text"), [(0, "0 s"), (0.123, "0.12 s"), (9.99, "10 s"), (59.7, "1 min 0 s"), (148.2, "2 min 28 s"), (11100, "3 h 5 min")]
    )
    def test_seconds(self, value, text):
        assert seconds(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, "–"), (float("nan"), "–"), (0.7, "0.7"), (0.87311, "0.8731"), (1.0, "1"), (123456.0, "123,456"), (12345.6, "12,346")],
    )
    def test_measure(self, value, text):
        assert measure(value) == text

    @unhurried
    @given(st.text(st.characters()))
    def test_visible_text_can_be_encoded_and_is_stable(self, text):
        shown = visible(text)
        shown.encode()
        assert visible(shown) == shown
        assert "\n" not in one_line(text)

    def test_evidence_names_the_twin(self):
        text = json.dumps({"kept": {"id": "x", "repo": "a/b", "path": "c.py"}, "cluster": "x", "n": 3})
        assert evidence(text) == [("kept", "a/b/c.py"), ("n", "3")]
