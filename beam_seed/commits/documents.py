"""Which files of a snapshot are searched, and what is remembered of them.

A file is searched where it is a regular file, no folder above it is vendored (``sources.vendored``), its name is not that of a lock file or
of another that a tool writes (``generated``), it has at most ``MAX_BYTES``, decodes to text (``sources.decode``) and passes the
hand-written rules (``rules.rules``): it is not empty, generated or minified, and has no over-long lines. All but the folder is a matter of
its name and content, and judged once for both.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from beam_seed.commits.generated import is_generated
from beam_seed.commits.paths import quote
from beam_seed.commits.records import LINK, SUBMODULE, Objects, ObjectTooLargeError, TreeEntry
from beam_seed.commits.terms import TermCounts, Vocabulary
from beam_seed.languages.detect import detect
from beam_seed.records import Rejected, make_document
from beam_seed.rules.rules import Limits, apply_rules
from beam_seed.sources.decode import NoText, decode
from beam_seed.sources.vendored import vendored_folder

MAX_BYTES = 256 << 10
"""Largest file that is searched, README included; what people write is smaller, and a sample could show no more of it."""

_RULES = Limits(max_bytes=MAX_BYTES)
TEXT_CHARACTERS = 16 << 20  # of texts remembered: a file is often shown with several commits in a row
TERM_BYTES = 32 << 20  # of counts remembered: what other branches or a revert bring back
_OVERHEAD = 256  # bytes of an entry beside what it holds

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """What was used last, up to a total size."""

    def __init__(self, max_size: int):
        self._max_size = max_size
        self._size = 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key, make: Callable[[], tuple[Value, int]]) -> Value:
        """The value of ``key``; ``make`` gives it and its size where it is not remembered."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = make()
            self._size += entry[1]
            while self._size > self._max_size:
                self._size -= self._entries.popitem(last=False)[1][1]
        else:
            self._entries.move_to_end(key)
        return entry[0]

    def clear(self) -> None:
        self._entries.clear()
        self._size = 0


class Documents:
    """The searched files of a history by name and content id."""

    def __init__(self, objects: Objects, vocabulary: Vocabulary):
        self._objects = objects
        self._vocabulary = vocabulary
        self._texts: Recent[tuple[str, str], str | None] = Recent(TEXT_CHARACTERS)
        self._counts: Recent[tuple[str, str], TermCounts | None] = Recent(TERM_BYTES)  # by name and content id, or by path and ''

    def counts(self, path: str, entry: TreeEntry) -> tuple[TermCounts, TermCounts] | None:
        """The terms of a file and of its path; None where it is not searched. Raises ObjectError where it cannot be read."""
        if entry.mode in (LINK, SUBMODULE) or is_generated(entry.name) or vendored_folder(path.rpartition("/")[0]):
            return None
        content = self._counts.get((entry.name, entry.id), lambda: self._sized(self.text(entry)))
        of_path = self._counts.get((path, ""), lambda: self._sized(quote(path)))
        return None if content is None or of_path is None else (content, of_path)

    def _sized(self, text: str | None) -> tuple[TermCounts | None, int]:
        if text is None:
            return None, _OVERHEAD
        counts = self._vocabulary.count(text)
        return counts, counts.terms.nbytes + counts.counts.nbytes + _OVERHEAD

    def text(self, entry: TreeEntry) -> str | None:
        """The text of a file that is searched by its name and content, else None. Raises ObjectError where it cannot be read."""
        return self._texts.get((entry.name, entry.id), lambda: self._read(entry))

    def _read(self, entry: TreeEntry) -> tuple[str | None, int]:
        try:
            text = text_of(entry.name, self._objects.blob(entry.id, MAX_BYTES))
        except ObjectTooLargeError:
            text = None
        return text, len(text or "") + _OVERHEAD

    def forget_counts(self) -> None:
        """To be called when terms get other numbers."""
        self._counts.clear()


def text_of(name: str, data: bytes) -> str | None:
    """The text of a file as it is searched and shown; None where it is none or a rule drops it."""
    text = decode(data)
    if isinstance(text, NoText):
        return None
    document = make_document("", name, text.content, language=detect(name, text.content).language or "")
    return None if isinstance(apply_rules(document, _RULES), Rejected) else text.content
