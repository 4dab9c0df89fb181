"""CheckSyntax as a Beam transform: lists in, Outcome of lists out; two worker processes."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.records import Document, document_id
from beam_seed.syntax.transforms import CheckSyntax


def document(path: str, content: str, language: str = "Python") -> Document:
    return Document(document_id("s", "r", path), "s", "r", path, "", content, len(content), "", "", None, None, "", language)


DOCUMENTS = [
    *(document(f"good{index}.py", f"x = {index}\n") for index in range(40)),
    *(document(f"bad{index}.py", f"x = {index} )\n") for index in range(3)),
    document("grammar.y", ")", "Yacc"),
    document("macro.c", "/* " + "x" * 500 + " */\nint a b c;\n", "C"),
]


def paths(records) -> list[str]:
    return sorted(record.path for record in records)


def test_lists_in_and_an_outcome_of_lists_out():
    outcome = DOCUMENTS | CheckSyntax()
    assert paths(outcome.rejected) == ["bad0.py", "bad1.py", "bad2.py"]
    assert {(record.stage, record.rule, record.limit) for record in outcome.rejected} == {("syntax", "syntax-error", 0.0)}
    assert outcome.failed == []
    assert paths([*outcome.kept, *outcome.rejected]) == paths(DOCUMENTS)


def test_limits_of_the_user_go_before_the_table():
    outcome = DOCUMENTS | CheckSyntax(limits={"C": 0.0, "Python": 1.0})
    assert paths(outcome.rejected) == ["macro.c"]


def test_two_worker_processes():
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create(DOCUMENTS) | CheckSyntax()
        rejected = outcome.rejected | "Paths of rejected" >> beam.Map(lambda record: record.path)
        kept = outcome.kept | beam.combiners.Count.Globally()
        failed = outcome.failed | "Count failed" >> beam.combiners.Count.Globally()
        assert_that(rejected, equal_to(["bad0.py", "bad1.py", "bad2.py"]), "rejected")
        assert_that(kept, equal_to([42]), "kept")
        assert_that(failed, equal_to([0]), "failed")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"Yacc": 0.1}, "limits has 'Yacc', which no grammar checks; expected one of Ada, Agda"),
        ({"Python": 1.5}, "the limit of Python is 1.5; expected a share of bytes from 0 to 1"),
        ({"Python": float("nan")}, "the limit of Python is nan"),
        ({"Python": -0.1}, "the limit of Python is -0.1"),
    ],
)
def test_bad_limits_are_refused_when_the_transform_is_made(limits, message):
    with pytest.raises(ValueError, match=message):
        CheckSyntax(limits)
