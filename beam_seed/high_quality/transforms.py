"""Beam wiring of high-quality mining. Draws, addresses and figures travel between workers; text is read where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam import coders
from apache_beam.pvalue import AsMultiMap, AsSingleton

from beam_seed import storage
from beam_seed.curation.datasets import write_table
from beam_seed.high_quality import draw, mine, roles, tables
from beam_seed.high_quality.mine import Count, Miner
from beam_seed.high_quality.sources import Source, load_sources
from beam_seed.high_quality.tables import Table
from beam_seed.high_quality.text import TextFormat
from beam_seed.packing import pack_columns, pack_table, split_by, unpack_columns, unpack_tables
from beam_seed.quality.threshold import ScoreHistogram
from beam_seed.quality.transforms import CountScores

coders.registry.register_row(Table)

KeyedBytes = tuple[int, bytes]

_PARTITIONS = 16  # of the digests of what is selected


@dataclass
class MeasureFiles(beam.PTransform):
    """Tables to the same tables, once ``measures/`` under ``root`` holds MEASURES of their rows. seed: of draws and parts."""

    root: str
    seed: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, files: Any) -> Any:
        return files | "To measure" >> beam.Reshuffle() | "Measure" >> beam.Map(_measure, self.root, self.seed).with_output_types(Table)


def _measure(table: Table, root: str, seed: int) -> Table:
    tables.write_measures(Table(*table), root, seed)
    return table


@dataclass
class FindLimits(beam.PTransform):
    """Measured tables to one ``roles.Limits``: the qualities that the sources' shares come to in each language."""

    root: str
    sources: Sequence[Source] = field(default_factory=load_sources)

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, measured: Any) -> Any:
        weights = measured | "Weigh" >> beam.FlatMap(_weights, self.root)
        histogram = weights | "Count scores" >> beam.CombineGlobally(CountScores())
        return histogram | "Limits" >> beam.Map(lambda packed: roles.limits(ScoreHistogram.from_bytes(packed), self.sources))


def _weights(table: Table, root: str) -> Iterator[tuple[str, int, float | None]]:
    return tables.weights(Table(*table), root)


@dataclass
class MineRound(beam.PTransform):
    """Measured tables to the figures of one round, one dictionary for each source (see ``mine.mine`` and ``mine.judged``).

    Leaves ``models/SOURCE/round-N/``, ``seeds/SOURCE/round-N.parquet`` (what was learnt and tested on) and ``predictions/round-N/``.
    limits: one element, of FindLimits. before: the figures of round N - 1; None for round 1. Models train on one machine each, on what
    was drawn; they read the corpus where its tables lie.
    """

    root: str
    number: int
    limits: Any
    before: Any = None
    sources: Sequence[Source] = field(default_factory=load_sources)
    text: TextFormat = field(default_factory=TextFormat)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        if self.number < 1 or (self.number > 1) != (self.before is not None):
            raise ValueError(f"round {self.number} was given {'no ' if self.before is None else ''}round before it; expected one but for 1")

    # Reshuffles for the reason that is told in curation/duplicate_transforms: consumers of one collection that meet again further down.
    def expand(self, measured: Any) -> Any:
        limits = AsSingleton(self.limits)
        drawn = measured | "To draw" >> beam.Reshuffle() | "Draw" >> beam.Map(_draw, self, limits, AsSingleton(self._asked(measured)))
        settled = (
            drawn
            | "Merge draws" >> beam.CombineGlobally(_MergeDraws(self.sources))
            | "Settle" >> beam.FlatMap(_settle, self.sources).with_outputs("plans", main="drawn")
        )
        lines = AsMultiMap(settled.drawn)
        written = measured | "To take lines" >> beam.Reshuffle() | "Write lines" >> beam.Map(_write_lines, self, lines)
        ready = AsSingleton(written | "All lines" >> beam.combiners.ToList())
        numbers = measured.pipeline | "Sources" >> beam.Create(list(range(len(self.sources))))
        trained = numbers | "Train" >> beam.Map(_train, self, AsSingleton(settled.plans), ready)
        figures = AsSingleton(trained | "All figures" >> beam.combiners.ToList())
        counts = measured | "To predict" >> beam.Reshuffle() | "Predict" >> beam.ParDo(_Predict(self), limits, figures)
        return counts | "Add up" >> beam.CombineGlobally(_add_counts) | "Judge" >> beam.FlatMap(_judge, self.sources, figures)

    def _asked(self, measured: Any) -> Any:
        if self.before is None:
            return measured.pipeline | "No round before" >> beam.Create([{}])
        return self.before | "List before" >> beam.combiners.ToList() | "By source" >> beam.Map(by_source)

    def __getstate__(self) -> dict[str, Any]:
        # What workers need of it: collections belong to the graph.
        return {name: getattr(self, name) for name in ("root", "number", "sources", "text", "seed")}


