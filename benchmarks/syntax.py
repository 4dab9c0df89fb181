"""CPU time of the syntax step against a bare tree-sitter loop over the same files.

    python benchmarks/syntax.py [FOLDER]

FOLDER holds source files (default: the installed Python packages). Used is every file whose extension belongs to one checked language
and that the minimal rules (not generated, no endless lines) would let through to this step, up to the limits below.
The bare loop parses each file once, in this process, and asks only whether the tree has an error. The step is ``check_batch``: encoding,
the pipe, the parser process with its start, further grammars where the first finds errors, measuring, answers.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import resource
import statistics
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tree_sitter

from beam_seed.languages.registry import LANGUAGES
from beam_seed.records import Document
from beam_seed.rules.rules import judge_rules
from beam_seed.syntax.check import check_batch
from beam_seed.syntax.grammars import GRAMMARS, load
from beam_seed.syntax.isolation import ParserProcess
from beam_seed.syntax.readings import readings_of

ROUNDS = 3
MAX_FILE_BYTES = 1 << 20
MAX_FILES = 5_000
MAX_LANGUAGE_FILES = 1_500  # so that a folder of one language does not hide the others
BATCH_FILES = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=sysconfig.get_path("purelib"), type=Path)
    documents = list(read_documents(Path(parser.parse_args().folder)))
    languages = collections.Counter(document.language for document in documents)
    megabytes = sum(document.size for document in documents) / 1e6
    print(f"{len(documents)} files, {megabytes:.1f} MB: " + ", ".join(f"{name} {count}" for name, count in languages.most_common()))
    seconds: dict[str, list[tuple[float, float]]] = {"bare loop": [], "syntax step": []}
    for _ in range(ROUNDS):
        seconds["bare loop"].append(timed(lambda: bare_loop(documents)))
        seconds["syntax step"].append(timed(lambda: syntax_step(documents)))
    print(f"{'':12} {'CPU s':>8} {'wall s':>8} {'MB/CPU-s':>9} {'files/CPU-s':>12}   (medians of {ROUNDS} rounds)")
    for name, rounds in seconds.items():
        cpu, wall = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:12} {cpu:8.2f} {wall:8.2f} {megabytes / cpu:9.2f} {len(documents) / cpu:12.0f}")
    ratios = [step[0] / bare[0] for bare, step in zip(*seconds.values(), strict=True)]
    print(f"ratio of CPU time: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def read_documents(folder: Path) -> Iterator[Document]:
    """The folder's files, at most MAX_FILES and MAX_LANGUAGE_FILES of a language, in an order that is random but the same in every run."""
    claims = collections.defaultdict(list)
    for known_language in LANGUAGES:
        for extension in known_language.extensions:
            claims[extension].append(known_language.name)
    known = {extension: names[0] for extension, names in claims.items() if len(names) == 1 and names[0] in GRAMMARS}
    found: dict[str, int] = collections.Counter()
    paths = [path for path in folder.rglob("*") if path.suffix in known and path.is_file()]
    for path in sorted(paths, key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest()):
        language = known[path.suffix]
        if sum(found.values()) >= MAX_FILES:
            return
        if found[language] >= MAX_LANGUAGE_FILES or not 0 < (size := path.stat().st_size) <= MAX_FILE_BYTES:
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue  # the pipeline's read stage would not let it through
        document = Document(str(path), "", "", str(path), "", text, size, "", "", None, None, "", language)
        if judge_rules([document]) == [document]:
            found[language] += 1
            yield document


def bare_loop(documents: list[Document]) -> None:
    parsers = {name: tree_sitter.Parser(load(GRAMMARS[name][0])) for name in {document.language for document in documents}}
    for document in documents:
        code = readings_of(document.language)[0](document.content.encode())
        assert parsers[document.language].parse(code).root_node.has_error in (True, False)


def syntax_step(documents: list[Document]) -> None:
    with ParserProcess() as process:
        for start in range(0, len(documents), BATCH_FILES):
            check_batch(documents[start : start + BATCH_FILES], process)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """(CPU, wall) seconds of ``work`` and of the processes it started and ended."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    return cpu_seconds() - cpu, time.perf_counter() - wall


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
