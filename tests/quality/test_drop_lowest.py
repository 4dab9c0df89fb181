import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.quality.transforms import DropLowest
from beam_seed.records import Document, document_id


def document(number: int, language: str = "Python", size: int = 10) -> Document:
    path = f"{number}.py"
    return Document(document_id("s", "r", path), "s", "r", path, "", "x" * size, size, "0" * 64, "", None, None, "", language)


def scored(count: int = 100) -> list[tuple[Document, float | None]]:
    scores = np.random.default_rng(1).permutation(count) / count
    return [(document(n, "Python" if n % 2 else "Go", 1 + n % 7), float(score)) for n, score in enumerate(scores)]


def test_lowest_tenth_goes_with_its_measurement():
    rows = scored()
    outcome = rows | DropLowest(0.10)
    assert {r.path for r in outcome.rejected} == {d.path for d, score in rows if score < 0.1}
    assert {d.path for d in outcome.kept} | {r.path for r in outcome.rejected} == {d.path for d, _ in rows}
    assert len(outcome.kept) + len(outcome.rejected) == len(rows)
    assert outcome.failed == []
    assert all(r.rule == "low-quality" and r.stage == "quality" and r.measured < r.limit <= 0.1 for r in outcome.rejected)


def test_share_of_bytes():
    rows = scored()
    total = sum(d.size for d, _ in rows)
    dropped = sum(r.size for r in (rows | DropLowest(0.25, by="bytes")).rejected)
    assert 0.25 * total - 7 < dropped <= 0.25 * total


def test_each_language_has_its_own_threshold():
    rows = [(document(n, "Go"), 0.1 + n / 1000) for n in range(10)] + [(document(n, "C"), 0.8 + n / 1000) for n in range(10, 20)]
    outcome = rows | DropLowest(0.1, per="language")
    assert sorted(r.language for r in outcome.rejected) == ["C", "Go"]


def test_missing_scores_and_empty_input_are_kept():
    rows = [(document(n), None) for n in range(3)] + [(document(n), n / 10) for n in range(4, 8)]
    outcome = rows | DropLowest(0.5)
    assert [d.path for d in outcome.kept if d.path in {"0.py", "1.py", "2.py"}] == ["0.py", "1.py", "2.py"]
    assert {r.path for r in outcome.rejected} == {"4.py", "5.py"}
    assert [] | DropLowest(0.5) == ([], [], [])


@pytest.mark.parametrize("parameters", [{"share": 1.0}, {"share": -0.1}, {"by": "lines"}, {"per": "repo"}])
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match="expected"):
        DropLowest(**parameters)


def test_across_processes():
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    rows = scored(40)
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create(rows) | DropLowest(0.25, per="language")
        dropped = outcome.rejected | beam.Map(lambda r: r.path)
        assert_that(dropped, equal_to([r.path for r in (rows | "Again" >> DropLowest(0.25, per="language")).rejected]))