def by_source(figures: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The figures of one round, by the name of their source."""
    return {each["source"]: each for each in figures}


def _draw(table: Table, round_: MineRound, limits: roles.Limits, asked: roles.Asked) -> draw.Draws:
    return tables.draw(Table(*table), round_.root, round_.sources, limits, round_.number - 1, asked)


class _MergeDraws(beam.CombineFn):
    def __init__(self, sources: Sequence[Source]):
        self._sources = sources

    def create_accumulator(self) -> draw.Draws:
        return draw.Draws({}, {})

    def add_input(self, accumulator: draw.Draws, draws: draw.Draws) -> draw.Draws:
        return draw.merge([accumulator, draws], self._sources)

    def merge_accumulators(self, accumulators: Iterable[draw.Draws]) -> draw.Draws:
        return draw.merge(accumulators, self._sources)

    def extract_output(self, accumulator: draw.Draws) -> draw.Draws:
        return accumulator


def _settle(draws: draw.Draws, sources: Sequence[Source]) -> Iterator[Any]:
    parts, plans = draw.settle(draws, sources)
    for number, own in sorted(parts.items()):
        yield number, pack_table(pa.concat_tables(own))
    yield beam.pvalue.TaggedOutput("plans", plans)


def _write_lines(table: Table, round_: MineRound, drawn: Mapping[int, Iterable[bytes]]) -> int:
    own = unpack_tables(drawn[table.number], draw.DRAWN)
    tables.write_lines(Table(*table), round_.root, own, round_.text, round_.number)
    return table.number


def model_folder(root: str, source: str, number: int) -> str:
    return storage.join(root, "models", source, f"round-{number}")


def _train(number: int, round_: MineRound, plans: Sequence[Any], ready: Sequence[int]) -> dict[str, Any]:
    source = round_.sources[number]
    sample, files = tables.read_sample(round_.root, round_.number, number)
    write_table(storage.join(round_.root, "seeds", source.name, f"round-{round_.number}.parquet"), files)
    plan, folder = draw.Plan(*plans[number]), model_folder(round_.root, source.name, round_.number)
    return mine.mine(source, round_.number, sample, plan, round_.text, round_.seed, folder)


class _Predict(beam.DoFn):
    """Tables to source -> Count; a worker loads the round's models once."""

    def __init__(self, round_: MineRound):
        self._round = round_
        self._miners: dict[str, Miner] = {}

    def process(self, table: Table, limits: roles.Limits, figures: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Count]]:
        own = self._round
        for told in figures:
            if told["state"] == "trained" and told["source"] not in self._miners:
                self._miners[told["source"]] = mine.open_miner(model_folder(own.root, told["source"], own.number))
        yield tables.predict(Table(*table), own.root, own.sources, limits, self._miners, own.text, own.number)


def _add_counts(counts: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    total: dict[str, Count] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total[name].plus(count) if name in total else count
    return total


def _judge(counts: Mapping[str, Count], sources: Sequence[Source], figures: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    nothing = Count(0, 0, 0, np.zeros(mine.BINS, np.int64))
    told = by_source(figures)
    return (mine.judged(source, told[source.name], counts.get(source.name, nothing)) for source in sources)


@dataclass
class SelectFiles(beam.PTransform):
    """Measured tables to counts of what became of their files, once ``corpora/high_quality/`` holds the selected ones.

    limits: of FindLimits. rounds: the figures of each round, in order. schema: of the corpus, see ``tables.selected_schema``. A content
    that is selected more than once is kept where it comes first.
    """

    root: str
    limits: Any
    rounds: Sequence[Any]
    schema: pa.Schema
    sources: Sequence[Source] = field(default_factory=load_sources)

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, measured: Any) -> Any:
        limits = AsSingleton(self.limits)
        figures = [AsSingleton(each | f"List round {number}" >> beam.combiners.ToList()) for number, each in enumerate(self.rounds, 1)]
        chosen = (
            measured
            | "To select" >> beam.Reshuffle()
            | "Select" >> beam.FlatMap(_select, self.root, self.sources, limits, *figures).with_output_types(KeyedBytes)
        )
        copies = chosen | "Same contents" >> beam.GroupByKey() | "Find copies" >> beam.FlatMap(_copies).with_output_types(KeyedBytes)
        write = beam.Map(_write_selected, self.root, self.sources, self.schema, limits, AsMultiMap(copies))
        return measured | "To write" >> beam.Reshuffle() | "Write selected" >> write


def _select(table: Table, root: str, sources: Sequence[Source], limits: roles.Limits, *rounds: Any) -> Iterator[KeyedBytes]:
    table = Table(*table)
    chosen = tables.select(table, root, sources, limits, [by_source(figures) for figures in rounds])
    write_table(tables.dataset_path(root, "_work/chosen", table), chosen)
    # 128 bits of SHA-256: of 10^10 files two differ and agree here with a probability below 10^-18.
    digests = np.frombuffer(b"".join(digest[:16] for digest in chosen["digest"].to_pylist()), "<u8").reshape(-1, 2)
    rows = np.column_stack([digests, draw.addresses(table.number, chosen["row"].to_numpy())])
    for part, positions in split_by(digests[:, 0] % np.uint64(_PARTITIONS)):
        yield part, pack_columns(rows[positions])


def _copies(group: tuple[int, Iterable[bytes]]) -> Iterator[KeyedBytes]:
    """(table, packed rows) of the files whose content is that of a file before them."""
    rows = unpack_columns(group[1], 3)
    rows = rows[np.lexsort(rows.T[::-1])]
    later = rows[1:][(rows[1:, :2] == rows[:-1, :2]).all(axis=1)][:, 2]
    for table, positions in split_by(later >> np.uint64(draw.ROW_BITS)):
        yield table, pack_columns(later[positions] & np.uint64((1 << draw.ROW_BITS) - 1))


def _write_selected(
    table: Table, root: str, sources: Sequence[Source], schema: pa.Schema, limits: roles.Limits, copies: Mapping[int, Iterable[bytes]]
) -> dict[str, Any]:
    rows = unpack_columns(copies[table.number], 1)[:, 0].astype(np.int64)
    return tables.write_selected(Table(*table), root, sources, limits, schema, rows.tolist())
