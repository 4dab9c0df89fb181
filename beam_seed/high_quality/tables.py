"""What each step does with one table of the corpus: measures beside it, draws, lines to learn, predictions, the files selected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_seed import metrics, storage
from beam_seed.curation.datasets import read_groups, read_table, write_batches, write_table
from beam_seed.high_quality import mine
from beam_seed.high_quality.draw import DRAWN, Draws, addresses, limit_of
from beam_seed.high_quality.measure import MEASURES, draw_of, fold_of, measure
from beam_seed.high_quality.mine import Count, Miner, Sample
from beam_seed.high_quality.roles import Asked, Facts, Limits, found, kinds, recalled, roles
from beam_seed.high_quality.sources import Source
from beam_seed.high_quality.text import TextFormat
from beam_seed.labels.tables import document_of, read_rows
from beam_seed.records import Document
from beam_seed.web.relevance import score_lines

_PIECE = 1024  # files whose lines or measures are held at once


class Table(NamedTuple):
    """One input file of the corpus."""

    number: int
    path: str
    name: str  # of its files in the datasets of the run


def dataset_path(root: str, dataset: str, table: Table) -> str:
    return storage.join(root, *dataset.split("/"), table.name)


def predictions_of(round_number: int) -> str:
    """Dataset of what the models of a round say: a column for each source, float32, null outside of its pool."""
    return f"predictions/round-{round_number}"


def lines_of(round_number: int) -> str:
    """Dataset of what a round learns and is tested on, LINES."""
    return f"_work/lines/round-{round_number}"


LINES = pa.schema([*(DRAWN.field(name) for name in ("source", "kind", "fold", "draw")), ("id", pa.string()), ("line", pa.string())])


def write_measures(table: Table, root: str, seed: int) -> int:
    """Write MEASURES of a table's rows, row by row; returns how many there are."""
    count = 0

    def batches() -> Iterator[pa.Table]:
        nonlocal count
        rows: list[dict[str, Any]] = []
        for _, values in read_rows(table.path, [*Document._fields, *_quality(table.path)]):
            rows.append(_measured(values, seed))
            count += 1
            if len(rows) == _PIECE:
                yield pa.Table.from_pylist(rows, schema=MEASURES)
                rows = []
        yield pa.Table.from_pylist(rows, schema=MEASURES)

    write_batches(dataset_path(root, "measures", table), MEASURES, batches())
    return count


def _quality(path: str) -> list[str]:
    return ["quality"] if "quality" in schema_of(path).names else []


def schema_of(path: str) -> pa.Schema:
    """The schema of a Parquet file, without what pandas wrote into it."""
    with storage.open_read(path) as file:
        return pq.ParquetFile(file).schema_arrow.remove_metadata()


def _measured(values: dict[str, Any], seed: int) -> dict[str, Any]:
    document = document_of(values)
    quality = values.get("quality")
    return {
        **{name: getattr(document, name) for name in ("id", "repo", "path", "language", "size")},
        **measure(document)._asdict(),
        "digest": bytes.fromhex(document.sha256),
        "quality": quality if isinstance(quality, float) and 0 <= quality <= 1 else None,
        "draw": draw_of(document.id, seed),
        "fold": fold_of(document.repo, document.id, seed),
    }


def weights(table: Table, root: str) -> Iterator[tuple[str, int, float | None]]:
    """(language, 1, quality) of each row, for a ScoreHistogram."""
    measures = read_table(dataset_path(root, "measures", table), ["language", "quality"])
    for language, quality in zip(measures["language"].to_pylist(), measures["quality"].to_pylist(), strict=True):
        yield language, 1, quality


def read_facts(table: Table, root: str) -> Facts:
    return Facts.of(read_table(dataset_path(root, "measures", table)))


def draw(table: Table, root: str, sources: Sequence[Source], given: Limits, before: int, asked: Asked) -> Draws:
    """The draws of one table; ``before``: number of the round whose predictions count, 0 for none."""
    facts = read_facts(table, root)
    predictions = read_table(dataset_path(root, predictions_of(before), table)) if before else None
    numbers = facts.table["draw"].to_numpy()
    draws = Draws({}, {})
    for number, source in enumerate(sources):
        yes = recalled(source, predictions, asked, len(numbers))
        kind = kinds(roles(source, facts, given), yes, facts.fold)
        for one in np.unique(kind[kind >= 0]).tolist():
            for fold in np.unique(facts.fold[kind == one]).tolist():
                rows = np.flatnonzero((kind == one) & (facts.fold == fold))
                files = np.stack([numbers[rows], addresses(table.number, rows)], axis=1)
                draws.add((number, one, fold), len(rows), files, limit_of(source, (number, one, fold)))
    return draws


