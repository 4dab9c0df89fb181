"""A document's story as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beam_seed.report.job import Job
from beam_seed.report.text import byte_count, measure, one_line, place, words
from beam_seed.report.why import SHOWN, Fate, Row, Story


def render_story(story: Story) -> str:
    """The story as lines of text. Names and messages from the input are escaped: a terminal obeys none of them."""
    lines = [place(story.who), *(f"  {line}" for line in _origin(story))]
    for variant, fate in story.fates.items():
        lines.append(f"  {words(variant)}: {_verdict(fate)}")
        lines += [f"    {line}" for line in (*_because(fate, story.job), *_passed(story, fate))]
    return "\n".join(one_line(line) for line in lines)


def _origin(story: Story) -> Iterator[str]:
    document = story.document
    row = document or next((fate.row for fate in story.fates.values() if fate.row.get("size") is not None), {})
    told = [f"read from {story.who['source']}"]
    told += [f"revision {document['revision']}"] if document.get("revision") else []
    told += [byte_count(row["size"])] if row.get("size") is not None else []
    told += [f"licence {document['license']}"] if document.get("license") else []
    told += [f"{document['stars']:,} stars"] if document.get("stars") is not None else []
    told += [f"documents/{document['shard']}"] if document.get("shard") else []
    yield ", ".join(told)
    yield f"id {story.who['id']}" + (f", SHA-256 {document['sha256']}" if document.get("sha256") else "")
    if story.measures.get("language"):
        by = story.measures.get("detected_by")
        yield f"{story.job.group} {story.measures['language']}" + (f", told by its {by}" if by else "")


def _verdict(fate: Fate) -> str:
    row = fate.row
    if fate.outcome == "kept":
        within = _within(row) if row.get("sequence") else ""
        return f"kept, {within}in corpora/{row['variant']}/{row['shard']}" if row.get("shard") else "kept"
    if fate.outcome == "rejected":
        return f"dropped by {words(row['stage'])}: {row['rule']}"
    if fate.outcome == "failed":
        return f"failed in {words(row['stage'])}: {row['error']}"
    return "in none of corpora/, rejected/ and failed/: the run is unfinished"


def _within(row: Row) -> str:
    part = f", part {row['part'] + 1:,} of {row['parts']:,} of the repository" if row["parts"] > 1 else ""
    return f"file {row['position'] + 1:,} of {row['files']:,} of sequence {row['sequence']}{part}, "


def _because(fate: Fate, job: Job) -> Iterator[str]:
    row, evidence = fate.row, fate.evidence
    if row.get("measured") is not None:
        yield f"measured {measure(row['measured'])}" + (f", limit {measure(row['limit'])}" if row.get("limit") is not None else "")
    yield from _twins(evidence)
    if fate.favoured is not None:
        yield f"which is {_verdict(fate.favoured)}"
    for name, value in sorted(evidence.items()):
        if name == "hits" and isinstance(value, list):
            yield from map(_hit, value)
        elif name not in ("kept", "via", "cluster"):
            yield f"{name}: {value}"
    yield from _represented(fate, job)


def _hit(hit: Any) -> str:
    if not isinstance(hit, dict):
        return f"hit: {hit}"
    item = hit["item"] if "item" in hit else f"({hit.get('items')} items)"
    return f"shares {hit.get('ngrams')} n-grams with {hit.get('benchmark')} {item}: {hit.get('ngram')}"


def _twins(evidence: dict[str, Any]) -> Iterator[str]:
    kept, via = evidence.get("kept"), evidence.get("via")
    if not isinstance(kept, dict):
        return
    if isinstance(via, dict):
        yield f"a copy of {place(via)} (from {via.get('source', '')})"
        yield f"which was itself dropped, being {measure(_similarity(via))} similar to the kept one"
    yield f"in favour of {place(kept)} (from {kept.get('source', '')})"


def _similarity(via: dict[str, Any]) -> float | None:
    value = via.get("similarity_to_kept")
    return value if isinstance(value, int | float) else None


def _represented(fate: Fate, job: Job) -> Iterator[str]:
    size: Any = fate.row.get("cluster_size") if fate.outcome == "kept" else None
    if size is None or size <= 1:
        return
    noun = "repositories" if fate.row["variant"] in job.repositories else "documents"
    yield f"stands for {size:,} {noun}, itself included" + (":" if fate.stands_for else "")
    for row in fate.stands_for:
        via = Fate("rejected", row).evidence.get("via")
        copy = f" of {place(via)}" if isinstance(via, dict) else ""
        similarity = _similarity(via) if isinstance(via, dict) else row.get("measured")
        yield f"  {place(row)} (from {row['source']}): {row['rule']}{copy}, similarity {measure(similarity)}"
    if len(fate.stands_for) == SHOWN:
        yield "  ..."


def _passed(story: Story, fate: Fate) -> Iterator[str]:
    if fate.outcome == "unknown":
        return
    # A document that was dropped in one stage has passed those before it.
    funnel, dropped_in = story.job.funnel, fate.row.get("stage")
    stages = funnel if fate.outcome == "kept" else funnel[: funnel.index(dropped_in)] if dropped_in in funnel else ()
    told = [_step(story, fate, stage) for stage in stages]
    if told:
        yield f"passed: {'; '.join(told)}"


def _step(story: Story, fate: Fate, stage: str) -> str:
    measured = {"syntax": ("syntax_error_share", "syntax-error"), "quality": ("quality", "low-quality")}
    if stage not in measured:
        return words(stage)
    name, rule = measured[stage]
    value = fate.row.get(name, story.measures.get(name))
    if value is None:
        return f"{words(stage)} ({'unchecked' if stage == 'syntax' else 'not scored'})"
    limit = f", limit {measure(story.limits[rule])}" if rule in story.limits else ""
    return f"{words(stage)} ({words(name)} {measure(value)}{limit})"
