"""Small histories made on the spot with git's fast-import, which takes any byte anywhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from beam_seed.commits.records import Objects

FILE, PROGRAM, LINK, SUBMODULE = b"100644", b"100755", b"120000", b"160000"
Change = bytes | tuple[bytes, bytes] | None
"""The content of a file, (mode, content), or None where it is deleted."""


class History:
    """Collects commits; ``write`` makes the repository. A commit is known by its number, from 1."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._stream = bytearray()
        self._count = 0
        self.ids: list[str] = []

    def commit(
        self,
        changes: Mapping[bytes, Change],
        message: bytes = b"Change some lines",
        parents: Sequence[int] | None = None,
        author: bytes = b"A <a@b.c>",
        time: int | None = None,
        encoding: bytes = b"",
    ) -> int:
        """Add a commit on top of the last one, or of ``parents`` (the first of which its snapshot starts from)."""
        self._count += 1
        when = b"%d +0530" % (1_700_000_000 + 86_400 * self._count if time is None else time)
        parents = ([self._count - 1] if self._count > 1 else []) if parents is None else list(parents)
        self._stream += b"reset refs/heads/main\n" + (b"" if parents else b"\n")
        self._stream += b"commit refs/heads/main\nmark :%d\nauthor %s %s\ncommitter C <c@d.e> %s\n" % (self._count, author, when, when)
        self._stream += b"encoding %s\n" % encoding if encoding else b""
        self._stream += b"data %d\n%s\n" % (len(message), message)
        for position, parent in enumerate(parents):
            self._stream += (b"merge" if position else b"from") + b" :%d\n" % parent
        for path, change in changes.items():
            self._change(b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"', change)
        self._stream += b"\n"
        return self._count

    def _change(self, path: bytes, change: Change) -> None:
        if change is None:
            self._stream += b"D %s\n" % path
            return
        mode, data = (FILE, change) if isinstance(change, bytes) else change
        if mode == SUBMODULE:
            self._stream += b"M %s %s %s\n" % (mode, data, path)
        else:
            self._stream += b"M %s inline %s\ndata %d\n%s\n" % (mode, path, len(data), data)

    def write(self) -> Path:
        """Make the bare repository; ``ids`` are the commits' ids in order."""
        self.folder.mkdir(parents=True)
        run_git(self.folder, "init", "-q", "--bare")
        run_git(self.folder, "fast-import", "--quiet", "--export-marks=marks", stdin=bytes(self._stream))
        marks = dict(line.split() for line in (self.folder / "marks").read_text().splitlines())
        self.ids = [marks[f":{number}"] for number in range(1, self._count + 1)]
        (self.folder / "marks").unlink()
        return self.folder


def run_git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "a"), ("EMAIL", "a@b.c"))},
        "GIT_ALLOW_PROTOCOL": "file",
    }
    command = ["git", "-c", "init.defaultBranch=main", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=True).stdout


@pytest.fixture
def git() -> Callable[..., bytes]:
    """Runs git in a folder, without the machine's configuration."""
    return run_git


@pytest.fixture
def new_history(tmp_path: Path) -> Callable[..., History]:
    """Starts a history of a name."""
    return lambda name="history": History(tmp_path / f"{name}.git")


