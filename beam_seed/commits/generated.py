"""Files that a tool wrote, told by their names: what nobody could predict from a message, line by line."""

from __future__ import annotations

LOCK_FILES: dict[str, str] = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "Yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "Bun",
    "deno.lock": "Deno",
    "cargo.lock": "Cargo",
    "gemfile.lock": "Bundler",
    "composer.lock": "Composer",
    "poetry.lock": "Poetry",
    "pdm.lock": "PDM",
    "uv.lock": "uv",
    "pipfile.lock": "Pipenv",
    "go.sum": "Go modules",
    "go.work.sum": "Go workspaces",
    "mix.lock": "Mix",
    "rebar.lock": "Rebar",
    "pubspec.lock": "Dart pub",
    "podfile.lock": "CocoaPods",
    "package.resolved": "Swift packages",
    "flake.lock": "Nix flakes",
    "gradle.lockfile": "Gradle",
    "packages.lock.json": "NuGet",
    "project.assets.json": "NuGet",
    "cabal.project.freeze": "Cabal",
    "stack.yaml.lock": "Stack",
    "manifest.toml": "Julia packages",
    "conda-lock.yml": "conda",
    ".terraform.lock.hcl": "Terraform",
}
"""Lower-case file name -> the package manager that writes it."""

GENERATED_SUFFIXES: dict[str, str] = {
    ".min.js": "minified JavaScript",
    ".min.css": "minified CSS",
    ".js.map": "source map",
    ".css.map": "source map",
    ".pb.go": "Protocol Buffers compiler",
    ".pb.cc": "Protocol Buffers compiler",
    ".pb.h": "Protocol Buffers compiler",
    "_pb2.py": "Protocol Buffers compiler",
    "_pb2_grpc.py": "Protocol Buffers compiler",
    ".g.dart": "Dart build runner",
    ".freezed.dart": "Dart build runner",
    ".designer.cs": "Visual Studio designer",
    ".snap": "Jest snapshots",
}
"""End of a lower-case file name -> what writes such files."""

_SUFFIXES = tuple(GENERATED_SUFFIXES)


def is_generated(path: str) -> bool:
    """Whether the file is a lock file or otherwise written by a tool, as its name says.

    >>> is_generated("web/yarn.lock"), is_generated("web/lock.py")
    (True, False)
    """
    name = path.rpartition("/")[2].lower()
    return name in LOCK_FILES or name.endswith(_SUFFIXES)
