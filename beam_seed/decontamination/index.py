"""The n-grams of benchmarks, where each comes from, and what a document's n-grams say of it.

A *field* is one text of one item, such as the prompt of HumanEval/0; n-grams do not cross fields. What is looked for:

- every n-gram (10 words, Seed-Coder's and DeepSeek-Coder's) of every field, if at least ``letters`` of its words have a letter;
- fields of fewer than n words are not looked for, unless ``shortest`` is lower: then a field of that many words or more is one n-gram.

Boilerplate: an n-gram that more than ``common`` repositories of the corpus have alone does not tell of a benchmark. A document that has at
least half of a field's n-grams (of fields with at least n of them) holds a copy of the field: it neither counts as evidence that these
n-grams are common nor is it excused, so that a benchmark that was leaked everywhere is still dropped everywhere.
"""

from __future__ import annotations

import functools
import json
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from beam_seed.decontamination.ngrams import MAX_WORDS, Matches, Table, make_table, match, text_of, words_of

Ids = npt.NDArray[np.int64]

COPIED_SHARE = 0.5  # of a field's n-grams: a rewritten solution or a renamed function breaks 10 n-grams a word, seldom half of them

TEMPLATE_ITEMS = 10
"""Items that an n-gram tells of one by one. What more have is the benchmark's own template, such as a prompt's first sentence: it tells of
the benchmark, and a list of a thousand items would tell nothing."""

_TEMPLATE = "\0"  # in place of an item's name


class Item(NamedTuple):
    """One text of a benchmark."""

    benchmark: str
    item: str
    text: str


@dataclass(frozen=True)
class Limits:
    """What is looked for, see the module."""

    words: int = 10  # of an n-gram
    shortest: int = 10  # words of a field that is looked for
    letters: int = 1  # words with a letter in an n-gram: rows of numbers alone are in every table of data
    common: int = 10  # repositories (GPT-3: documents) that may have an n-gram before it is boilerplate; 0: any number

    def __post_init__(self) -> None:
        if not 1 <= self.words <= MAX_WORDS:
            raise ValueError(f"n-grams of {self.words} words; expected 1 to {MAX_WORDS}, such as 10")
        if not 1 <= self.shortest <= self.words:
            raise ValueError(f"fields of {self.shortest} words are looked for; expected 1 to the {self.words} of an n-gram")
        if not 0 <= self.letters <= self.words:
            raise ValueError(f"{self.letters} words with letters in an n-gram; expected 0 to its {self.words} words")
        if self.common < 0:
            raise ValueError(f"n-grams of more than {self.common} repositories are boilerplate; expected 0 (none is) or more")


@dataclass(frozen=True)
class Index:
    """N-grams of benchmarks. N-gram g is of the fields ``fields[offsets[g]:offsets[g + 1]]``."""

    limits: Limits
    table: Table
    fields: Ids
    offsets: Ids  # [n-grams + 1]
    sizes: Ids  # [fields]: distinct n-grams of each
    field_items: Ids  # [fields]: the item of each
    items: list[tuple[str, str]]  # (benchmark, item), in order

    def match(self, texts: Sequence[bytes] | Sequence[memoryview]) -> Matches:
        """The n-grams that each text has."""
        return match(texts, self.table)

    def fields_of(self, grams: Ids) -> tuple[Ids, Ids]:
        """(position in ``grams``, field) of each pair of an n-gram and a field that has it."""
        counts = self.offsets[grams + 1] - self.offsets[grams]
        positions = np.repeat(np.arange(len(grams)), counts)
        within = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
        return positions, self.fields[self.offsets[grams][positions] + within]

    def copied(self, grams: Ids) -> npt.NDArray[np.bool_]:
        """Which of a document's distinct n-grams are of a field that the document holds a copy of."""
        positions, fields = self.fields_of(grams)
        numbers, inverse, found = np.unique(fields, return_inverse=True, return_counts=True)
        sizes = self.sizes[numbers]
        whole = (sizes >= self.limits.words) & (found >= COPIED_SHARE * sizes)
        copied = np.zeros(len(grams), dtype=np.bool_)
        copied[positions[whole[inverse]]] = True
        return copied

    def evidence(self, grams: Ids) -> str:
        """JSON that names each item of which a document has some of ``grams``, how many, and the first of them; most n-grams first.

        N-grams of more than ``TEMPLATE_ITEMS`` items are told once for a benchmark, with the number of the items instead of their names.
        """
        positions, fields = self.fields_of(grams)
        owners: dict[int, set[int]] = {}
        for gram, item in zip(grams[positions].tolist(), self.field_items[fields].tolist(), strict=True):
            owners.setdefault(gram, set()).add(item)
        hits: dict[tuple[str, str], list[int]] = {}
        templates: dict[str, set[int]] = {}
        for gram, items in sorted(owners.items()):
            if len(items) <= TEMPLATE_ITEMS:
                for item in sorted(items):
                    hits.setdefault(self.items[item], []).append(gram)
                continue
            for name in sorted({self.items[item][0] for item in items}):
                hits.setdefault((name, _TEMPLATE), []).append(gram)
                templates.setdefault(name, set()).update(item for item in items if self.items[item][0] == name)
        told: list[dict[str, Any]] = []
        for (name, item), own in sorted(hits.items(), key=lambda hit: (-len(hit[1]), hit[1][0])):
            which = {"item": item} if item != _TEMPLATE else {"items": len(templates[name])}
            told.append({"benchmark": name, **which, "ngrams": len(own), "ngram": text_of(self.table, own[0])})
        return json.dumps({"hits": told}, sort_keys=True, ensure_ascii=False)

    def pack(self) -> bytes:
        """For the way between workers of one job; never for files from others."""
        return pickle.dumps(self)


