"""Quality in a Beam pipeline: score documents by a model, and drop those with the lowest scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.transforms.window import GlobalWindows

from beam_seed.failures import check_share, limit_failures
from beam_seed.local_runner import local_processes
from beam_seed.outcome import Outcome
from beam_seed.quality.encoding import Encoder, Shapes, Tokens, batches
from beam_seed.quality.handler import Prediction, ScorerHandler
from beam_seed.quality.package import open_package
from beam_seed.quality.scorer import BATCH_TOKENS
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.records import Document, Rejected, fail, reject

STAGE = "quality"

MAX_FAILED_SHARE = 0.01
"""Of the documents, how many may have no score: some crash a tokenizer, but one in a hundred means a broken model or machine."""

K = TypeVar("K")


class CountScores(beam.CombineFn):
    """Combine (group, weight, score or None) into the bytes of a ``ScoreHistogram``."""

    def create_accumulator(self) -> ScoreHistogram:
        return ScoreHistogram()

    def add_input(self, histogram: ScoreHistogram, row: tuple[str, int, float | None]) -> ScoreHistogram:
        return self.add_inputs(histogram, [row])

    def add_inputs(self, histogram: ScoreHistogram, rows: Iterable[tuple[str, int, float | None]]) -> ScoreHistogram:
        grouped: dict[str, list[tuple[int, float | None]]] = {}
        for group, weight, score in rows:
            grouped.setdefault(group, []).append((weight, score))
        for group, found in grouped.items():
            histogram.add([score for _, score in found], [weight for weight, _ in found], group)
        return histogram

    def merge_accumulators(self, histograms: Iterable[ScoreHistogram]) -> ScoreHistogram:
        merged = ScoreHistogram()
        for histogram in histograms:
            merged.merge(histogram)
        return merged

    def extract_output(self, histogram: ScoreHistogram) -> bytes:
        return histogram.to_bytes()


@dataclass
class DropLowest(beam.PTransform):
    """Drop the lowest-scored share of a corpus: ``scored | DropLowest(0.10)`` with PCollection[(Document, score)] -> Outcome.

    A document is rejected when its score is below the threshold that ``ScoreHistogram.threshold`` finds over the whole input, so never more
    than ``share`` goes; ties at the threshold stay. A score of None is no score: such documents are kept. Both passes read the input, so a
    runner that materialises it (every runner, in front of a side input) holds the text: for large corpora filter where the text is read.
    Records with more fields than a Document, told by the input's type, are kept with them.
    """

    share: float = 0.10  # of the scored files or bytes, 0 <= share < 1
    by: Literal["files", "bytes"] = "files"  # what the share is a share of
    per: Literal["all", "language"] = "all"  # one threshold for everything, or one for each language

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"share is {self.share}; expected 0 <= share < 1, such as 0.1 for the lowest tenth")
        for name, value, known in (("by", self.by, ("files", "bytes")), ("per", self.per, ("all", "language"))):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; expected one of {known}")

    def expand(self, scored: beam.PCollection[tuple[Document, float | None]]) -> Outcome:
        histogram = scored | "Select scores" >> beam.Map(_row, self.by, self.per) | "Count scores" >> beam.CombineGlobally(CountScores())
        split = scored | "Compare with threshold" >> beam.ParDo(
            _drop_below, beam.pvalue.AsSingleton(histogram | "Find thresholds" >> beam.Map(_thresholds, self.share)), self.per
        ).with_output_types(_first(scored.element_type), rejected=Rejected).with_outputs("rejected", main="kept")
        nothing = scored | "Fail nothing" >> beam.FlatMap(lambda _: ())
        return Outcome(split.kept, split.rejected, nothing)


def _first(pair: Any) -> Any:
    return pair.tuple_types[0] if getattr(pair, "tuple_types", None) else Document


def _group(document: Document, per: str) -> str:
    return document.language if per == "language" else ""


def _row(scored: tuple[Document, float | None], by: str, per: str) -> tuple[str, int, float | None]:
    document, score = scored
    return _group(document, per), document.size if by == "bytes" else 1, score


def _thresholds(histogram: bytes, share: float) -> dict[str, float]:
    return ScoreHistogram.from_bytes(histogram).thresholds(share)


def _drop_below(scored: tuple[Document, float | None], thresholds: dict[str, float], per: str) -> Iterator[Any]:
    document, score = scored
    threshold = thresholds.get(_group(document, per))
    if score is None or threshold is None or score >= threshold:
        yield document
    else:
        yield beam.pvalue.TaggedOutput("rejected", reject(document, STAGE, "low-quality", score, threshold))


class Scores(NamedTuple):
    """What ``ScoreQuality`` returns: every key of its input is in exactly one of the two."""

    scores: Any  # PCollection[tuple[K, float]], each in [0, 1]
    failed: Any  # PCollection[tuple[K, Failed]]


@dataclass
class ScoreQuality(beam.PTransform, Generic[K]):
    """Score documents: PCollection[(K, Document)] -> Scores of PCollection[(K, float)] and PCollection[(K, Failed)].

    Text is turned into token ids (2 kB a document) where it is read and goes no further: no shuffle holds it. Documents are batched by
    length into a few fixed shapes, so scores do not depend on bundles, workers or neighbours. The job fails when more than
    ``max_failed_share`` of the documents cannot be scored. Bounded input in the global window only.
    """

    scorer: str = ""  # directory or gs:// prefix of a scorer, as it is seen by the workers; '' = the default scorer
    batch_tokens: int = BATCH_TOKENS  # tokens in a forward pass, padding included
    max_failed_share: float = MAX_FAILED_SHARE  # of the documents; 0 = fail on the first one, 1 = never fail
    accelerator: str = ""  # resource hint such as 'type:nvidia-l4;count:1;install-nvidia-driver'; '' = CPU
    model_copies: int = 1  # on one accelerator, for all processes of its machine; more keep it busy where the model is small
    updates: Any = None  # a singleton PCollection[ModelMetadata]: its model_id is another scorer of the same tokenizer and input format

    def __post_init__(self) -> None:
        if self.model_copies < 1:
            raise ValueError(f"model_copies is {self.model_copies}; expected at least 1")
        check_share(self.max_failed_share)
        if self.batch_tokens < 1:
            raise ValueError(f"batch_tokens is {self.batch_tokens}; expected at least the scorer's max_length, such as {BATCH_TOKENS}")

    def expand(self, documents: beam.PCollection[tuple[K, Document]]) -> Scores:
        if not documents.windowing.is_default():
            raise ValueError(f"the input has windowing {documents.windowing}; expected the global window: score windows one at a time")
        processes = local_processes(documents.pipeline.options)
        handler = ScorerHandler(self.scorer, self.batch_tokens, processes, bool(self.accelerator), self.model_copies)
        inference = RunInference(KeyedModelHandler(handler).with_no_batching(), model_metadata_pcoll=self.updates)
        encoded = documents | "Encode and batch" >> beam.ParDo(_EncodeAndBatch(self.scorer, self.batch_tokens)).with_outputs(
            "failed", main="batches"
        )
        if self.accelerator:
            # Reshuffles keep the steps before and after off the machines that have the accelerator.
            inference = inference.with_resource_hints(accelerator=self.accelerator)
            predictions = encoded.batches | beam.Reshuffle() | "Run inference" >> inference | "Leave accelerator" >> beam.Reshuffle()
        else:
            predictions = encoded.batches | "Run inference" >> inference
        split = predictions | "Split predictions" >> beam.ParDo(_split_prediction).with_outputs("failed", main="scores")
        failed = (encoded.failed, split.failed) | "Flatten failed" >> beam.Flatten()
        limit_failures(split.scores, failed, self.max_failed_share, "scored")
        return Scores(split.scores, failed)


class _EncodeAndBatch(beam.DoFn):
    # Enough that underfilled last batches cost 2 % of the computing; bounds what waits (8 MB of token ids at 512 tokens)
    # where a runner makes the whole input one bundle.
    MAX_WAITING = 4096

    def __init__(self, scorer: str, batch_tokens: int):
        self._scorer = scorer
        self._batch_tokens = batch_tokens

    def setup(self) -> None:
        package = open_package(self._scorer)
        self._encoder = Encoder(package.directory, package.input)
        self._shapes = Shapes(package.input.max_length, self._batch_tokens)

    def start_bundle(self) -> None:
        self._waiting: list[tuple[tuple[Any, Document], Tokens]] = []

    def process(self, keyed: tuple[Any, Document]) -> Iterator[Any]:
        key, document = keyed
        try:
            tokens = self._encoder.encode(document)
        except Exception as error:
            yield beam.pvalue.TaggedOutput("failed", (key, fail(document, STAGE, error)))
            return
        self._waiting.append(((key, document._replace(content="")), tokens))
        if len(self._waiting) >= self.MAX_WAITING:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[Any]:
        yield from map(GlobalWindows.windowed_value_at_end_of_window, self._flush())

    def _flush(self) -> Iterator[list[tuple[tuple[Any, Document], Tokens]]]:
        waiting, self._waiting = self._waiting, []
        for batch in batches([len(tokens) for _, tokens in waiting], self._shapes):
            yield [waiting[position] for position in batch]


def _split_prediction(keyed: tuple[tuple[Any, Document], Prediction]) -> Iterator[Any]:
    (key, document), prediction = keyed
    if isinstance(prediction, str):
        yield beam.pvalue.TaggedOutput("failed", (key, fail(document, STAGE, prediction)))
    else:
        yield key, prediction
