"""Texts to token ids and back, with any local Hugging Face tokenizer.

Special tokens mean something only where our formats put them: their ids are set by us, between texts that are encoded apart. In a text
nothing is special, neither ours (texts are escaped) nor the tokenizer's own: ``<|endoftext|>`` in a file is some harmless tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Tokenizer

from beam_seed import storage
from beam_seed.special_tokens import END, PADDING, SPECIAL_TOKENS

I32 = npt.NDArray[np.int32]

_FILE = "tokenizer.json"

# Padding and end are put where documents meet; a text that says them says only that.
_IN_TEXTS = [name for name in SPECIAL_TOKENS if name not in (PADDING, END)]
_MARKER_NAMES = frozenset(_IN_TEXTS)
_MARKERS = re.compile("(" + "|".join(map(re.escape, _IN_TEXTS)) + ")")

# Characters that are encoded at once: an encoding takes some hundred bytes a token, so that one file of 100 MB would fill a machine.
_MOST_CHARACTERS = 1 << 20

# What code and pages hold that tokenizers like to change: ends of lines, NUL, runs of blanks, composed letters, a space at the start.
_PROBE = "\tif x:\r\n    return 'e\u0301é' \u00a0\u2028  # ½ ﬁ 漢字 🙂\x00\n\n\n\tÀ  b \ufeffİ\r<s> </s> a"


class ShardTokenizer:
    """A tokenizer with our special tokens.

    Attributes: ``added``, those of them that it lacked; ``exact``, whether it gives back texts as they were; ``vocabulary``, ids are below.
    """

    def __init__(self, definition: str):
        """``definition``: the text of a tokenizer.json. Raises ValueError where it is none."""
        try:
            self._tokenizer = Tokenizer.from_str(definition)
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"no tokenizer: {' '.join(str(error).split())}; expected a tokenizer.json of the tokenizers library") from None
        known = self._tokenizer.get_vocab()
        self.added = [name for name in SPECIAL_TOKENS if name not in known]
        self._tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL_TOKENS])
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.definition: str = self._tokenizer.to_str()
        self._tokenizer.encode_special_tokens = True
        vocabulary = self._tokenizer.get_vocab()
        self._ids = {name: vocabulary[name] for name in SPECIAL_TOKENS}
        self._names = {self._ids[name]: name for name in _IN_TEXTS}
        self.vocabulary = max(vocabulary.values()) + 1
        self.padding = self._ids[PADDING]
        self.end = self._ids[END]
        self.exact = all(self.decode(self.encode([_PROBE], most)[0]) == _PROBE for most in (_MOST_CHARACTERS, 7))

    @classmethod
    def load(cls, folder: str) -> ShardTokenizer:
        """The tokenizer of a folder (or of a tokenizer.json). Raises ValueError where there is none."""
        path = folder if folder.endswith(".json") else storage.join(folder, _FILE)
        if not storage.exists(path):
            raise ValueError(f"no {path}; expected the folder of a Hugging Face tokenizer that holds {_FILE}")
        with storage.open_read(path) as file:
            return cls(file.read().decode("utf-8", "replace"))

    def save(self, folder: str) -> None:
        """Write the folder of a tokenizer that transformers reads too."""
        save_tokenizer(folder, self.definition)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tokenizer.json that :meth:`save` writes."""
        return hashlib.sha256(self.definition.encode()).hexdigest()

    def encode(self, texts: Sequence[str], most: int = _MOST_CHARACTERS) -> list[I32]:
        """The ids of each text, END last. Texts are as they are trained on: escaped, with markers where these mean something."""
        parts = [list(_parts(text, most)) for text in texts]
        plain = [part for own in parts for part in own if part not in _MARKER_NAMES]
        encoded = iter(self._tokenizer.encode_batch_fast(plain, add_special_tokens=False))
        return [self._joined(own, encoded) for own in parts]

    def _joined(self, parts: Sequence[str], encoded: Iterator[Any]) -> I32:
        ids: list[int] = []
        for part in parts:
            if part in _MARKER_NAMES:
                ids.append(self._ids[part])
            else:
                ids += next(encoded).ids
        ids.append(self.end)
        return np.fromiter(ids, np.int32, len(ids))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a whole document's ids. END is left out where it is last."""
        numbers = list(map(int, ids))
        if numbers and numbers[-1] == self.end:
            numbers.pop()
        texts: list[str] = []
        run: list[int] = []
        for number in numbers:
            if number in self._names:
                texts += [self._decoded(run), self._names[number]]
                run = []
            else:
                run.append(number)
        return "".join([*texts, self._decoded(run)])

    def _decoded(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False) if ids else ""


def save_tokenizer(folder: str, definition: str) -> None:
    """Write a tokenizer.json that has our special tokens, and what transformers wants to know besides."""
    with storage.open_write(storage.join(folder, _FILE)) as out:
        out.write(definition.encode())
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PADDING,
        "eos_token": END,
        "additional_special_tokens": _IN_TEXTS,
        "clean_up_tokenization_spaces": False,
    }
    storage.write_json(storage.join(folder, "tokenizer_config.json"), config)


def _parts(text: str, most: int) -> Iterator[str]:
    """Markers and the texts between them, none longer than ``most``: cut behind a line's end where there is one."""
    for part in _MARKERS.split(text) if "<[" in text else [text]:
        if part in _MARKER_NAMES:
            yield part
            continue
        start = 0
        while start < len(part):
            end = start + most
            if end < len(part):
                end = part.rfind("\n", start, end) + 1 or end
            yield part[start:end]
            start = end


def texts_between_markers(text: str) -> list[str]:
    """The parts of a formatted text that are no markers, as a tokenizer is trained on them."""
    return [part for part in _parts(text, _MOST_CHARACTERS) if part not in _MARKER_NAMES]