def write_lines(table: Table, root: str, drawn: pa.Table, text: TextFormat, round_number: int) -> None:
    """Write LINES of the DRAWN files of a table: text is read for these alone."""
    wanted = np.unique(drawn["row"].to_numpy())

    def batches() -> Iterator[pa.Table]:
        rows: dict[int, tuple[str, str]] = {}
        for row, values in read_rows(table.path, Document._fields, wanted.tolist()):
            document = document_of(values)
            rows[row] = document.id, text.line(document.content)
            if len(rows) == _PIECE:
                yield _lines(drawn, rows)
                rows = {}
        yield _lines(drawn, rows)

    write_batches(dataset_path(root, lines_of(round_number), table), LINES, batches())


def _lines(drawn: pa.Table, rows: Mapping[int, tuple[str, str]]) -> pa.Table:
    own = drawn.filter(pa.array(np.isin(drawn["row"].to_numpy(), list(rows))))
    told = [rows[row] for row in own["row"].to_pylist()]
    columns = {name: own[name] for name in ("source", "kind", "fold", "draw")}
    return pa.table(columns | {"id": [identity for identity, _ in told], "line": [line for _, line in told]}, schema=LINES)


def read_sample(root: str, round_number: int, source: int) -> tuple[Sample, pa.Table]:
    """What a round drew of one source, in the order of draws; and of the same files source, kind, fold, draw and id."""
    parts = [LINES.empty_table()]
    for info in storage.match(storage.join(storage.escape(root), *lines_of(round_number).split("/"), "*.parquet")):
        for _, group in read_groups(info.path):
            parts.append(group.filter(pc.equal(group["source"], source)))
    lines = pa.concat_tables(parts).sort_by([("draw", "ascending"), ("id", "ascending")])
    sample = Sample(lines["kind"].to_numpy(), lines["fold"].to_numpy(), lines["line"].to_pylist())
    return sample, lines.drop_columns(["line"])


def predict(
    table: Table, root: str, sources: Sequence[Source], given: Limits, models: Mapping[str, Miner], text: TextFormat, round_number: int
) -> dict[str, Count]:
    """Write what each model says of its pool; source -> Count."""
    facts = read_facts(table, root)
    own = {source.name: roles(source, facts, given) for source in sources if source.name in models}
    said = {source.name: np.full(len(facts.fold), np.nan) for source in sources}
    asked = np.flatnonzero(np.logical_or.reduce([np.zeros(len(facts.fold), bool), *(each.pool for each in own.values())]))
    for rows, lines in _line_batches(table, asked.tolist(), text):
        for name, model in models.items():
            here = np.flatnonzero(own[name].pool[rows])
            said[name][np.array(rows)[here]] = score_lines(model.fasttext, [lines[position] for position in here])
    columns = {name: pa.array(values.astype(np.float32), from_pandas=True) for name, values in said.items()}
    write_table(dataset_path(root, predictions_of(round_number), table), pa.table(columns))
    counts = {}
    for name, model in models.items():
        # As the next round and the selection will read them.
        probabilities = said[name].astype(np.float32).astype(np.float64)
        yes = probabilities >= model.threshold
        counts[name] = mine.counted(probabilities, own[name].pool, int(yes.sum()), int(found(own[name], yes).sum()))
    return counts


def _line_batches(table: Table, rows: Sequence[int], text: TextFormat) -> Iterator[tuple[list[int], list[str]]]:
    numbers: list[int] = []
    lines: list[str] = []
    for row, values in read_rows(table.path, ["content"], rows):
        numbers.append(row)
        lines.append(text.line(values["content"] or ""))
        if len(lines) == _PIECE:
            yield numbers, lines
            numbers, lines = [], []
    if lines:
        yield numbers, lines


CHOSEN = pa.schema(
    [("row", pa.int64()), ("sources", pa.string()), ("probability", pa.float32()), ("round", pa.int32()), ("digest", pa.binary(32))]
)
"""Files of one table that are selected, see ``select``."""


