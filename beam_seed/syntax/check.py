"""Syntax checks of batches of documents: measuring them in a parser process, and judging them by the limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from beam_seed.records import Document, Failed, Judgement, fail, reject
from beam_seed.syntax.grammars import grammars_of
from beam_seed.syntax.isolation import ParserFailure, ParserProcess
from beam_seed.syntax.limits import LIMITS
from beam_seed.syntax.measure import UNCHECKED, SyntaxMeasure

STAGE = "syntax"
RULE = "syntax-error"


def check_batch(
    documents: Sequence[Document], process: ParserProcess, limits: Mapping[str, float] = LIMITS
) -> list[SyntaxMeasure | Failed]:
    """Measure documents by their ``language``: one result for each, in the same order; Failed where the parser crashed or hung.

    ``limits`` has the limit of every language with a grammar: a document that meets it with one grammar is not tried with another.
    """
    checked = [index for index, document in enumerate(documents) if grammars_of(document.language)]
    # Lone surrogates, which UTF-8 cannot hold, become the three bytes that every grammar reads as invalid.
    files = [(d.content.encode("utf-8", "surrogatepass"), d.language, limits[d.language]) for d in (documents[index] for index in checked)]
    results: list[SyntaxMeasure | Failed] = [UNCHECKED] * len(documents)
    for index, measured in zip(checked, process.measure(files), strict=True):
        results[index] = fail(documents[index], STAGE, measured.error) if isinstance(measured, ParserFailure) else measured
    return results


def judge_syntax(documents: Sequence[Document], process: ParserProcess, limits: Mapping[str, float] = LIMITS) -> list[Judgement]:
    """Reject documents whose share of bytes under syntax errors is above their language's limit; languages without a grammar are kept."""
    results = check_batch(documents, process, limits)
    return [_judge(document, result, limits) for document, result in zip(documents, results, strict=True)]


class SyntaxJudge:
    """:func:`judge_syntax` as a judge that owns its parser process."""

    def __init__(self, limits: Mapping[str, float]):
        self._limits = limits
        self._process = ParserProcess()

    def __call__(self, documents: list[Document]) -> list[Judgement]:
        return judge_syntax(documents, self._process, self._limits)

    def close(self) -> None:
        self._process.close()


def _judge(document: Document, result: SyntaxMeasure | Failed, limits: Mapping[str, float]) -> Judgement:
    if isinstance(result, Failed):
        return result
    if result.error_share is None or result.error_share <= limits[document.language]:
        return document
    limit = limits[document.language]
    return reject(document, STAGE, RULE, result.error_share, limit, evidence(result))


def evidence(measured: SyntaxMeasure) -> str:
    """What a rejection says of the measurement, as JSON: the grammar, the bytes in error and where the first error is."""
    told = {"grammar": measured.grammar, "error_bytes": measured.error_bytes, "first_error": measured.first_error}
    return json.dumps(told, sort_keys=True)
