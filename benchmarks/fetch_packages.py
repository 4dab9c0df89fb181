"""Fetches the packages named in packages.txt with pip, npm and apt-get: ``python benchmarks/fetch_packages.py DIR [--packages=FILE]``.

Each client uses the registry it is configured for. What is there already is not fetched again, so a run that was
cut short is continued by the same command. A package that cannot be fetched is reported, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REGISTRIES = ("pypi", "npm", "debian")
PACKAGES = Path(__file__).with_name("packages.txt")
APT_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


def fetch(registry: str, name: str, form: str, folder: Path) -> None:
    """Fetches one package into ``folder``.

    Raises:
        subprocess.CalledProcessError: the registry's client failed.
    """
    if registry == "pypi":
        # Of this package only: what a source distribution needs for its metadata may well come as a wheel.
        choice = [f"--{'only-binary' if form == 'wheel' else 'no-binary'}={name.split('==')[0]}"]
        # CPython 3.11's wheels: the same files whatever interpreter runs this script. A source distribution can only be
        # taken for the running interpreter, because pip asks it for its metadata.
        target = ["--python-version", "3.11", "--implementation", "cp"] if form == "wheel" else []
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *choice, *target, "--dest", str(folder), name]
    elif registry == "npm":
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), name]
    else:
        command = ["apt-get", *apt_options(folder.parent), "--quiet", "--download-only", "--tar-only", "source", name]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def apt_options(root: Path) -> list[str]:
    """Options that give apt-get source packages without touching the machine's own configuration."""
    private = root / "apt"
    return [
        f"-oDir::Etc::sourcelist={private / 'none'}",
        f"-oDir::Etc::sourceparts={private / 'sources'}",
        f"-oDir::State::lists={private / 'lists'}",
        f"-oDir::Cache={private / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]


def prepare_apt(root: Path) -> None:
    """Writes a private list of the machine's Debian sources with the source packages switched on, and reads their index."""
    private = root / "apt"
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (private / name).mkdir(parents=True, exist_ok=True)
    text = re.sub(r"^Types: deb$", "Types: deb-src", APT_SOURCES.read_text(), flags=re.MULTILINE)
    (private / "sources" / "debian.sources").write_text(text)
    subprocess.run(["apt-get", *apt_options(root), "--quiet", "update"], check=True, stdout=subprocess.DEVNULL)


def fetch_all(registry: str, lines: list[list[str]], root: Path) -> int:
    """Fetches what is not there yet of one registry's packages; the number of packages that could not be fetched."""
    folder, done_file = root / registry, root / f"fetched-{registry}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    done = set(done_file.read_text().splitlines()) if done_file.exists() else set()
    todo = [line for line in lines if " ".join(line) not in done]
    if registry == "debian" and todo:
        prepare_apt(root)
    missing = 0
    for line in todo:
        try:
            fetch(registry, line[1], line[-1], folder)
        except subprocess.CalledProcessError as error:
            missing += 1
            print(f"not fetched: {' '.join(line)}: {error.stderr.strip().splitlines()[-1:]}", file=sys.stderr, flush=True)
            continue
        with open(done_file, "a") as stream:
            stream.write(" ".join(line) + "\n")
        print(" ".join(line), flush=True)
    return missing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path, help="where the archives go: DIR/pypi, DIR/npm, DIR/debian")
    parser.add_argument("--packages", type=Path, default=PACKAGES, help="list of packages, such as held_out_packages.txt")
    arguments = parser.parse_args()
    root = arguments.directory.resolve()
    lines = [line.split() for line in arguments.packages.read_text().splitlines() if line and not line.startswith("#")]
    with ThreadPoolExecutor() as pool:  # one client per registry at a time
        missing = sum(pool.map(lambda registry: fetch_all(registry, [line for line in lines if line[0] == registry], root), REGISTRIES))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
