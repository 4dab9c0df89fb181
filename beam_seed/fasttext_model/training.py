"""Training fastText on pages: split by host, deterministic, and what the model says of pages from hosts it has not seen."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

TWO_PARTS = {"training": 0.7, "validation": 0.3}
"""The paper's division: 70 % of the labelled pages train, 30 % validate (arXiv 2506.03524, 3.3)."""

THREE_PARTS = {"training": 0.6, "validation": 0.2, "test": 0.2}
"""Where the validation part chooses something, its figures are no figures: a third part has them."""

# Of the FNV hash space of word pairs. Three million pages have more pairs, but a collision costs little; 16 values each are 13 MB.
_BUCKETS = 200_000


class Line(NamedTuple):
    """One labelled page."""

    host: str
    label: str  # with fastText's prefix
    text: str  # one line of words


class Settings(NamedTuple):
    """fastText's parameters, all that matter; the rest are its defaults."""

    dimensions: int = 16  # more gained nothing here and cost time
    epochs: int = 5
    learning_rate: float = 0.5
    word_pairs: bool = False
    min_count: int = 3  # words of fewer pages say nothing about other hosts
    seed: int = 0


def split_by_host(lines: Sequence[Line], seed: int = 0, shares: Mapping[str, float] = TWO_PARTS) -> list[list[Line]]:
    """The parts of ``shares``, in order; a host's pages are all in one of them, else the model would be asked what it was told.

    Within the hosts of each set of labels, taken in the order of a seeded digest, each goes to the part that lacks most pages of its
    share. Hosts of one set of labels that are few may miss the shares by one host's pages. Raises ValueError where a label does not
    occur in every part.
    """
    labels: dict[str, set[str]] = {}
    for line in lines:
        labels.setdefault(line.host, set()).add(line.label)
    groups: dict[tuple[str, ...], list[str]] = {}
    for host, found in labels.items():
        groups.setdefault(tuple(sorted(found)), []).append(host)
    sizes = Counter(line.host for line in lines)
    part_of: dict[str, str] = {}
    for hosts in groups.values():
        total = sum(sizes[host] for host in hosts)
        lacking = {name: share * total for name, share in shares.items()}
        for host in sorted(hosts, key=lambda host: _order(host, seed)):
            part_of[host] = name = max(lacking, key=lambda name: lacking[name])
            lacking[name] -= sizes[host]
    parts: dict[str, list[Line]] = {name: [] for name in shares}
    for line in lines:
        parts[part_of[line.host]].append(line)
    known = {line.label for line in lines}
    for name, part in parts.items():
        if missing := known - {line.label for line in part}:
            raise ValueError(
                f"the {name} part has no page labelled {min(missing).removeprefix('__label__')!r} ({len(sizes)} hosts in all); "
                f"expected pages of some hosts of each label in each of {len(shares)} parts; give more input"
            )
    return list(parts.values())


def _order(host: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{host}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def train(lines: Iterable[Line], settings: Settings) -> tuple[Any, bytes]:
    """A trained model, and its file's bytes: the same for the same lines, in the same order, and settings.

    Training uses one thread: with several, fastText's results differ from run to run.
    """
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "lines.txt", Path(folder) / "model.bin"
        with source.open("w", encoding="utf-8") as file:
            # fastText reads in order and lowers its rate as it goes: one label after the other would be learnt unequally.
            for line in sorted(lines, key=lambda line: _order(line.text, settings.seed)):
                # A page that says __label__other must not tell its own label; in prediction fastText passes over such words.
                file.write(f"{line.label} {line.text.replace('__label__', ' ')}\n")
        model = fasttext.train_supervised(
            str(source),
            dim=settings.dimensions,
            epoch=settings.epochs,
            lr=settings.learning_rate,
            wordNgrams=2 if settings.word_pairs else 1,
            bucket=_BUCKETS if settings.word_pairs else 0,
            minCount=settings.min_count,
            seed=settings.seed,
            thread=1,
            verbose=0,
        )
        model.save_model(str(target))
        return model, target.read_bytes()
