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

BUILT_FILES: dict[str, str] = {
    "bootstrap.js": "Bootstrap",
    "bootstrap.bundle.js": "Bootstrap",
    "bootstrap.css": "Bootstrap",
    "bootstrap-responsive.css": "Bootstrap",
    "bootstrap-theme.css": "Bootstrap",
    "jquery-ui.js": "jQuery UI",
    "jquery-ui.css": "jQuery UI",
    "font-awesome.css": "Font Awesome",
}
"""Lower-case file name -> the library whose build writes it; others copy it beside their own files. The library's own repository has it
built only, too: no underscore.js or jquery.js, which are sources there, where no name tells them from a copy."""

_SUFFIXES = tuple(GENERATED_SUFFIXES)


def is_generated(path: str) -> bool:
    """Whether the file is a lock file, the built file of a library or otherwise written by a tool, as its name says.

    >>> is_generated("web/yarn.lock"), is_generated("web/lock.py")
    (True, False)
    """
    name = path.rpartition("/")[2].lower()
    return name in LOCK_FILES or name in BUILT_FILES or name.endswith(_SUFFIXES)
