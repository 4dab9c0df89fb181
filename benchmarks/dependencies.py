"""How right dependencies are, how far the order holds, and whether both take time linear in the files.

usage: python benchmarks/dependencies.py data/packages

Against the languages' own tools, which the machine must have: node (with the TypeScript package of the corpus), go, javac with jdeps,
rustc, gcc.
"""

from __future__ import annotations

import collections
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dependency_oracles as oracles
import numpy as np
from dependency_oracles import Pairs

from beam_seed.commits.tokens import EstimatedTokens
from beam_seed.dependencies.graph import Graph, SourceFile, build_graph, read_graph
from beam_seed.dependencies.table import MANIFESTS
from beam_seed.languages.detect import detect
from beam_seed.long_context.assemble import CodeFile, assemble, count_tokens
from beam_seed.long_context.cut import cut, edges_cut
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
    members = dict(graph.edges[graph.edges[:, 0] >= graph.files].tolist())
    found = set()
    for node, needed in graph.edges[graph.edges[:, 0] < graph.files].tolist():
        if files[node].language in languages:
            target = files[members.get(needed, needed)].path
            found.add((files[node].path, str(Path(target).parent) if into_folders else target))
    return found


def named(package: Path) -> str:
    """The package's name, not that of the one folder in its archive."""
    return package.parent.name if package.name == "package" else package.name


def of_language(repository: Repository, *languages: str) -> list[str]:
    return [file.path for file in repository.files if file.language in languages]


def told(name: str, tool: str, ours: Pairs, theirs: Pairs, judged: Pairs | None = None) -> None:
    """One row. judged: those of ours that the tool can judge, where that is not all."""
    precision, _ = oracles.agreement(ours if judged is None else judged, theirs)
    _, recall = oracles.agreement(ours, theirs)
    print(f"| {name} | {tool} | {len(ours):,} | {len(theirs):,} | {precision:.4f} | {recall:.4f} |", flush=True)


def python(package: Path, process: ParserProcess, sources: Sequence[str] = ("",)) -> None:
    repository = read_repository(package, process)
    files = of_language(repository, "Python")
    known = set(files)
    theirs = {(a, b) for a, b in oracles.by_python(package, files, sources) if a != b and b in known}
    told(named(package), "ast, importlib", pairs_of(repository, ["Python"]), theirs)


def javascript(package: Path, process: ParserProcess, typescript: Path) -> None:
    repository = read_repository(package, process)
    known = {file.path for file in repository.files}
    for language, tool in (("JavaScript", "node"), ("TypeScript", "tsc")):
        files = of_language(repository, language)
        theirs = {(a, b) for a, b in oracles.by_typescript(package, files, typescript) if a != b and b in known}
        if theirs:
            told(f"{named(package)} ({language})", tool, pairs_of(repository, [language]), theirs)


def go(package: Path, process: ParserProcess) -> None:
    whole = read_repository(package, process)
    files = [file for file in whole.files if not file.path.endswith("go.mod")]
    bare = Repository(package, files, read_graph(files, process))
    theirs, seen = oracles.by_go(package)
    for repository, how in ((whole, "with go.mod"), (bare, "without go.mod")):
        ours = {(str(Path(a).parent), b) for a, b in pairs_of(repository, ["Go"], into_folders=True) if a in seen}
        told(f"{named(package)}, {how}", "go list (packages)", {(a, b) for a, b in ours if a != b}, theirs)


def java(package: Path, process: ParserProcess, source: str, work: Path) -> str:
    """Returns what javac says of compiling the files in our order."""
    files = [file for file in sorted(_files(package)) if file.language == "Java" and file.path.startswith(source)]
    files = [file for file in files if not file.path.endswith(("package-info.java", "module-info.java"))]
    repository = Repository(package, files, read_graph(files, process))
    names = [file.path for file in files]
    told(named(package), "javac, jdeps", pairs_of(repository, ["Java"]), oracles.by_jdeps(package, names, work / f"{package.name}.all"))
    ordered = order_files(repository.graph, "topological", names, ["Java"] * len(names), names)
    components = strong_components(repository.graph)
    groups: dict[int, list[str]] = {}  # the files of a cycle stand together in the order
    for number in np.argsort(ordered.positions):
        groups.setdefault(int(components[number]), []).append(names[number])
    result = oracles.compiles_in_order(package, list(groups.values()), work / f"{package.name}.ordered")
    return f"{named(package)}: {len(groups)} groups, {max(map(len, groups.values()))} files in the largest cycle: {result}"


def rust(package: Path, process: ParserProcess, roots: Sequence[str]) -> None:
    repository = read_repository(package, process)
    needed: dict[str, list[str]] = collections.defaultdict(list)
    for file, other in pairs_of(repository, ["Rust"]):
        needed[file].append(other)
    ours = {(root, file) for root in roots for file in _reached(root, needed)}
    told(named(package), "rustc (files of a crate)", ours, oracles.by_rustc(package, roots))


def _reached(root: str, needed: Mapping[str, Sequence[str]]) -> set[str]:
    found, waiting = {root}, [root]
    while waiting:
        fresh = set(needed.get(waiting.pop(), ())) - found
        found |= fresh
        waiting += fresh
    return found


