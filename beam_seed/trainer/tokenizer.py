"""A byte-level BPE tokenizer trained on the texts it will read."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PADDING = "<pad>"  # id 0

# Longer merges are whole phrases of the training texts (licence headers); none of that is needed, or wanted, in the vocabulary.
_MAX_TOKEN_LENGTH = 16


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train a tokenizer of at most ``vocabulary`` tokens: padding, all 256 bytes, and merges. Any text can be encoded, nothing is unknown.

    Raises ValueError below 257 tokens.
    """
    if vocabulary < 257:
        raise ValueError(f"vocabulary is {vocabulary}; expected at least 257, the padding and every byte")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=_MAX_TOKEN_LENGTH,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
