import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_seed.judge import judge_all
from beam_seed.languages.judge import judge_languages
from beam_seed.languages.table import render
from beam_seed.languages.transforms import DetectLanguage
from beam_seed.records import Document

DOCS = Path(__file__).parents[2] / "docs" / "languages.md"


def document(path, content):
    return Document(path, "source", "repo", path, "", content, len(content), "0" * 64, "", None, None, "", "")


PYTHON = document("a/tool.py", "print(1)\n")
SCRIPT = document("bin/tool", "#!/bin/sh\necho 1\n")
TRANSLATION = document("de.TS", '<?xml version="1.0"?>\n<TS></TS>\n')
TEXT = document("NOTES", "words\n")


def test_judge_fills_in_the_language_or_rejects_in_order():
    judgements = judge_languages([TEXT, PYTHON, TRANSLATION, SCRIPT])
    assert judgements[1] == PYTHON._replace(language="Python")
    assert judgements[3] == SCRIPT._replace(language="Shell")
    assert [(judgements[i].id, judgements[i].stage, judgements[i].rule) for i in (0, 2)] == [
        ("NOTES", "language", "unsupported-language"),
        ("de.TS", "language", "unsupported-language"),
    ]
    assert [json.loads(judgements[i].evidence) for i in (0, 2)] == [
        {"extension": "", "how": "extension"},
        {"extension": ".ts", "how": "content"},
    ]
    assert (judgements[0].measured, judgements[0].limit) == (None, None)


def test_a_language_filled_in_before_is_replaced():
    assert judge_languages([PYTHON._replace(language="Perl")])[0].language == "Python"


def test_a_document_without_content_costs_only_itself():
    broken = PYTHON._replace(path=None)
    judgements = judge_all(judge_languages, [PYTHON, broken, SCRIPT], "language")
    assert [type(judgement).__name__ for judgement in judgements] == ["Document", "Failed", "Document"]


def test_transform_on_lists():
    outcome = [TEXT, PYTHON, TRANSLATION, SCRIPT] | DetectLanguage()
    assert {(kept.id, kept.language) for kept in outcome.kept} == {("a/tool.py", "Python"), ("bin/tool", "Shell")}
    assert {rejected.id for rejected in outcome.rejected} == {"NOTES", "de.TS"}
    assert list(outcome.failed) == []


def test_transform_across_processes():
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"])
    with beam.Pipeline(options=options) as pipeline:
        outcome = pipeline | beam.Create([TEXT, PYTHON, SCRIPT]) | DetectLanguage()
        assert_that(outcome.kept | beam.Map(lambda kept: kept.language), equal_to(["Python", "Shell"]))
        assert_that(outcome.rejected | "Id" >> beam.Map(lambda rejected: rejected.id), equal_to(["NOTES"]), label="Rejected")


def test_table_in_the_documentation_is_up_to_date():
    assert DOCS.read_text() == render(), "run: python -m beam_seed.languages.table > docs/languages.md"


@pytest.mark.parametrize("line", [line for line in render().splitlines() if line.startswith("| ")])
def test_table_rows_have_five_cells(line):
    assert len(line.replace("\\|", "").split("|")) == 7