def select(table: Table, root: str, sources: Sequence[Source], given: Limits, rounds: Sequence[Asked]) -> pa.Table:
    """CHOSEN of one table: the seed of each source, and what its last model finds.

    rounds: the figures of each round, in order. ``round`` is 0 for a file of some seed, else the first round that found it.
    """
    facts = read_facts(table, root)
    count = len(facts.fold)
    predictions = [read_table(dataset_path(root, predictions_of(number + 1), table)) for number in range(len(rounds))]
    first = np.full(count, np.iinfo(np.int32).max, np.int32)
    probability = np.full(count, np.nan)
    names: list[list[str]] = [[] for _ in range(count)]
    for source in sources:
        own = roles(source, facts, given)
        hits = [found(own, recalled(source, said, asked, count)) for said, asked in zip(predictions, rounds, strict=True)]
        last = last_trained(source, rounds)
        member = own.seed | (hits[last] if last is not None else False)
        for number, hit in reversed(list(enumerate(hits, 1))):
            first[member & hit & (first > number)] = number
        first[own.seed] = 0
        if last is not None:
            probability[member] = np.fmax(probability[member], predictions[last][source.name].to_numpy()[member])
        for row in np.flatnonzero(member):
            names[row].append(source.name)
    rows = np.array([row for row in range(count) if names[row]], np.int64)
    columns = {
        "row": rows,
        "sources": [json.dumps(names[row]) for row in rows.tolist()],
        "probability": pa.array(probability[rows].astype(np.float32), from_pandas=True),
        "round": first[rows],
        "digest": facts.table["digest"].take(pa.array(rows)),
    }
    return pa.table(columns, schema=CHOSEN)


def last_trained(source: Source, rounds: Sequence[Asked]) -> int | None:
    """Position of the last round whose model of a source is used; None where none is."""
    used = [number for number, asked in enumerate(rounds) if asked[source.name]["state"] == "trained"]
    return used[-1] if used else None


def write_selected(
    table: Table, root: str, sources: Sequence[Source], given: Limits, schema: pa.Schema, copies: Iterable[int]
) -> dict[str, Any]:
    """Write the rows of a table that are selected, without ``copies`` (rows whose content is selected elsewhere); returns counts."""
    chosen = read_table(dataset_path(root, "_work/chosen", table))
    repeated = np.isin(chosen["row"].to_numpy(), list(copies))
    kept = chosen.filter(pa.array(~repeated))
    target = storage.join(root, "corpora", "high_quality", table.name)
    write_batches(target, schema, _selected_rows(table.path, schema, kept))
    facts = read_facts(table, root)
    counts = counts_of(facts, sources, given, kept, int(repeated.sum()))
    dropped = {name.replace("_", "-"): counts[name] for name in ("copies", "of_no_source", "not_selected")}
    size = counts["read_bytes"], counts["selected_bytes"]
    metrics.count("select", counts["read"], counts["selected"], dropped, counts["unmeasured"], size)
    return counts


def counts_of(facts: Facts, sources: Sequence[Source], given: Limits, kept: pa.Table, copies: int) -> dict[str, Any]:
    """What became of a table's files; each is in one of selected, copies, unmeasured, of_no_source, not_selected."""
    pool = np.logical_or.reduce([roles(source, facts, given).pool for source in sources])
    unmeasured = int(np.isnan(facts.comments).sum())
    size = facts.table["size"].to_numpy()
    rows = kept["row"].to_numpy()
    told: dict[str, Any] = {"read": len(pool), "selected": len(kept), "copies": copies, "unmeasured": unmeasured}
    told["of_no_source"] = int((~pool).sum()) - unmeasured
    told["not_selected"] = int(pool.sum()) - len(kept) - copies
    told["read_bytes"], told["selected_bytes"] = int(size.sum()), int(size[rows].sum())
    names, rounds = [json.loads(names) for names in kept["sources"].to_pylist()], kept["round"].to_pylist()
    for source in sources:
        told[f"source {source.name}"] = sum(source.name in own for own in names)
    for number in sorted(set(rounds)):
        told[f"round {number}"] = rounds.count(number)
    languages = [facts.languages[row] for row in rows]
    for language in sorted(set(languages)):
        told[f"language {language}"] = languages.count(language)
    return told


def _selected_rows(path: str, schema: pa.Schema, kept: pa.Table) -> Iterator[pa.Table]:
    numbers = kept["row"].to_numpy()
    for start, group in read_groups(path, rows=numbers.tolist()):
        here = (numbers >= start) & (numbers < start + len(group))
        rows, own = group.take(pa.array(numbers[here] - start)), kept.filter(pa.array(here))
        columns = []
        for field in schema:
            source = own if field.name in OWN else rows
            known = field.name in source.column_names
            columns.append(source[field.name].cast(field.type) if known else pa.nulls(len(own), field.type))
        yield pa.table(columns, schema=schema)


OWN = ("sources", "probability", "round")


def selected_schema(paths: Sequence[str]) -> pa.Schema:
    """Columns of the corpus: those of all its tables, and ours. Raises ValueError where two tables' columns do not fit together."""
    try:
        together = pa.unify_schemas([schema_of(path) for path in paths], promote_options="permissive")
    except pa.ArrowException as error:
        raise ValueError(f"the columns of the tables differ: {error}; expected one type for each name") from None
    theirs = [field.with_nullable(True) for field in together if field.name not in OWN]
    return pa.schema([*theirs, *(CHOSEN.field(name) for name in OWN)])
