"""What the product compares of a text, for the oracle's ``--normalise product_text:comparable``.

The product's definition of near-duplicates leaves out a licence at the top of a file. Only that part of the definition is
taken from the product; tokens, shingles and the join are the oracle's own.
"""

import sys
from pathlib import Path

from shingles import SHINGLE_TOKENS, TOKEN

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # works from a checkout that is not installed
from beam_seed.near_dedup.shingles import licence_header_length


def comparable(text: bytes) -> bytes:
    """``text`` without its licence header, unless fewer tokens than a shingle would be left."""
    rest = text[licence_header_length(text) :]
    tokens = TOKEN.finditer(rest.decode("utf-8", "surrogatepass"))
    enough = sum(1 for _ in zip(range(SHINGLE_TOKENS), tokens, strict=False)) == SHINGLE_TOKENS
    return rest if enough else text
