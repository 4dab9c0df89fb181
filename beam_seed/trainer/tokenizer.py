"""A byte-level BPE tokenizer trained on the texts it will read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PADDING = "<pad>"  # id 0

# Longer merges are whole phrases of the training texts (licence headers); none of that is needed, or wanted, in the vocabulary.
_MAX_TOKEN_LENGTH = 16


def train_tokenizer(texts: Iterable[str], vocabulary: int, special: Sequence[str] = (PADDING,)) -> Tokenizer:
    """Train a tokenizer of at most ``vocabulary`` tokens: special ones (ids from 0), all 256 bytes, and merges.

    Any text can be encoded, nothing is unknown. Raises ValueError where the vocabulary has no room for special tokens and bytes.
    """
    least = len(special) + 256
    if vocabulary < least:
        told = "the padding" if len(special) == 1 else f"{len(special)} special tokens"
        raise ValueError(f"vocabulary is {vocabulary}; expected at least {least}, {told} and every byte")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=_MAX_TOKEN_LENGTH,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
