"""Dependencies among the files of a folder by the languages' own tools: pairs (file, needed file), paths below the folder."""

from __future__ import annotations

import ast
import collections
import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

Pairs = set[tuple[str, str]]


def by_python(root: Path, files: Sequence[str], sources: Sequence[str] = ("",)) -> Pairs:
    """``ast`` finds the statements, the import system's own path finder the modules; each leads to the deepest module it names."""
    found = set()
    tops = [str(root / source) for source in sources]
    for file in files:
        own = os.path.dirname(root / file)
        while os.path.exists(os.path.join(own, "__init__.py")):
            own = os.path.dirname(own)
        package = os.path.relpath(os.path.dirname(root / file), own).split(os.sep)
        package = [] if package == ["."] else package
        for names in _statements(ast.parse((root / file).read_bytes()), package):
            origins = (origin for name in names if (origin := _origin(name, [own, *tops])))
            if origin := next(origins, None):
                found.add((file, os.path.relpath(origin, root)))
    return found


def _statements(tree: ast.AST, package: list[str]) -> Iterator[list[str]]:
    """Of each import the modules it may mean, the deepest first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ([alias.name] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            if node.level > len(package):
                continue
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ([f"{module}.{alias.name}", module] for alias in node.names)


def _origin(name: str, paths: list[str]) -> str | None:
    where: list[str] | None = paths
    origin = None
    for part in name.split("."):
        spec = PathFinder.find_spec(part, where) if where is not None else None
        if spec is None:
            return None
        origin, where = spec.origin, list(spec.submodule_search_locations) if spec.submodule_search_locations is not None else None
    return origin


def by_typescript(root: Path, files: Sequence[str], typescript: Path) -> Pairs:
    """TypeScript's compiler finds the imports; Node resolves them for JavaScript, the compiler for TypeScript."""
    script = Path(__file__).parent / "oracles" / "imports.js"
    paths = "\n".join(str(root / file) for file in files)
    done = subprocess.run(["node", script, typescript], input=paths, capture_output=True, text=True, check=True)
    return {(os.path.relpath(file, root), os.path.relpath(needed, root)) for file, needed in json.loads(done.stdout)}


def by_go(root: Path) -> tuple[Pairs, set[str]]:
    """``go list``: pairs of folders of packages, and the files it looks at for this platform."""
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOWORK": "off", "GO111MODULE": "on"}
    done = subprocess.run(["go", "list", "-e", "-json", "./..."], cwd=root, capture_output=True, text=True, env=environment, check=False)
    decoder, text = json.JSONDecoder(), done.stdout
    packages = []
    while text := text.lstrip():
        package, end = decoder.raw_decode(text)
        packages.append(package)
        text = text[end:]
    folders = {package["ImportPath"]: os.path.relpath(package["Dir"], root) for package in packages if package.get("GoFiles")}
    pairs, seen = set(), set()
    for package in packages:
        folder = os.path.relpath(package["Dir"], root)
        seen.update(os.path.normpath(os.path.join(folder, name)) for name in [*package.get("GoFiles", ()), *package.get("CgoFiles", ())])
        pairs.update((folder, folders[name]) for name in package.get("Imports", ()) if name in folders)
    return pairs, seen


def by_jdeps(root: Path, files: Sequence[str], work: Path) -> Pairs:
    """javac compiles the files, jdeps reads the classes: what the code needs, whether it is named or inferred."""
    classes = work / "classes"
    classes.mkdir(parents=True, exist_ok=True)
    listing = work / "files"
    listing.write_text("\n".join(str(root / file) for file in files))
    subprocess.run(["javac", "-proc:none", "-nowarn", "-encoding", "UTF-8", "-d", classes, f"@{listing}"], capture_output=True, check=True)
    done = subprocess.run(["jdeps", "-v", "-cp", classes, classes], capture_output=True, text=True, check=True)
    declared = {file.rpartition("java/")[2].removesuffix(".java").replace("/", "."): file for file in files}
    pairs = set()
    for line in done.stdout.splitlines():
        if (match := re.match(r"\s+([\w.$]+)\s+-> ([\w.$]+)\s", line)) and all(name.split("$")[0] in declared for name in match.groups()):
            file, needed = (declared[name.split("$")[0]] for name in match.groups())
            pairs.add((file, needed))
    return {(file, needed) for file, needed in pairs if file != needed}


def compiles_in_order(root: Path, groups: Sequence[Sequence[str]], work: Path) -> str:
    """Compile groups of Java files one after the other, each against the classes of those before it; what the program says last."""
    classes, empty = work / "ordered", work / "empty"
    classes.mkdir(parents=True, exist_ok=True)
    empty.mkdir(exist_ok=True)
    lines = "\n".join("\t".join(str(root / file) for file in group) for group in groups)
    program = Path(__file__).parent / "oracles" / "CompileInOrder.java"
    done = subprocess.run(["java", program, classes, empty], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def by_rustc(root: Path, crates: Sequence[str]) -> Pairs:
    """``rustc --emit dep-info``: the root of each crate with the files it is made of on this platform, with every feature."""
    sources = " ".join(path.read_text(errors="replace") for path in root.rglob("*.rs"))
    features = [f"--cfg={feature}" for feature in sorted(set(re.findall(r'feature = "[^"\\n]+"', sources)))]
    pairs = set()
    for crate in crates:
        command = ["rustc", "--edition=2021", "--crate-name=x", "--test", *features, "--emit=dep-info=-", crate]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        pairs.update((crate, os.path.normpath(line[:-1])) for line in done.stdout.splitlines() if line.endswith(".rs:"))
    return pairs


def by_gcc(root: Path, files: Sequence[str], includes: Sequence[str]) -> Pairs:
    """``gcc -H``: each file with the headers that it includes itself on this platform; what is missing is taken to be generated."""
    flags = [f"-I{root / folder}" for folder in includes]
    pairs = set()
    for file in files:
        command = ["gcc", "-M", "-MG", "-H", *flags, str(root / file)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        above = {0: os.path.normpath(root / file)}
        for line in done.stderr.splitlines():
            if match := re.match(r"(\.+) (.+)", line):
                depth = len(match[1])
                above[depth] = os.path.normpath(match[2])
                pairs.add((above[depth - 1], above[depth]))
    inside = (tuple(os.path.relpath(path, root) for path in pair) for pair in pairs)
    return {(file, needed) for file, needed in inside if not file.startswith("..") and not needed.startswith("..") and file != needed}


def agreement(ours: Pairs, theirs: Pairs) -> tuple[float, float]:
    """(precision, recall) of ours; 1 where there is nothing to be wrong about."""
    common = len(ours & theirs)
    return (common / len(ours) if ours else 1.0), (common / len(theirs) if theirs else 1.0)


def judged(ours: Pairs, theirs: Pairs) -> Pairs:
    """Of ours, those that a tool which sees one platform can judge: it saw the file include something of that name."""
    named = collections.defaultdict(set)
    for file, needed in theirs:
        named[file].add(os.path.basename(needed))
    return {(file, needed) for file, needed in ours if os.path.basename(needed) in named[file]}
