"""Beam wiring of training shards. What travels is small: tasks, paths, counts. Tokens lie in files, read where they are packed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton

from beam_seed import metrics, storage
from beam_seed.fim.split import FillInMiddle
from beam_seed.mixture.stage import Stage
from beam_seed.packing import pack_columns, unpack_columns
from beam_seed.shards.documents import TOKENISED, Chooser, Copy, batches, read_rows, tokenised
from beam_seed.shards.sequences import pack_group
from beam_seed.shards.spill import Spill, write_spill
from beam_seed.shards.tables import Measured, Plan, Table, Task, make_plan, measure, tasks
from beam_seed.shards.takedown import Tombstones
from beam_seed.shards.tokenizer import I32, ShardTokenizer
from beam_seed.shards.write import bucket_bits, buckets_of, described, write_shard
from beam_seed.statistics.collect import Statistics

Keyed = tuple[int, str]


class Tokenised(NamedTuple):
    """What :class:`TokenizeDocuments` returns."""

    spills: Any  # PCollection[(packing group, path)] of TOKENISED files
    plan: Any  # PCollection[Plan], one element
    tallies: Any  # PCollection[dict]: source, copies, tokens, skipped (reason -> rows), one for each task


@dataclass
class TokenizeDocuments(beam.PTransform):
    """Tables of a stage's sources to the documents it takes, tokenised, in files below ``folder``.

    tokenizer: folder of a tokenizer, see :class:`~beam_seed.shards.tokenizer.ShardTokenizer`. group_tokens: of a packing group, about.
    """

    stage: Stage
    tokenizer: str
    folder: str
    tombstones: Tombstones
    group_tokens: int

    def __post_init__(self) -> None:
        super().__init__()
        if self.group_tokens < self.stage.sequence_length:
            raise ValueError(f"group_tokens is {self.group_tokens}; expected at least a sequence, {self.stage.sequence_length}")

    def expand(self, tables: beam.PCollection[Table]) -> Tokenised:
        measured = tables | "Spread tables" >> beam.Reshuffle() | "Measure" >> beam.ParDo(_Measure(self.stage, self.tokenizer))
        listed = measured | "List tables" >> beam.combiners.ToList()
        plan = listed | "Plan" >> beam.Map(make_plan, self.stage, self.group_tokens)
        divided = measured | "Divide" >> beam.FlatMap(tasks, self.group_tokens) | "Spread tasks" >> beam.Reshuffle()
        work = _Tokenize(self.stage, self.tokenizer, self.folder, self.tombstones, self.group_tokens)
        done = divided | "Tokenize" >> beam.ParDo(work, AsSingleton(plan)).with_outputs("tally", main="spills")
        return Tokenised(done.spills, plan, done.tally)


class _WithTokenizer(beam.DoFn):
    def __init__(self, stage: Stage, tokenizer: str):
        self._stage = stage
        self._folder = tokenizer

    def setup(self) -> None:
        self._tokenizer = ShardTokenizer.load(self._folder)


class _Measure(_WithTokenizer):
    def process(self, table: Table) -> Iterator[Measured]:
        table = Table(*table)
        yield measure(table, self._stage.sources[table.source], self._tokenizer, self._stage.seed)


class _Tokenize(_WithTokenizer):
    """Tasks to (group, path); 'tally': what became of the rows."""

    def __init__(self, stage: Stage, tokenizer: str, folder: str, tombstones: Tombstones, group_tokens: int):
        super().__init__(stage, tokenizer)
        self._output = folder
        self._tombstones = tombstones
        self._group_tokens = group_tokens
        self._fim = FillInMiddle(stage.fim_rate, stage.fim_spm, stage.seed)

    def process(self, task: Task, plan: Plan) -> Iterator[Any]:
        (number, name, path), first, last = task
        factors, _, groups = plan
        source = self._stage.sources[name]
        chooser = Chooser(name, source, factors[name], self._stage.seed, self._fim, self._tombstones)
        skipped: Counter[str] = Counter()
        rows = read_rows(path, source, first, last, skipped)
        chosen = (copy for row in rows for copy in chooser.copies(row, skipped))
        tally = Counter[str]()
        for part, (taken, tokens) in enumerate(self._parts(chosen)):
            spilled = storage.join(self._output, f"{number:05d}-{first:09d}-{part:03d}.arrow")
            table, by_group = tokenised(taken, tokens, name, number, self._stage.seed, groups)
            for group in write_spill(spilled, table, by_group):
                yield group, spilled
            tally["copies"] += len(taken)
            tally["rows"] += sum(copy.epoch == 0 for copy in taken)
            tally["tokens"] += sum(map(len, tokens))
        metrics.count("tokenize", last - first, tally["rows"], skipped)
        told = {"source": name, "copies": tally["copies"], "tokens": tally["tokens"], "skipped": dict(skipped)}
        yield beam.pvalue.TaggedOutput("tally", told)

    def _parts(self, chosen: Iterator[Copy]) -> Iterator[tuple[list[Copy], list[I32]]]:
        """Copies without their texts, and their tokens: as many as are held in memory."""
        taken: list[Copy] = []
        tokens: list[I32] = []
        held = 0
        for batch in batches(chosen):
            with metrics.busy("tokenize"):
                encoded = self._tokenizer.encode([copy.text for copy in batch])
            taken += [copy._replace(row=copy.row._replace(text=""), text="") for copy in batch]
            tokens += encoded
            held += sum(map(len, encoded))
            if held >= self._group_tokens:
                yield taken, tokens
                taken, tokens, held = [], [], 0
        if taken:
            yield taken, tokens


class Sequences(NamedTuple):
    """What :class:`PackSequences` returns."""

    spills: Any  # PCollection[str]: paths of KEYED files
    counts: Any  # PCollection[bytes], one element: sequences of each bucket of the shuffle
    tallies: Any  # PCollection[dict]: documents, copies (source -> rows of one id), statistics


@dataclass
class PackSequences(beam.PTransform):
    """(group, path) of tokenised documents to packed sequences in files below ``folder``, by their place in the global shuffle."""

    sequence_length: int
    padding: int
    seed: int
    shards: int
    folder: str

    def expand(self, spills: beam.PCollection[Keyed]) -> Sequences:
        packed = spills | "By group" >> beam.GroupByKey() | "Pack" >> beam.ParDo(self._pack).with_outputs("tally", "counts", main="paths")
        counts = packed.counts | "Add up counts" >> beam.CombineGlobally(_add_counts, 1 << bucket_bits(self.shards))
        return Sequences(packed.paths, counts, packed.tally)

    def _pack(self, keyed: tuple[int, Iterable[str]]) -> Iterator[Any]:
        group, paths = keyed
        documents = pa.Table.from_batches([batch for path in sorted(paths) for batch in _read(path, group)], schema=TOKENISED)
        with metrics.busy("pack"):
            packed = pack_group(documents, self.sequence_length, self.padding, self.seed)
        metrics.count("pack", len(documents), len(packed.documents), {"same-id": sum(packed.copies.values())})
        bits = bucket_bits(self.shards)
        buckets = buckets_of(packed.sequences["key"].to_numpy(), bits)
        path = storage.join(self.folder, f"{group:07d}.arrow")
        write_spill(path, packed.sequences, buckets)
        statistics = Statistics()
        statistics.add(described(packed.documents))
        yield path
        yield beam.pvalue.TaggedOutput("counts", pack_columns(np.bincount(buckets, minlength=1 << bits).astype(np.uint64)))
        told = {"documents": len(packed.documents), "copies": packed.copies, "statistics": statistics.to_bytes()}
        yield beam.pvalue.TaggedOutput("tally", told)


def _read(path: str, group: int) -> list[Any]:
    spill = Spill(path)
    try:
        return spill.read(group)
    finally:
        spill.close()


def _add_counts(packed: Iterable[bytes], buckets: int) -> bytes:
    return pack_columns(unpack_columns(packed, buckets).sum(axis=0, dtype=np.uint64))


@dataclass
class WriteShards(beam.PTransform):
    """Packed sequences to (ShardFile, Counts) of each shard that is written below ``root``."""

    root: str
    shards: int
    sequence_length: int

    def expand(self, sequences: Sequences) -> Any:
        return (
            sequences.counts.pipeline
            | "Shards" >> beam.Create(range(self.shards))
            | "Spread shards" >> beam.Reshuffle()
            | "Write" >> beam.FlatMap(self._write, AsIter(sequences.spills), AsSingleton(sequences.counts))
        )

    def _write(self, shard: int, spills: Iterable[str], counts: bytes) -> Iterator[Any]:
        each = unpack_columns([counts], 1 << bucket_bits(self.shards)).reshape(-1).tolist()
        written = write_shard(self.root, shard, self.shards, sorted(spills), each, self.sequence_length)
        if written is not None:
            yield written
