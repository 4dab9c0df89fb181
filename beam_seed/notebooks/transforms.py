"""Rendering notebooks as a step of a Beam pipeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_seed.judge import Judge
from beam_seed.notebooks.render import LANGUAGE, NotANotebookError, render
from beam_seed.outcome import Outcome, filter_documents
from beam_seed.records import Document, Judgement, make_document, reject

STAGE = "notebooks"
SUFFIX = ".ipynb"


def is_notebook(document: Any) -> bool:
    """Whether a document, or what was told of one, is a notebook by its name."""
    return bool(document.path.lower().endswith(SUFFIX))


@dataclass
class RenderNotebooks(beam.PTransform):
    """Documents that hold ``.ipynb`` JSON to the same documents with their text, see :mod:`beam_seed.notebooks.render`.

    Rejected by the rules 'invalid-json', 'not-a-notebook', 'too-many-cells', 'no-code'. Id, path and provenance stay; content, size,
    digest and language ('Jupyter Notebook') are the text's.
    """

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, documents: Any) -> Outcome:
        return filter_documents(documents, _make_judge, STAGE)


def _make_judge() -> Judge:
    return judge


def judge(documents: Sequence[Document]) -> list[Judgement]:
    """Render a batch."""
    return [_judge_one(document) for document in documents]


def _judge_one(document: Document) -> Judgement:
    try:
        text = render(document.content).text
    except NotANotebookError as error:
        return reject(document, STAGE, error.rule, evidence=json.dumps({"found": str(error)[:300]}))
    made = make_document(document.repo, document.path, text)
    return document._replace(content=text, size=made.size, sha256=made.sha256, language=LANGUAGE)
