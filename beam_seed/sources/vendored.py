"""Folders that by convention hold somebody else's code, or what tools made of the repository's own.

One table: lower-case folder name -> what it holds. A file is vendored where any folder above it, within its repository, is in the
table. The repository's own folder is never looked at, so installed packages (whose ``site-packages`` is above them) are not.
File names (``*.min.js``, lock files) are a matter of the content rules, not of reading.
"""

from __future__ import annotations

import functools

VENDORED_FOLDERS: dict[str, str] = {
    # JavaScript
    "node_modules": "npm packages",
    "bower_components": "Bower packages",
    "jspm_packages": "jspm packages",
    "web_modules": "Snowpack packages",
    ".yarn": "Yarn releases and caches",
    # Python
    "site-packages": "installed Python packages",
    "dist-packages": "installed Python packages (Debian)",
    ".venv": "virtual environment",
    "venv": "virtual environment",
    "virtualenv": "virtual environment",
    "__pypackages__": "installed Python packages (PEP 582)",
    ".tox": "tox environments",
    ".nox": "nox environments",
    ".eggs": "setuptools build requirements",
    "__pycache__": "Python byte code",
    # Go, PHP, Ruby, Rust
    "vendor": "vendored packages (Go, Composer, Bundler, Cargo)",
    "_vendor": "vendored packages (pip, setuptools)",
    "vendored": "vendored packages",
    "vendored_packages": "vendored packages",
    "godeps": "Go packages (godep)",
    # Apple
    "pods": "CocoaPods packages",
    "carthage": "Carthage packages",
    "deriveddata": "Xcode build output",
    # C, C++, Java and any other
    "third_party": "third-party code",
    "third-party": "third-party code",
    "thirdparty": "third-party code",
    "3rdparty": "third-party code",
    "3rd_party": "third-party code",
    ".gradle": "Gradle caches",
    "dist": "distribution built from the sources",
    "__macosx": "resource forks added by an archiver",
}

VERSION_CONTROL_FOLDERS: dict[str, str] = {
    ".git": "git",
    ".hg": "Mercurial",
    ".svn": "Subversion",
    ".bzr": "Bazaar",
    "_darcs": "Darcs",
    "cvs": "CVS",
}

RULES = ((VERSION_CONTROL_FOLDERS, "version-control"), (VENDORED_FOLDERS, "vendored"))


@functools.lru_cache(maxsize=1024)  # files come in order of path: a folder is asked for many times in a row
def vendored_folder(folder: str) -> tuple[str, str] | None:
    """Rule ('version-control' or 'vendored') and first folder that decides it, for the folder of a file; None for a repository's own.

    >>> vendored_folder("web/node_modules/left-pad")
    ('vendored', 'web/node_modules')
    """
    parts = folder.lower().split("/")
    for depth, part in enumerate(parts):
        for table, rule in RULES:
            if part in table:
                return rule, "/".join(folder.split("/")[: depth + 1])
    return None