@functools.lru_cache(maxsize=1)
def unpack_index(packed: bytes) -> Index:
    """The Index that :meth:`Index.pack` gave; one is kept for each worker process."""
    index: Index = pickle.loads(packed)  # made by this job
    return index


def build_index(items: Iterable[Item], limits: Limits) -> Index:
    """The index of all texts, each a field of its own. Equal items in equal order give equal indexes."""
    fields = list(items)
    words = words_of([field.text.encode("utf-8", "surrogatepass") for field in fields])
    firsts, sizes, owners = _spans(np.diff(words.word_bounds), words.word_bounds, limits)
    lettered = _lettered(words)[firsts + sizes] - _lettered(words)[firsts]
    chosen = lettered >= np.minimum(limits.letters, sizes)
    table, numbers = make_table(words, firsts[chosen], sizes[chosen])
    pairs = np.unique(np.stack([numbers, owners[chosen]], axis=1), axis=0) if len(numbers) else np.empty((0, 2), np.int64)
    known = {name: number for number, name in enumerate(dict.fromkeys((field.benchmark, field.item) for field in fields))}
    return Index(
        limits,
        table,
        pairs[:, 1].copy(),
        np.searchsorted(pairs[:, 0], np.arange(len(table.hashes) + 1)),
        np.bincount(pairs[:, 1], minlength=len(fields)),
        np.array([known[field.benchmark, field.item] for field in fields], dtype=np.int64),
        list(known),
    )


def _spans(counts: Ids, bounds: Ids, limits: Limits) -> tuple[Ids, Ids, Ids]:
    """(first word, words, field) of every n-gram of fields with so many words each."""
    grams = np.where(counts >= limits.words, counts - limits.words + 1, np.where(counts >= limits.shortest, 1, 0))
    owners = np.repeat(np.arange(len(counts)), grams)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(grams) - grams, grams)
    return bounds[:-1][owners] + within, np.minimum(counts[owners], limits.words), owners


def _lettered(words: Any) -> Ids:
    """[words + 1]: how many of the first words have a letter."""
    if not len(words.starts):
        return np.zeros(1, np.int64)
    letter = (words.data >= 0x80) | ((words.data >= ord("a")) & (words.data <= ord("z")))  # folded; other scripts' digits count too
    return np.append(0, np.cumsum(np.logical_or.reduceat(letter, words.starts)))


def telling(index: Index, grams: Ids, common: Ids) -> Ids:
    """Of a document's n-grams, those for which it is dropped. common: n-grams that are boilerplate, ascending."""
    if not len(grams) or not len(common):
        return grams
    return grams[~np.isin(grams, common) | index.copied(grams)]


def counted(index: Index, grams: Ids) -> Ids:
    """Of a document's n-grams, those it has without a copy of their field: these may turn out to be boilerplate."""
    return grams[~index.copied(grams)] if len(grams) else grams


def common_grams(pairs: npt.NDArray[np.uint64], limit: int) -> Ids:
    """The n-grams that more than ``limit`` repositories have, ascending. pairs: [rows, 2] n-gram and hash of a repository."""
    grams, repositories = np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)
    return grams[repositories > limit].astype(np.int64)


def item_counts(index: Index) -> dict[str, tuple[int, int]]:
    """Of each benchmark, its items, and those that have an n-gram to look for."""
    able = set(index.field_items[index.sizes > 0].tolist())
    counts: dict[str, tuple[int, int]] = {}
    for number, (name, _) in enumerate(index.items):
        items, looked_for = counts.get(name, (0, 0))
        counts[name] = items + 1, looked_for + (number in able)
    return counts


def per_text(matches: Matches) -> Iterator[Ids]:
    """The n-grams of each text."""
    for text in range(len(matches.offsets) - 1):
        yield matches.grams[matches.offsets[text] : matches.offsets[text + 1]]
