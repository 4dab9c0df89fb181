"""Reading repositories and tables as a step of a Beam pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from beam_seed.outcome import Outcome, tagged
from beam_seed.records import Document, Failed, Rejected
from beam_seed.sources.columns import ColumnMap
from beam_seed.sources.metadata import MetadataIndex, RepoMetadata
from beam_seed.sources.read import read_unit
from beam_seed.sources.repository import Limits
from beam_seed.sources.table import read_table
from beam_seed.sources.units import Unit


class _ReadUnit(beam.DoFn):
    def __init__(self, limits: Limits, columns: ColumnMap, metadata: Mapping[str, RepoMetadata]):
        self._limits = limits
        self._columns = columns
        self._metadata = metadata

    def setup(self) -> None:
        self._index = MetadataIndex(self._metadata)

    def process(self, unit: Unit) -> Iterator[Any]:
        if unit.kind == "table":
            records = read_table(unit, self._columns, self._limits, self._index)
        else:
            records = read_unit(unit, self._limits, self._index)
        for record in records:
            yield tagged(record, record)


@dataclass
class ReadRepositories(beam.PTransform):
    """PCollection[Unit] (of ``units.list_units``) -> Outcome: every file of every repository and row of every table, once.

    Documents of one unit come in order of path where it is a repository, in order of the file where it is a table.
    """

    limits: Limits = field(default_factory=Limits)
    columns: ColumnMap = field(default_factory=ColumnMap)
    metadata: Mapping[str, RepoMetadata] = field(default_factory=dict)
    """Of ``metadata.load_metadata``: stars, forks, licence and date of repositories by name."""

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, units: Any) -> Outcome:
        read = beam.ParDo(_ReadUnit(self.limits, self.columns, self.metadata)).with_output_types(Document, rejected=Rejected, failed=Failed)
        split = units | "Read files" >> read.with_outputs("rejected", "failed", main="kept")
        return Outcome(split.kept, split.rejected, split.failed)
