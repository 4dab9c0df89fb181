"""Which commit is at HEAD, told by the files of a git folder alone: nothing that the folder configures is read.

Also told, with a remedy: what git of the object ids and files that we read (SHA-1, references in files) cannot be asked for.
"""

from __future__ import annotations

import os
import re

from beam_seed.sources.repository import path_fault

_MAX_STEPS = 5  # from a symbolic reference to the next, as many as git follows
_LINE_BYTES = 8192  # of packed-refs; a name is a path of at most 4,096 bytes
_REFTABLE = "refs/heads/.invalid"  # what HEAD names for whoever cannot read a reftable

SHA256 = "its object ids are of SHA-256, which are not read; expected SHA-1: git fast-export --all | git fast-import into a new repository"


def head_commit(folder: str, common: str) -> str:
    """Id of the commit, or of the tag of one, at HEAD; '' where its branch has no commit yet.

    folder: holds HEAD. common: holds the references; the same but for a working tree of several. Raises ValueError where they are damaged
    or of a kind that is not read.
    """
    value = _first_line(os.path.join(folder, "HEAD"))
    for _ in range(_MAX_STEPS):
        if not value.startswith("ref:"):
            return _checked(value)
        name = value[len("ref:") :].strip()
        if name == _REFTABLE:
            raise ValueError("its references are in a reftable, which is not read; expected files: git refs migrate --ref-format=files")
        if not name.startswith("refs/") or path_fault(name):
            raise ValueError("HEAD names no reference; expected refs/heads/ and a branch")
        value = _first_line(os.path.join(common, *name.split("/"))) or _packed(os.path.join(common, "packed-refs"), os.fsencode(name))
        if not value:
            return ""
    raise ValueError(f"HEAD leads through more than {_MAX_STEPS} symbolic references; expected a branch")


def _first_line(path: str) -> str:
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        return os.fsdecode(file.readline(_LINE_BYTES)).strip()


def _packed(path: str, name: bytes) -> str:
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        while line := file.readline(_LINE_BYTES):
            oid, _, found = line.rstrip(b"\n").partition(b" ")
            if found == name:
                return os.fsdecode(oid)
    return ""


def _checked(oid: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", oid):
        raise ValueError(SHA256)
    if not re.fullmatch(r"[0-9a-f]{40}", oid):
        raise ValueError("its HEAD holds no commit id; expected 40 hex digits")  # what it holds may be anybody's, so it is not shown
    return oid
