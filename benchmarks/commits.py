"""Contexts and samples of a history against the straightforward way, side by side; and the memory that a whole history takes.

    python -m benchmarks.commits /path/to/repository.git [--commits=1500] [--straightforward=30] [--memory=2000]

Both are given the same commits (the last ones in order of history) and make the same samples, with one process at work:

- ours: ``ContextBuilder`` and ``format_sample`` over all of them, the index of the first snapshot included;
- straightforward: for each commit git checks out the snapshot before it, every file is read, decoded and cut into terms, and bm25s
  (numpy) builds its index anew and finds the files. It is asked for a sample of the commits, spread evenly.

What both cost is the CPU time of this process and of git. Reading the records comes to both and is measured apart. For every commit that
both did the samples are compared. ``--memory`` then follows the whole history twice, printing memory after every so many commits: what is
bounded does not grow the second time. The parts are what the context builder remembers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import bm25s
import numpy as np

from beam_seed.commits.bm25 import K1, B
from beam_seed.commits.context import FILES, README_EXTENSIONS, Context, ContextBuilder, FoundFile
from beam_seed.commits.documents import MAX_BYTES, text_of
from beam_seed.commits.generated import is_generated
from beam_seed.commits.history import CommitReader, walk
from beam_seed.commits.listing import Folders, Listing
from beam_seed.commits.objects import GitObjects
from beam_seed.commits.paths import quote
from beam_seed.commits.records import CommitRecord
from beam_seed.commits.repository import History, blank_record, list_histories, open_history
from beam_seed.commits.sample_format import Sample, TooLarge, format_sample
from beam_seed.commits.terms import terms_of
from beam_seed.sources.repository import Limits
from beam_seed.sources.vendored import vendored_folder
from benchmarks.measure import descendants, proportional_set_size


class Measured(NamedTuple):
    """What one system made of its commits."""

    samples: list[Sample | TooLarge]
    found: list[list[tuple[str, float]]]  # path and score of the files of each context
    cpu: float  # seconds, git included


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--commits", type=int, default=1500)
    parser.add_argument("--straightforward", type=int, default=30, help="commits for the straightforward way; 0: no comparison")
    parser.add_argument("--memory", type=int, default=0, help="commits between two lines of memory; 0: not measured")
    options = parser.parse_args()
    (unit,) = list_histories(options.repository)
    with open_history(unit, Limits()) as history:
        ids = walk(history.store, history.head).ids
        blank = blank_record(unit, None)
        if options.straightforward:
            compare(history, blank, ids[-20 * options.commits :], options.repository, options.straightforward)
        if options.memory:
            follow(history, blank, ids, options.memory)


def compare(history: History, blank: CommitRecord, ids: bytes, repository: str, count: int) -> None:
    before = cpu_seconds()
    reader = CommitReader(history.store, blank, shallow=history.shallow)
    records = [record for record in reader.read(ids) if isinstance(record, CommitRecord)]
    reader.close()
    reading = cpu_seconds() - before
    chosen = [int(at) for at in np.linspace(0, len(records) - 1, count)]
    ours(history, records[:1])  # compiled code is loaded
    mine = ours(history, records)
    theirs = straightforward(history, [records[at] for at in chosen], repository)
    agree(mine, theirs, chosen)
    print(f"{repository}: {len(records)} commits; reading their records: {1000 * reading / len(records):.1f} CPU ms each")
    print(f"{'':16} {'commits':>8} {'CPU s':>8} {'ms each':>8} {'samples/CPU-s':>14}")
    for name, system in (("ours", mine), ("straightforward", theirs)):
        each = system.cpu / len(system.samples)
        print(f"{name:16} {len(system.samples):8} {system.cpu:8.1f} {1000 * each:8.1f} {1 / each:14.2f}")
    print(f"ours is {theirs.cpu / len(theirs.samples) / (mine.cpu / len(mine.samples)):.0f} times as fast", flush=True)


def cpu_seconds() -> float:
    """Of this process and the ended ones it started."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ours(history: History, records: Sequence[CommitRecord]) -> Measured:
    before = cpu_seconds()
    objects = GitObjects(history.store)
    builder = ContextBuilder(objects)
    samples, found = [], []
    for record in records:
        context = builder.context(record.parent_tree, record.message)
        samples.append(format_sample(record, context))
        found.append([(file.path, file.score) for file in context.files])
    objects.close()
    return Measured(samples, found, cpu_seconds() - before)


