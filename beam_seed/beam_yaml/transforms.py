"""The transforms of ``provider.yaml``: rows in, named outputs of rows, parameters that YAML can hold. Nothing but wiring."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import apache_beam as beam
from apache_beam import coders

from beam_seed.decontamination import transforms as decontamination
from beam_seed.exact_dedup import transforms as exact_dedup
from beam_seed.fim import transforms as fim
from beam_seed.languages import transforms as languages
from beam_seed.long_context import transforms as long_context
from beam_seed.near_dedup import transforms as near_dedup
from beam_seed.notebooks import transforms as notebooks
from beam_seed.outcome import Outcome
from beam_seed.quality import transforms as quality
from beam_seed.records import Document, Failed, make_document
from beam_seed.rules import transforms as rules
from beam_seed.sources import transforms as sources
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import load_metadata
from beam_seed.sources.units import Unit, distinct_names, list_units
from beam_seed.syntax import transforms as syntax


class Scored(NamedTuple):
    """A Document and its quality, in [0, 1]."""

    id: str
    source: str
    repo: str
    path: str
    revision: str
    content: str
    size: int
    sha256: str
    license: str
    stars: Optional[int]  # noqa: UP045 (see beam_seed.records)
    forks: Optional[int]  # noqa: UP045
    created: str
    language: str
    quality: float


coders.registry.register_row(Scored)

_NEEDED = ("repo", "path", "content")
_OPTIONAL = ("revision", "license", "stars", "forks", "created", "language")


def document_of(row: Any) -> Document:
    """A row of Beam YAML as a document; id, size and digest are worked out. Raises ValueError where a field that is needed is not there."""
    fields: Mapping[str, Any] = row._asdict()
    missing = [name for name in _NEEDED if fields.get(name) is None]
    if missing:
        raise ValueError(
            f"a row has {', '.join(missing)} empty or not at all, and the fields {', '.join(fields)}; "
            f"expected {', '.join(_NEEDED)}: name them with MapToFields"
        )
    document = make_document(*(fields[name] for name in _NEEDED), source=fields.get("source") or "")
    return document._replace(**{name: fields[name] for name in _OPTIONAL if fields.get(name) is not None})


class _Filter(beam.PTransform):
    """Rows of files through one of our filters."""

    def __init__(self, transform: beam.PTransform):
        super().__init__()
        self._transform = transform

    def expand(self, rows: Any) -> dict[str, Any]:
        documents = rows | "Rows to documents" >> beam.Map(document_of).with_output_types(Document)
        outcome: Outcome = documents | self._transform
        return outcome._asdict()


class ReadRepositories(beam.PTransform):
    """Files of repositories, archives and tables. input: folders, files or globs. metadata, columns: as of ``beam-seed github``."""

    def __init__(self, input: Sequence[str], metadata: str = "", columns: str = ""):  # noqa: A002
        super().__init__()
        self._patterns = [input] if isinstance(input, str) else list(input)
        self._transform = sources.ReadRepositories(columns=ColumnMap.parse(columns), metadata=load_metadata(metadata) if metadata else {})

    def expand(self, root: Any) -> dict[str, Any]:
        units = root | "Input" >> beam.Create([self._patterns], reshuffle=False) | "List" >> beam.FlatMap(_units).with_output_types(Unit)
        outcome: Outcome = units | "Spread" >> beam.Reshuffle() | self._transform
        return outcome._asdict()


def _units(patterns: Sequence[str]) -> list[Unit]:
    return distinct_names(unit for pattern in patterns for unit in list_units(pattern))


class DetectLanguage(_Filter):
    """Files in one of the 89 languages, their field ``language`` filled in."""

    def __init__(self) -> None:
        super().__init__(languages.DetectLanguage())


class ApplyRules(_Filter):
    """Files that the minimal rules leave."""

    def __init__(self) -> None:
        super().__init__(rules.ApplyRules())


class DeduplicateExact(_Filter):
    """One file of each content."""

    def __init__(self) -> None:
        super().__init__(exact_dedup.DeduplicateExact())


class DeduplicateNear(_Filter):
    """Files without near-duplicates of a kept one. threshold: Jaccard similarity of 5-token shingles."""

    def __init__(self, threshold: float = 0.7):
        super().__init__(near_dedup.DeduplicateNear(threshold))


class CheckSyntax(_Filter):
    """Files that parse."""

    def __init__(self) -> None:
        super().__init__(syntax.CheckSyntax())


class Decontaminate(_Filter):
    """Files that share no 10-gram of words with a benchmark. benchmarks: ``PATH`` or ``PATH:field+field``, one or a list."""

    def __init__(self, benchmarks: Sequence[str]):
        super().__init__(decontamination.Decontaminate([benchmarks] if isinstance(benchmarks, str) else list(benchmarks)))


class RenderNotebooks(_Filter):
    """``.ipynb`` files as their text and code."""

    def __init__(self) -> None:
        super().__init__(notebooks.RenderNotebooks())


class FillInTheMiddle(beam.PTransform):
    """Files with their content as it is trained on: escaped, and a share ``rate`` of them cut for fill-in-the-middle."""

    def __init__(self, rate: float = 0.5, spm: float = 1.0, seed: int = 0, epoch: int = 0):
        super().__init__()
        self._transform: beam.PTransform = fim.FillInTheMiddle(rate, spm, seed, epoch)

    def expand(self, rows: Any) -> Any:
        return rows | "Rows to documents" >> beam.Map(document_of).with_output_types(Document) | self._transform


class AssembleRepositories(beam.PTransform):
    """Outputs ``sequences`` of whole repositories, of at most ``budget`` tokens each, and ``failed``. order: topological, random or path.

    A repository's files come together in one worker, so this is for repositories that fit one; ``beam-seed long-context`` reads text where
    it lies.
    """

    def __init__(self, order: str = "topological", budget: int = 32_768, tokenizer: str = ""):
        super().__init__()
        self._transform = long_context.AssembleRepositories(order, budget, tokenizer)

    def expand(self, rows: Any) -> dict[str, Any]:
        documents = rows | "Rows to documents" >> beam.Map(document_of).with_output_types(Document)
        keyed = documents | "Key by repository" >> beam.Map(lambda document: (document.repo, document)).with_output_types(
            tuple[str, Document]
        )
        sequences: long_context.Sequences = keyed | "By repository" >> beam.GroupByKey() | self._transform
        return sequences._asdict()


class ScoreQuality(beam.PTransform):
    """Outputs ``scored``, rows with ``quality`` in [0, 1], and ``failed``. scorer: a directory, empty for the one that comes with us.

    accelerator: resource hint of the machines that score, such as 'type:nvidia-l4;count:1;install-nvidia-driver'.
    """

    def __init__(self, scorer: str = "", accelerator: str = ""):
        super().__init__()
        self._transform: beam.PTransform = quality.ScoreQuality(scorer, accelerator=accelerator)

    def expand(self, rows: Any) -> dict[str, Any]:
        documents = rows | "Rows to documents" >> beam.Map(document_of).with_output_types(Document)
        keyed = documents | "Key" >> beam.Map(lambda document: (document, document)).with_output_types(tuple[Document, Document])
        scores = keyed | self._transform
        return {
            "scored": scores.scores | "Add quality" >> beam.MapTuple(_scored).with_output_types(Scored),
            "failed": scores.failed | "Drop key" >> beam.MapTuple(lambda _, failed: failed).with_output_types(Failed),
        }


def _scored(document: Document, score: float) -> Scored:
    return Scored(*document, quality=score)


class DropLowest(beam.PTransform):
    """Rows of ``ScoreQuality`` without the lowest. share: of the files, or bytes. per: 'all', or 'language' for a threshold each."""

    def __init__(self, share: float = 0.10, by: str = "files", per: str = "all"):
        super().__init__()
        self._transform = quality.DropLowest(share, by, per)

    def expand(self, rows: Any) -> dict[str, Any]:
        pairs = rows | "Pair with quality" >> beam.Map(lambda row: (row, row.quality)).with_output_types(tuple[Scored, float])
        outcome: Outcome = pairs | self._transform
        return outcome._asdict()
