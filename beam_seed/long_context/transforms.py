"""Beam transforms of long documents. What is grouped is where a repository's files lie; text is read by the worker that assembles it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import coders
from apache_beam.pvalue import AsSingleton

from beam_seed.commits.tokens import token_counter
from beam_seed.long_context.assemble import Assembly, CodeFile, LongSequence, assemble
from beam_seed.long_context.choose import Choice, failure, judge
from beam_seed.long_context.tables import Place, Repository, Turned, gather, survey
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.quality.transforms import CountScores
from beam_seed.records import Document, Failed
from beam_seed.syntax.isolation import ParserProcess

for _record in (Place, LongSequence):
    coders.registry.register_row(_record)


class Sequences(NamedTuple):
    """The outputs of :class:`AssembleRepositories`: every repository is in one of the two."""

    sequences: Any  # PCollection[LongSequence]
    failed: Any  # PCollection[Failed], path ''


@dataclass
class AssembleRepositories(beam.PTransform):
    """(repository, its documents) to sequences: in the order of dependencies, cut into sub-graphs of at most ``budget`` tokens, formatted.

    order: 'topological', 'random' or 'path'. tokenizer: path of a ``tokenizer.json`` that tokens are counted with, '' to estimate them.
    Documents need ``language`` filled in. Raises ValueError for an unknown order, a budget below 1 or what is no tokenizer.
    """

    order: str = "topological"
    budget: int = 32_768
    tokenizer: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._assembly = Assembly(self.order, self.budget)
        token_counter(self.tokenizer)

    def expand(self, repositories: Any) -> Sequences:
        split = repositories | "Assemble" >> beam.ParDo(_Assemble(self._assembly, self.tokenizer)).with_output_types(
            LongSequence, failed=Failed
        ).with_outputs("failed", main="sequences")
        return Sequences(split.sequences, split.failed)


class _Assemble(beam.DoFn):
    def __init__(self, assembly: Assembly, tokenizer: str):
        self._assembly, self._tokenizer = assembly, tokenizer

    def setup(self) -> None:
        self._process = ParserProcess()

    def teardown(self) -> None:
        self._process.close()

    def process(self, element: tuple[str, Iterable[Document]]) -> Iterator[Any]:
        repo, documents = element
        files = [code_file(document) for document in documents]
        if not files:
            return
        try:
            yield from assemble(repo, files, self._process, self._assembly, token_counter(self._tokenizer)).sequences
        except Exception as error:
            yield beam.pvalue.TaggedOutput("failed", failure(repo, files[0].source, sum(document.size for document in documents), error))


def code_file(document: Document) -> CodeFile:
    """A document as a file without a score."""
    return CodeFile(document.id, document.source, document.repo, document.path, document.content, document.language, document.license, None)


class Chosen(NamedTuple):
    """The outputs of :class:`ChooseRepositories`."""

    buckets: Any  # PCollection[tuple[int, {'kept': Iterable[Repository], 'rejected': Iterable[Turned]}]], each for one worker
    buckets_in_all: Any  # PCollection[int], one element
    threshold: Any  # PCollection[float | None], one element


@dataclass
class ChooseRepositories(beam.PTransform):
    """Paths of Parquet tables to the repositories in them, judged by their files' mean quality and spread over buckets.

    A bucket has about ``bucket_bytes`` of text that is kept. Rows of one repository that is kept come together whichever tables hold them;
    those of one that is not are apart, table by table: nothing is made of them.
    """

    choice: Choice = field(default_factory=Choice)
    bucket_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, tables: Any) -> Chosen:
        repositories = (
            tables
            | "Spread tables" >> beam.Reshuffle()
            | "Survey" >> beam.FlatMap(survey).with_output_types(tuple[str, Place])
            | "By repository" >> beam.GroupByKey()
            | "Gather" >> beam.MapTuple(gather)
        )
        histogram = (
            repositories
            | "Mean qualities" >> beam.FlatMap(_scores, self.choice).with_output_types(tuple[str, int, float | None])
            | "Count scores" >> beam.CombineGlobally(CountScores())
        )
        threshold = histogram | "Find threshold" >> beam.Map(_threshold, self.choice.drop_lowest)
        judged = repositories | "Choose" >> beam.FlatMap(_choose, self.choice, AsSingleton(threshold)).with_outputs("rejected", main="kept")
        sizes = judged.kept | "Sizes" >> beam.Map(lambda repository: repository.size) | "Add up" >> beam.CombineGlobally(sum)
        count = sizes | "Count buckets" >> beam.Map(lambda size: max(1, -(-size // self.bucket_bytes)))
        keyed = {
            "kept": judged.kept | "Key" >> beam.Map(_keyed, AsSingleton(count)),
            "rejected": judged.rejected | "Key rejected" >> beam.Map(_keyed_apart, AsSingleton(count)),
        }
        return Chosen(keyed | "Fill buckets" >> beam.CoGroupByKey(), count, threshold)


def _scores(repository: Repository, choice: Choice) -> list[tuple[str, int, float | None]]:
    return [("", 1, repository.quality)] if choice.by_quality and repository.repo else []


def _threshold(histogram: bytes, drop_lowest: float) -> float | None:
    return ScoreHistogram.from_bytes(histogram).thresholds(drop_lowest).get("")


def _choose(repository: Repository, choice: Choice, threshold: float | None) -> Iterator[Any]:
    rejected = judge(repository, choice, threshold)
    if rejected is None:
        yield repository
        return
    for number, place in enumerate(repository.places):
        yield beam.pvalue.TaggedOutput("rejected", Turned(repository._replace(places=[place]), rejected, number))


def _keyed(repository: Repository, buckets: int) -> tuple[int, Any]:
    return _bucket(repository.repo, buckets), repository


def _keyed_apart(turned: Turned, buckets: int) -> tuple[int, Any]:
    return _bucket("\0".join((turned.repository.repo, turned.repository.places[0][0])), buckets), turned


def _bucket(name: str, buckets: int) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets
