"""How right dependencies are, how far the order holds, and whether both take time linear in the files.

usage: python benchmarks/dependencies.py data/packages [WORK]

Against the languages' own tools where the machine has them: Python, node (with the TypeScript package of the corpus), go, javac with jdeps, gcc.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import dependency_oracles as oracles
import numpy as np
from dependency_oracles import Pairs

from beam_seed.dependencies.graph import Graph, SourceFile, read_graph
from beam_seed.dependencies.table import MANIFESTS
from beam_seed.languages.detect import detect
from beam_seed.long_context.assemble import CodeFile, assemble
from beam_seed.long_context.cut import edges_cut
from beam_seed.long_context.order import order_files, strong_components
from beam_seed.syntax.isolation import ParserProcess

MAX_BYTES = 1 << 20


class Repository(NamedTuple):
    root: Path
    files: list[SourceFile]  # by path
    graph: Graph


def unpack(archive: Path, work: Path) -> Path:
    """The folder that holds the archive's files, without the one folder they may all lie in."""
    folder = work / archive.name
    if not folder.exists():
        if archive.suffix in (".whl", ".zip"):
            zipfile.ZipFile(archive).extractall(folder)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def read_repository(root: Path, process: ParserProcess) -> Repository:
    return Repository(root, files := sorted(_files(root)), read_graph(files, process))


def _files(root: Path) -> Iterator[SourceFile]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BYTES:
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            name = str(path.relative_to(root))
            language = detect(name, text).language
            if language or path.name in MANIFESTS:
                yield SourceFile(name, language or "", text)


def pairs_of(repository: Repository, languages: Sequence[str], into_folders: bool = False) -> Pairs:
    """Our pairs of files of these languages; a group is its folder."""
    files, graph = repository.files, repository.graph
    members = {group: needed for group, needed in graph.edges[graph.edges[:, 0] >= graph.files].tolist()}
    found = set()
    for node, needed in graph.edges[graph.edges[:, 0] < graph.files].tolist():
        if files[node].language in languages:
            target = files[members.get(needed, needed)].path
            found.add((files[node].path, str(Path(target).parent) if into_folders else target))
    return found


def of_language(repository: Repository, *languages: str, under: str = "") -> list[str]:
    return [file.path for file in repository.files if file.language in languages and file.path.startswith(under)]


def told(name: str, tool: str, ours: Pairs, theirs: Pairs, precise: Pairs | None = None) -> None:
    """One row. precise: ours that the tool can judge."""
    precision, _ = oracles.agreement(ours if precise is None else precise, theirs)
    _, recall = oracles.agreement(ours, theirs)
    print(f"| {name} | {tool} | {len(ours):,} | {len(theirs):,} | {precision:.4f} | {recall:.4f} |", flush=True)


def python(package: Path, process: ParserProcess, sources: Sequence[str] = ("",)) -> None:
    repository = read_repository(package, process)
    files = of_language(repository, "Python")
    known = set(files)
    theirs = {(a, b) for a, b in oracles.by_python(package, files, sources) if a != b and b in known}
    told(package.name, "ast, importlib", pairs_of(repository, ["Python"]), theirs)


def javascript(package: Path, process: ParserProcess, typescript: Path) -> None:
    repository = read_repository(package, process)
    known = {file.path for file in repository.files}
    for language, tool in (("JavaScript", "node"), ("TypeScript", "tsc")):
        files = of_language(repository, language)
        theirs = {(a, b) for a, b in oracles.by_typescript(package, files, typescript) if a != b and b in known}
        if theirs:
            told(f"{package.name} ({language})", tool, pairs_of(repository, [language]), theirs)


def go(package: Path, process: ParserProcess) -> None:
    for with_module in (True, False):
        repository = read_repository(package, process)
        if not with_module:
            files = [file for file in repository.files if file.path.rpartition("/")[2] != "go.mod"]
            repository = Repository(package, files, read_graph(files, process))
        theirs, seen = oracles.by_go(package)
        ours = {(str(Path(a).parent), b) for a, b in pairs_of(repository, ["Go"], into_folders=True) if a in seen}
        same = {(a, b) for a, b in ours if a != b}
        told(f"{package.name}, {'with' if with_module else 'without'} go.mod", "go list (packages)", same, theirs)


def java(package: Path, process: ParserProcess, source: str, work: Path) -> None:
    whole = read_repository(package, process)
    files = [file for file in whole.files if file.language == "Java" and file.path.startswith(source)]
    files = [file for file in files if not file.path.endswith(("package-info.java", "module-info.java"))]
    repository = Repository(package, files, read_graph(files, process))
    names = [file.path for file in files]
    theirs = oracles.by_jdeps(package, names, work / f"{package.name}.classes")
    ours = pairs_of(repository, ["Java"])
    told(package.name, "javac, jdeps", ours, theirs)
    ordered = order_files(repository.graph, "topological", names, ["Java"] * len(names), names)
    components = strong_components(repository.graph)
    groups: dict[int, list[str]] = {}  # a cycle is compiled where its first file stands, and what needs it comes later still
    for number in np.argsort(ordered.positions):
        groups.setdefault(int(components[number]), []).append(names[number])
    result = oracles.compiles_in_order(package, list(groups.values()), work / f"{package.name}.ordered")
    print(f"\n{package.name}, javac in our order, one of {len(groups)} strongly connected groups after the other: {result}\n")


def c(package: Path, process: ParserProcess, includes: Sequence[str]) -> None:
    repository = read_repository(package, process)
    known = {file.path for file in repository.files}
    sources = [path for path in of_language(repository, "C", "C++") if path.endswith((".c", ".cc", ".cpp"))]
    theirs = {(a, b) for a, b in oracles.by_gcc(package, sources, includes) if a in known and b in known}
    ours = pairs_of(repository, ["C", "C++"])
    told(package.name, "gcc -H", ours, theirs, oracles.judged(ours, theirs))


def accuracy(packages: Path, work: Path) -> None:
    def at(name: str) -> Path:
        return unpack(next(packages.glob(f"*/{name}*")), work)

    print("| package | tool | our pairs | its pairs | precision | recall |\n| --- | --- | --- | --- | --- | --- |")
    with ParserProcess() as process:
        for name in ("Django-5.1.2", "sympy-1.12", "networkx-2.8.8", "rich-13.9.2", "scikit_learn"):
            python(at(name), process)
        for name in ("Flask-2.2.5", "werkzeug"):
            python(at(name), process, ("src",))
        typescript = at("typescript-5.6.3") / "lib" / "typescript.js"
        for name in ("eslint-8.57.1", "rxjs-6.6.7", "rxjs-7.8.1", "graphql-16.9.0", "vue-2.7.16", "core-js", "lodash-es", "mocha"):
            javascript(at(name), process, typescript)
        for name in ("golang-golang-x-tools", "golang-golang-x-net", "golang-github-gin", "golang-github-spf13", "fzf"):
            go(at(name), process)
        for name, source in (
            ("libcommons-collections4", "src/main/java"),
            ("libcommons-collections3", "src/java"),
            ("libcommons-lang3", "src/main"),
        ):
            java(at(name), process, source, work)
        for name, includes in _C_PACKAGES.items():
            c(at(name), process, includes)


_C_PACKAGES: dict[str, Sequence[str]] = {
    "zlib": ("",),
    "lua5.4": ("src",),
    "libuv1": ("include", "src"),
    "tmux": ("", "compat"),
    "leveldb": ("", "include"),
    "re2": ("",),
    "fmtlib": ("include",),
    "nginx": (
        "src/core",
        "src/event",
        "src/event/modules",
        "src/os/unix",
        "src/http",
        "src/http/modules",
        "src/http/v2",
        "src/mail",
        "src/stream",
    ),
    "busybox": ("include", "libbb"),
}


def linear(work: Path) -> None:
    """Time of parsing and of ordering and cutting, a file, for a package copied 1 to 16 times into one repository."""
    files = [file for file in _files(work) if file.language == "Python"]
    print("\n| files | edges | parse and resolve, us/file | order, us/file | order and cut, us/file |\n| --- | --- | --- | --- | --- |")
    with ParserProcess() as process:
        for copies in (1, 2, 4, 8, 16):
            many = [file._replace(path=f"copy{number}/{file.path}") for number in range(copies) for file in files]
            graph, parsing = _timed(lambda many=many: read_graph(many, process))
            paths = [file.path for file in many]
            ordered, ordering = _timed(lambda: order_files(graph, "topological", paths, ["Python"] * len(paths), paths))
            whole = [CodeFile(file.path, "", "r", file.path, file.content, "Python", "", None) for file in many]
            made, assembling = _timed(lambda whole=whole: assemble("r", whole, process))
            per_file = [1e6 * each / len(many) for each in (parsing, ordering, assembling - parsing)]
            print(f"| {len(many):,} | {len(graph.edges):,} | {' | '.join(f'{each:,.0f}' for each in per_file)} |", flush=True)
            assert made.facts["edges_against_order"] == ordered.broken


def _timed(work: Callable[[], object]) -> tuple:
    started = time.perf_counter()
    made = work()
    return made, time.perf_counter() - started


def cutting(packages: Path, work: Path) -> None:
    """Dependencies cut by METIS, and by cutting the topological order at the budget."""
    print("\n| package | dependencies | cut | cut where the order is just broken off |\n| --- | --- | --- | --- |")
    with ParserProcess() as process:
        for name in ("Django-5.1.2", "sympy-1.12", "rails", "core-js", "nunit", "libcommons-collections4"):
            repository = read_repository(unpack(next(packages.glob(f"*/{name}*")), work), process)
            files = [CodeFile(file.path, "", "r", file.path, file.content, file.language, "", None) for file in repository.files]
            made = assemble("r", files, process)
            naive = _broken_off(repository, [len(file.content.encode()) // 3 + 9 for file in files])
            print(
                f"| {name} | {made.facts['edges']:,} | {made.facts['edges_cut']:,} | {edges_cut(repository.graph, naive):,} |", flush=True
            )


def _broken_off(repository: Repository, tokens: list[int], budget: int = 32_768) -> list[list[int]]:
    paths = [file.path for file in repository.files]
    ordered = order_files(repository.graph, "topological", paths, [file.language for file in repository.files], paths)
    runs: list[list[int]] = [[]]
    room = budget
    for number in np.argsort(ordered.positions).tolist():
        if tokens[number] > room:
            runs.append([])
            room = budget
        runs[-1].append(number)
        room -= tokens[number]
    return runs


def main() -> None:
    packages = Path(sys.argv[1])
    work = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp()).resolve()
    accuracy(packages, work)
    cutting(packages, work)
    linear(unpack(next(packages.glob("*/networkx-2.8.8*")), work))
    if len(sys.argv) <= 2:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
