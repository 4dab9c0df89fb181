"""The line of words that a fastText model reads of a file."""

from __future__ import annotations

import re
from typing import NamedTuple

from beam_seed.near_dedup.shingles import licence_header_length
from beam_seed.quality.package import excerpt

_TOKEN = re.compile(r"\w+|[^\w\s]{1,8}")

# fastText takes any word with this prefix for a label: a file that has it could tell its own.
_LABEL, _HARMLESS = "__label__", "label__"

_NOTHING = "empty"  # fastText wants at least one word


def without_licence(content: str) -> str:
    """A file without the licence at its top: it explains nothing of the code below it, and is the same in all files of a project."""
    data = content.encode("utf-8", "replace")
    return data[licence_header_length(data) :].decode("utf-8", "replace")


class TextFormat(NamedTuple):
    """What of a file the model reads; fastText's time is proportional to it."""

    max_characters: int = 3000  # about 600 words
    pieces: int = 4  # that a longer file is represented by, from its start to its end: imports are not all of it

    def line(self, content: str) -> str:
        """One line of words between single spaces, the licence left out: names and numbers in lower case, and runs of other signs.

        Signs are words, since comment marks and operators tell much of what a file is. The last word of a line never touches the first
        of the next.
        """
        words = _TOKEN.findall(excerpt(without_licence(content), self.max_characters, self.pieces).lower())
        return " ".join(words).replace(_LABEL, _HARMLESS).replace("\0", "") or _NOTHING
