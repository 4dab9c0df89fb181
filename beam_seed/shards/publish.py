"""The end of a run: the books are closed, statistics and manifest written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beam_seed import __version__, storage
from beam_seed.mixture.stage import Stage
from beam_seed.shards.format import FORMAT, Manifest, ShardFile, parse_manifest
from beam_seed.shards.sequences import Counts, add
from beam_seed.shards.tables import Plan
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.shards.write import CATEGORICAL, DOCUMENTS, NOTHING
from beam_seed.statistics import collect, schema
from beam_seed.statistics.collect import Statistics


def write_manifest(root: str, manifest: Manifest) -> None:
    """Write manifest.json, atomically."""
    storage.write_json(storage.join(root, "manifest.json"), manifest_json(manifest))


def manifest_json(manifest: Manifest) -> dict[str, Any]:
    return manifest._asdict() | {"shards": [ShardFile(*shard)._asdict() for shard in manifest.shards]}


def read_manifest(root: str) -> Manifest:
    """The manifest of a directory of shards. Raises ValueError where there is none, or what is no such manifest."""
    path = storage.join(root, "manifest.json")
    if not storage.exists(path):
        raise ValueError(f"{root} holds no manifest.json; expected a directory that beam-seed shards has finished")
    with storage.open_read(path) as file:
        return parse_manifest(file.read(), path)


def close_books(tokenised: Sequence[Mapping[str, Any]], packed: Sequence[Mapping[str, Any]], counts: Counts) -> dict[str, dict[str, int]]:
    """Rows that are in no sequence, by source and reason. Raises RuntimeError where a copy or a token got lost on the way."""
    skipped: dict[str, Counter[str]] = {}
    for told in tokenised:
        skipped.setdefault(told["source"], Counter()).update(told["skipped"])
    for told in packed:
        for source, copies in told["copies"].items():
            skipped.setdefault(source, Counter())["same-id"] += copies
    same = sum(each["same-id"] for each in skipped.values())
    documents = sum(each["documents"] for each in counts.by_source.values())
    taken = sum(told["copies"] for told in tokenised)
    if taken - same != documents:
        raise RuntimeError(f"{taken:,} documents were tokenised, {same:,} of them twice, and {documents:,} are in shards; expected all")
    tokens = sum(told["tokens"] for told in tokenised)
    if not same and tokens != counts.text:
        raise RuntimeError(f"{tokens:,} tokens were made and {counts.text:,} are in shards; expected all")
    return {source: dict(sorted(each.items())) for source, each in sorted(skipped.items())}


def make_manifest(
    shards: Sequence[tuple[ShardFile, Counts]],
    skipped: dict[str, dict[str, int]],
    plan: Plan,
    stage: Stage,
    tokenizer: ShardTokenizer,
    inputs: dict[str, dict[str, str]],
) -> Manifest:
    """The manifest of a run. Raises RuntimeError where there is no sequence."""
    if not shards:
        raise RuntimeError(f"no document was left for any sequence; skipped: {skipped}; expected some")
    files = sorted((ShardFile(*file) for file, _ in shards), key=lambda file: file.path)
    counts = total(counts for _, counts in shards)
    sequences = sum(file.sequences for file in files)
    return Manifest(
        format=FORMAT,
        sequence_length=stage.sequence_length,
        sequences=sequences,
        shards=files,
        tokens={"text": counts.text, "padding": sequences * stage.sequence_length - counts.text},
        by_source=counts.by_source,
        by_language=counts.by_language,
        vocabulary=tokenizer.vocabulary,
        padding=tokenizer.padding,
        end=tokenizer.end,
        tokenizer=tokenizer.fingerprint,
        stage=stage.to_json(),
        inputs=inputs,
        removed=[],
        version=__version__,
        tokenizer_added=tokenizer.added,
        tokenizer_exact=tokenizer.exact,
        skipped=skipped,
        factors=Plan(*plan).factors,
    )


def total(counts: Iterable[Counts]) -> Counts:
    """All counts together."""
    found = NOTHING
    for each in counts:
        found = add(found, Counts(*each))
    return found


def write_statistics(root: str, statistics: Statistics) -> None:
    """Write statistics.pbtxt of the documents that went in, and schema.pbtxt, which says what this run's documents are like."""
    values = statistics.columns["language"].strings.values if "language" in statistics.columns else {}
    texts = {
        "statistics.pbtxt": collect.to_text(statistics.to_proto("documents", CATEGORICAL)),
        "schema.pbtxt": schema.to_text(schema.corpus_schema(DOCUMENTS, sorted(values or {}))),
    }
    for name, text in texts.items():
        with storage.open_write(storage.join(root, name)) as out:
            out.write(text.encode())
