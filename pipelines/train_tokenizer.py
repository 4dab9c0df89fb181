"""``beam-seed train-tokenizer``: a byte-level BPE tokenizer from a sample of a corpus."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from beam_seed import options as opt
from beam_seed.mixture.stage import Source
from beam_seed.shards.documents import UnusableTableError
from beam_seed.shards.sample import sample_texts
from beam_seed.shards.tokenizer import ShardTokenizer
from beam_seed.special_tokens import SPECIAL_TOKENS
from beam_seed.trainer.tokenizer import train_tokenizer
from pipelines.tables import find_tables

PROG = "beam-seed train-tokenizer"


@dataclass(frozen=True)
class Options:
    """Train a byte-level BPE tokenizer on a sample of a corpus; our special tokens are its first ids."""

    input: list[str] = opt.option([], "Parquet files, globs or folders; repeatable.", kind="read")
    text: list[str] = opt.option(["content"], "Columns that are joined to a document's text.")
    formatted: bool = opt.option(False, "Whether the texts have our markers already.")
    vocabulary: int = opt.option(65_536, "Tokens, special ones and bytes among them; fewer if the sample has no more.", check=opt.positive)
    sample_bytes: int = opt.option(256 << 20, "Bytes of text that it is trained on.", check=opt.positive)
    seed: int = opt.option(0, "Decides which texts are drawn.")
    output: str = opt.option("", "Folder: tokenizer.json, tokenizer_config.json (transformers loads it).", kind="write")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, train and save. Returns the exit status."""
    options, unknown = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if unknown:
        raise opt.UsageError(PROG, f"unknown argument {unknown[0]}; it is no Beam job")
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    tables = [info.path for info in find_tables(PROG, options.input, ())]
    source = Source(text=tuple(options.text), formatted=options.formatted)
    texts = sample_texts(tables, source, options.sample_bytes, options.seed)
    try:
        trained = train_tokenizer(texts, options.vocabulary, list(SPECIAL_TOKENS))
    except UnusableTableError as error:
        raise opt.UsageError(PROG, f"argument --input: {error}") from None
    except ValueError as error:
        raise opt.UsageError(PROG, f"argument --vocabulary: {error}") from None
    tokenizer = ShardTokenizer(trained.to_str())
    tokenizer.save(options.output)
    print(f"{tokenizer.vocabulary:,} tokens: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