def odd(history: History) -> History:
    """One commit for each odd thing a history can hold."""
    lines = [b"line %d of the first file\n" % number for number in range(40)]
    text = b"".join(lines)
    history.commit({b"a.py": text, b"b/c.py": b"x = 1\n", b"crlf.bat": b"echo 1\r\necho 2\r\n", b"end": b"no newline", b"empty": b""})
    history.commit({b"a.py": text.replace(b"line 3 ", b"LINE 3 ").replace(b"line 33 ", b"LINE 33 "), b"end": b"no newline\n"})
    history.commit({b"end": b"again\nwithout", b"crlf.bat": b"echo 1\r\necho 3\r\n", b"empty": b"filled\n"})
    history.commit({b"end": b"again\nwithout more", b"crlf.bat": b"echo 1\necho 3\r\n", b"empty": b""})
    history.commit({b"a.py": None, b"b/renamed.py": text.replace(b"line 9 ", b"LINE 9 ")}, b"Rename with a change")
    history.commit({b"b/renamed.py": None, b"moved.py": text.replace(b"line 9 ", b"LINE 9 ")}, b"Rename alone")
    history.commit({b"b/c.py": (PROGRAM, b"x = 1\n")}, b"Make it a program")
    history.commit({b"b/c.py": (FILE, b"x = 2\n")}, b"Mode and content")
    history.commit({b"b/c.py": (LINK, b"../moved.py")}, b"A file becomes a link")
    history.commit({b"b/c.py": (LINK, b"../end")}, b"A link leads elsewhere")
    history.commit({b"b/c.py": (SUBMODULE, b"1" * 40)}, b"A link becomes a submodule")
    history.commit({b"b/c.py": (SUBMODULE, b"2" * 40)}, b"A submodule moves on")
    history.commit({b"b/c.py": b""}, b"A submodule becomes an empty file")
    history.commit({b"b/c.py": (LINK, b"end")}, b"An empty file becomes a link")
    history.commit({b"b/c.py": None, b"sub": (SUBMODULE, b"3" * 40)}, b"A link goes, a submodule comes")
    history.commit({b"blob.bin": b"\0\1\2", b"latin.txt": b"caf\xe9\n", b"late.txt": b"x" * 9000 + b"\0\n"}, b"What is no text")
    history.commit({b"blob.bin": b"\0\1\3", b"latin.txt": b"caf\xe9s\n", b"late.txt": b"y\n"}, b"What is no text, changed")
    history.commit({b"lib/caf\xe9.py": b"1\n", "lib/naïve.py".encode(): b"2\n", b'q"uo\\te\n.py': b"3\n", b" space ": b"4\n"}, b"Odd paths")
    history.commit({b"lib/caf\xe9.py": None, b"lib/caf\xe8.py": b"1\n", b'q"uo\\te\n.py': b"3\n4\n", b" space ": b"4\n5\n"}, b"Odd paths")
    history.commit({b"sub": None, b"cr": b"a\rb\rc\n\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8x\n"}, b"Other ends of lines")
    history.commit({b"cr": b"a\rb\rd\n\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8y\n"}, b"Other ends of lines")
    history.commit({b"diff": b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\ndiff --git a/x b/x\n\\ No newline at end of file\n"}, b"A patch")
    history.commit({b"diff": b"--- a/y\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\n\ndiff --git a/x b/x\n\\ No newline at end of file"}, b"A patch")
    history.commit({b"moved.py": None, b"moved.py/inner.py": text}, b"A file becomes a folder")
    trunk = history.commit({}, b"Nothing changed")
    one = history.commit({b"one": b"1\n"}, parents=[trunk])
    two = history.commit({b"two": b"2\n"}, parents=[trunk])
    three = history.commit({b"three": b"3\n"}, parents=[trunk])
    history.commit({b"two": b"2\n", b"three": b"3\n"}, b"An octopus", parents=[one, two, three])
    history.commit({}, "Grüße".encode("latin-1"), encoding=b"ISO-8859-1")
    history.commit({b"one": b"2\n"}, b"\xff\xfe not text", encoding=b"no-such-encoding")
    other = history.commit({b"other": b"root\n"}, b"Another root", parents=[])
    history.commit({b"other": b"root\n"}, b"Two histories", parents=[other - 1, other])
    return history


@pytest.fixture
def odd_history(new_history: Callable[..., History]) -> History:
    """``odd``, written."""
    history = odd(new_history("odd"))
    history.write()
    return history


def _memory_objects() -> ModuleType:
    # Tests are imported by path, so that folders of tests need no packages; their helpers are loaded the same way.
    spec = importlib.util.spec_from_file_location("memory_objects", Path(__file__).parent / "memory_objects.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_MEMORY_OBJECTS = _memory_objects()


@pytest.fixture
def objects() -> Objects:
    """Objects in memory, none so far."""
    return _MEMORY_OBJECTS.MemoryObjects()


@pytest.fixture(scope="session")
def new_objects() -> Callable[[], Objects]:
    """Makes them, for tests that need new ones for every example."""
    return _MEMORY_OBJECTS.MemoryObjects
