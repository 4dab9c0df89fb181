"""Language detection as a filter."""

from __future__ import annotations

import json

from beam_seed.languages.detect import detect, extension_of
from beam_seed.records import Document, Judgement, reject

STAGE = "language"


def judge_languages(documents: list[Document]) -> list[Judgement]:
    """One judgement for each document, in order: the document with ``language`` filled in, or Rejected.

    The only rule is ``unsupported-language``; its evidence names the file's last extension ('' for none) and how it was judged.
    """
    return [_judge(document) for document in documents]


def _judge(document: Document) -> Judgement:
    detection = detect(document.path, document.content)
    if detection.language is not None:
        return document._replace(language=detection.language)
    evidence = {"extension": extension_of(document.path), "how": detection.how}
    return reject(document, STAGE, "unsupported-language", evidence=json.dumps(evidence, sort_keys=True))