def straightforward(history: History, records: Sequence[CommitRecord], repository: str) -> Measured:
    before = cpu_seconds()
    objects = GitObjects(history.store)
    samples, found = [], []
    with tempfile.TemporaryDirectory() as folder:
        for record in records:
            check_out(repository, record.parent_tree, Path(folder))
            folders = Folders(objects)
            listing = Listing(folders, folders.snapshot(record.parent_tree))
            context = search(Path(folder, "files"), record.message, listing)
            samples.append(format_sample(record, context))
            found.append([(file.path, file.score) for file in context.files])
    objects.close()
    return Measured(samples, found, cpu_seconds() - before)


def check_out(repository: str, tree: str, folder: Path) -> None:
    """Make folder/files the snapshot; what it shares with the last one stays."""
    work = folder / "files"
    work.mkdir(exist_ok=True)
    environment = {**os.environ, "GIT_INDEX_FILE": str(folder / "index"), "GIT_LFS_SKIP_SMUDGE": "1"}
    command = ["git", "--git-dir", repository, "--work-tree", str(work), "read-tree", "-u", "--reset", tree]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def search(folder: Path, message: str, listing: Listing) -> Context:
    texts = {path: text for path, text in read_files(folder) if not vendored_folder(path.rpartition("/")[0]) and not is_generated(path)}
    readmes = {path: "/" not in path and path.lower().removeprefix("readme") for path in texts if path.lower().startswith("readme")}
    ranked = sorted((README_EXTENSIONS.index(end), path) for path, end in readmes.items() if end in README_EXTENSIONS)
    readme = ranked[0][1] if ranked else ""
    paths = sorted(texts)
    corpus = [terms_of(texts[path]) + terms_of(quote(path)) for path in paths]
    known = {term for terms in corpus for term in terms}
    query = [term for term in terms_of(message) if term in known]
    scores = np.zeros(len(paths))
    if query:
        retriever = bm25s.BM25(method="lucene", k1=K1, b=B, dtype="float64", backend="numpy")
        retriever.index(corpus, show_progress=False)
        scores = retriever.get_scores(query)
    best = [at for at in np.argsort(-scores.round(9), kind="stable")[: FILES + 1] if scores[at] > 0 and paths[at] != readme]
    files = tuple(FoundFile(paths[at], texts[paths[at]], float(scores[at])) for at in best[:FILES])
    return Context((readme, texts[readme]) if readme else None, listing, files)


def read_files(folder: Path) -> Iterator[tuple[str, str]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_symlink() or path.stat().st_size > MAX_BYTES:
                continue
            text = text_of(name, path.read_bytes())
            if text is not None:
                yield str(path.relative_to(folder)), text


def agree(mine: Measured, theirs: Measured, chosen: Sequence[int]) -> None:
    """Raise AssertionError unless both found the same files with the same scores; print how many samples are the same."""
    for at, expected in zip(chosen, theirs.found, strict=True):
        found = mine.found[at]
        np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], rtol=1e-9)
        rounded = [sorted((round(score, 6), path) for path, score in files) for files in (found, expected)]
        assert rounded[0] == rounded[1], (found, expected)
    same = sum(mine.samples[at] == sample for at, sample in zip(chosen, theirs.samples, strict=True))
    print(f"the same files and scores for all of {len(chosen)} commits; {same} samples are the same to the byte")


def follow(history: History, blank: CommitRecord, ids: bytes, step: int) -> None:
    """Make the contexts and samples of the whole history, twice, and print memory on the way."""
    reader = CommitReader(history.store, blank, shallow=history.shallow)
    builder = ContextBuilder(reader.objects)
    for number, record in enumerate((record for _ in range(2) for record in reader.read(ids)), 1):
        if isinstance(record, CommitRecord):
            format_sample(record, builder.context(record.parent_tree, record.message))
        if number % step == 0 or 20 * number in (len(ids), 2 * len(ids)):
            processes = [proportional_set_size(process) / 1e6 for process in (os.getpid(), *descendants(os.getpid()))]
            print(f"{number:8} commits: {processes[0]:7.0f} MB and {sum(processes[1:]):7.0f} MB of git; {parts(builder)}", flush=True)
    reader.close()


def parts(builder: ContextBuilder) -> str:
    """MB of what a builder remembers, by part."""
    documents, words, folders, index = builder._documents, builder._vocabulary, builder._folders, builder._index
    sizes = {
        "texts": sum(sys.getsizeof(text) for text, _ in documents._texts._entries.values()),
        "term counts": documents._counts._size,
        "folders": 350 * folders._remembered,
        "vocabulary": 250 * max(len(words._runs), len(words)),
        "index": sum(array.nbytes for array in vars(index).values() if isinstance(array, np.ndarray)),
    }
    told = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.items())
    return f"{told}; {index.documents} files are searched"


if __name__ == "__main__":
    main()