def c(package: Path, process: ParserProcess, includes: Sequence[str]) -> None:
    repository = read_repository(package, process)
    known = {file.path for file in repository.files}
    sources = [path for path in of_language(repository, "C", "C++") if path.endswith((".c", ".cc", ".cpp"))]
    theirs = {(a, b) for a, b in oracles.by_gcc(package, sources, includes) if a in known and b in known}
    ours = pairs_of(repository, ["C", "C++"])
    told(named(package), "gcc -H", ours, theirs, oracles.judged(ours, theirs))


_NGINX = ("core", "event", "event/modules", "os/unix", "http", "http/modules", "mail", "stream")
_C_PACKAGES: dict[str, Sequence[str]] = {
    "zlib": ("",),
    "lua5.4": ("src",),
    "libuv1": ("include", "src"),
    "tmux": ("", "compat"),
    "leveldb": ("", "include"),
    "re2": ("",),
    "fmtlib": ("include",),
    "nginx": tuple(f"src/{name}" for name in _NGINX),
    "busybox": ("include", "libbb"),
}


def accuracy(at: Callable[[str], Path], process: ParserProcess, work: Path) -> None:
    print("| package | tool | our pairs | its pairs | precision | recall |\n| --- | --- | --- | --- | --- | --- |")
    for name in ("Django-5.1.2", "sympy-1.12", "networkx-2.8.8", "rich-13.9.2", "scikit_learn"):
        python(at(name), process)
    for name in ("Flask-2.2.5", "werkzeug"):
        python(at(name), process, ("src",))
    typescript = at("typescript-5.6.3") / "lib" / "typescript.js"
    for name in ("eslint-8.57.1", "rxjs-6.6.7", "rxjs-7.8.1", "graphql-16.9.0", "vue-2.7.16", "core-js", "lodash-es", "mocha"):
        javascript(at(name), process, typescript)
    for name in ("golang-golang-x-tools", "golang-golang-x-net", "golang-github-gin", "fzf"):
        go(at(name), process)
    compiled = [java(at(f"libcommons-{name}"), process, "src/main/java", work) for name in ("collections4", "lang3")]
    rust(at("rust-clap"), process, ["src/lib.rs"])
    rust(at("rust-ripgrep"), process, ["crates/core/main.rs"])
    for name, includes in _C_PACKAGES.items():
        c(at(name), process, includes)
    print("\njavac in our order, each group of files that need one another against the classes of those before it:\n")
    print("\n".join(f"- {line}" for line in compiled))


def cutting(at: Callable[[str], Path], process: ParserProcess) -> None:
    """Dependencies cut by METIS, and by breaking the topological order off wherever the budget ends."""
    print("\n| package | files | tokens | sequences | longest | dependencies | cut | cut where the order is broken off |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in ("Django-5.1.2", "sympy-1.12", "rails", "core-js", "nunit", "libcommons-collections4"):
        repository = read_repository(at(name), process)
        files = [code_file(file) for file in repository.files]
        made = assemble("r", files, process)
        naive = edges_cut(repository.graph, _broken_off(repository, [count_tokens(file, EstimatedTokens()) for file in files]))
        longest = max(sequence.tokens for sequence in made.sequences if sequence.files > 1)
        told = [made.facts[name] for name in ("files", "tokens", "sequences")] + [longest]
        told += [made.facts[name] for name in ("edges", "edges_cut")] + [naive]
        print(f"| {name} | {' | '.join(f'{each:,}' for each in told)} |", flush=True)


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


def linear(package: Path, process: ParserProcess) -> None:
    """Microseconds a file for a package that is copied 1 to 32 times into one repository."""
    source = [file for file in _files(package) if file.language == "Python"]
    print("\n| files | dependencies | parse, us/file | resolve, us/file | order, us/file | cut, us/file |")
    print("| --- | --- | --- | --- | --- | --- |")
    for copies in (1, 2, 4, 8, 16, 32):
        many = [file._replace(path=f"copy{number}/{file.path}") for number in range(copies) for file in source]
        paths, languages = [file.path for file in many], ["Python"] * len(many)
        tokens = np.array([count_tokens(code_file(file), EstimatedTokens()) for file in many])
        mentions, parsing = _timed(process.read_mentions, [(file.content.encode(), "Python") for file in many])
        graph, resolving = _timed(build_graph, paths, languages, mentions)
        ordered, ordering = _timed(order_files, graph, "topological", paths, languages, paths)
        _, cutting = _timed(cut, graph, tokens, ordered.positions, 32_768)
        per_file = [1e6 * each / len(many) for each in (parsing, resolving, ordering, cutting)]
        print(f"| {len(many):,} | {len(graph.edges):,} | {' | '.join(f'{each:,.0f}' for each in per_file)} |", flush=True)


def _timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What it returns, and seconds: of the clock, because the parser is another process."""
    started = time.perf_counter()
    made = work(*arguments)
    return made, time.perf_counter() - started


def code_file(file: SourceFile) -> CodeFile:
    return CodeFile(file.path, "", "r", file.path, file.content, file.language, "", None)


def main() -> None:
    packages = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, ParserProcess() as process:
        work = Path(folder).resolve()

        def at(name: str) -> Path:
            return unpack(next(packages.glob(f"*/{name}*")), work)

        accuracy(at, process, work)
        cutting(at, process)
        linear(at("networkx-2.8.8"), process)


if __name__ == "__main__":
    main()
