"""The texts that a tokenizer is trained on: drawn from a corpus by seed, so that only what is drawn is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from beam_seed.draws import draws
from beam_seed.mixture.stage import Source
from beam_seed.shards.documents import read_rows, text_size
from beam_seed.shards.tokenizer import texts_between_markers
from beam_seed.special_tokens import escape

# Row groups hold the files of a few repositories: a quarter of the files of four times as many are more varied than all of one.
_OF_A_GROUP = 1 / 4


def sample_texts(tables: Sequence[str], source: Source, size: int, seed: int) -> Iterator[str]:
    """Texts of about ``size`` bytes, or all that there is: row groups in an order that the seed decides, of each every fourth document.

    They come as a tokenizer will see them: escaped, or where they are formatted, the parts between markers. Raises UnusableTableError.
    """
    groups: list[tuple[int, int, int, int]] = []  # (draw, table, first row, last row)
    total = 0
    for number, path in enumerate(tables):
        start = 0
        for rows, held in text_size(path, source):
            groups.append((draws(seed, "tokenizer", number, start).words[0], number, start, start + rows))
            start += rows
            total += held
    share = 1.0 if total <= size / _OF_A_GROUP else _OF_A_GROUP
    left = size
    for _, number, first, last in sorted(groups):
        for row in read_rows(tables[number], source, first, last, Counter()):
            if left > 0 and draws(seed, "tokenizer", row.id).share(0) < share:
                left -= row.size
                yield from texts_between_markers(row.text) if source.formatted else [escape(row.text)]
        if left <= 0:
            return
