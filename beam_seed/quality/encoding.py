"""From documents to token ids and from token ids to batches of a fixed shape; without torch, so that it runs on cheap workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from beam_seed.quality.package import InputFormat
from beam_seed.records import Document

Tokens = npt.NDArray[np.int32]  # token ids of one document, at least one, without padding

# Sixteenths of max_length that inputs are padded to. Steps of a quarter to a half keep padding near 1.1 x, and eight shapes
# are few enough that none stays underfilled for long and that a compiled model is compiled eight times at most.
_RUNGS = (1, 2, 3, 4, 6, 8, 12, 16)


class Encoder:
    """The tokenizer of a scorer: document -> token ids as its input format says.

    Raises ValueError when the tokenizer file is broken. Text that looks like a special token (``<pad>``) is encoded as the text it is,
    so that a file cannot end its own input.
    """

    def __init__(self, directory: Path, form: InputFormat):
        try:
            self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(
                f"{directory / 'tokenizer.json'} is no tokenizer ({error}); expected a file of the tokenizers library"
            ) from error
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(form.max_length)
        self.vocabulary_size = self._tokenizer.get_vocab_size()
        self._input = form

    def encode(self, document: Document) -> Tokens:
        """Token ids of the prefix and the excerpt of the content, cut off after ``max_length`` tokens.

        Raises ValueError where nothing is left, or where the text is not encodable (lone surrogates).
        """
        text = self._input.text(document)
        text.encode("utf-8")  # raises UnicodeEncodeError, a ValueError, which the tokenizer hides behind a TypeError
        tokens = np.array(self._tokenizer.encode(text).ids, np.int32)
        if not len(tokens):
            raise ValueError("the document has no tokens; expected content, or a scorer whose prefix is not empty")
        return tokens


class Shape(NamedTuple):
    rows: int
    length: int  # tokens


class Shapes:
    """The few shapes (rows x length, about ``batch_tokens`` each) that all inputs of a model are padded to.

    Matrix kernels choose their order of summation by the shape of the whole batch, so a document's score would depend, in its seventh
    digit, on its neighbours. In a batch of a fixed shape it does not: rows are computed alike, whatever the other rows hold.
    """

    def __init__(self, max_length: int, batch_tokens: int):
        if batch_tokens < max_length:
            raise ValueError(f"batch_tokens is {batch_tokens}; expected at least the scorer's max_length of {max_length} tokens")
        lengths = sorted({-(-max_length * rung // _RUNGS[-1]) for rung in _RUNGS})
        self.shapes = [Shape(batch_tokens // length, length) for length in lengths]
        self._lengths = np.array(lengths)

    def of(self, tokens: int) -> Shape:
        """The smallest shape that holds a document of so many tokens."""
        if not 1 <= tokens <= self._lengths[-1]:
            raise ValueError(f"a document has {tokens} tokens; expected 1 to {self._lengths[-1]}")
        return self.shapes[int(np.searchsorted(self._lengths, tokens))]


def batches(lengths: Sequence[int], shapes: Shapes) -> list[list[int]]:
    """Positions of the documents with these lengths (tokens), in batches of one shape each that are full except for the last of a shape."""
    waiting: dict[Shape, list[int]] = {shape: [] for shape in shapes.shapes}
    for position, length in enumerate(lengths):
        waiting[shapes.of(length)].append(position)
    return [found[start : start + shape.rows] for shape, found in waiting.items() for start in range(0, len(found), shape.rows)]


def pad(batch: Sequence[Tokens], shape: Shape, padding: int) -> npt.NDArray[np.int64]:
    """The documents as one array of ``shape``, padded on the right; rows that are left over repeat the first document."""
    padded = np.full(shape, padding, np.int64)
    for row in range(shape.rows):
        tokens = batch[row if row < len(batch) else 0]
        padded[row, : len(tokens)] = tokens
    return padded
