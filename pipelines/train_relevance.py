"""``beam-seed train-relevance``: labelled or self-labelled pages to a model that recalls code-related pages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.fasttext_model.training import Settings
from beam_seed.web.relevance import TextFormat
from beam_seed.web.supervision import RELEVANCE_COLUMNS
from beam_seed.web.train_relevance import CONFIDENCE, train_relevance
from pipelines.tables import find_tables

PROG = "beam-seed train-relevance"


@dataclass(frozen=True)
class Options:
    """Train the fastText model that recalls code-related pages, and choose its threshold on hosts it has not seen."""

    input: list[str] = opt.option(
        [], "Pages: documents/ of a run of beam-seed web; a column label (1, 0), where there is one, is believed.", kind="read"
    )
    output: str = opt.option("", "Folder of the model and its card.", kind="write")
    recall: float = opt.option(0.99, "Share of a host's relevant pages that the threshold must recall.", check=opt.proper_share)
    confidence: float = opt.option(CONFIDENCE, "Probability that a host nobody has seen reaches that recall.", check=opt.share)
    characters: int = opt.option(TextFormat().max_characters, "Characters of a page that the model reads.", check=opt.positive)
    epochs: int = opt.option(Settings().epochs, "Times the training goes over its pages.", check=opt.positive)
    seed: int = opt.option(0, "Seed of the division into training, validation and test, and of the training.", check=opt.not_negative)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, train, tell how well it went. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest:
        raise opt.UsageError(PROG, f"unknown argument {rest[0]!r}; this command runs no Beam job")
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    files = [info.path for info in find_tables(PROG, options.input, RELEVANCE_COLUMNS)]
    text = TextFormat(max_characters=options.characters)
    settings = Settings(epochs=options.epochs, seed=options.seed)
    try:
        result = train_relevance(files, options.output, options.recall, text, settings, options.confidence)
    except (ValueError, OSError) as error:
        print(f"{PROG}: error: {error}", file=sys.stderr)
        return 1
    quality, promise = result.quality, result.promise
    if promise.confidence < options.confidence - 1e-9:
        told = f"with {promise.hosts} validation hosts that have relevant pages, a new host reaches {options.recall} with probability"
        print(f"{PROG}: warning: {told} {promise.confidence:.3f} only; give more hosts, or a lower --confidence", file=sys.stderr)
    trained, chosen, tested = result.pages
    print(f"trained on {trained:,} pages, threshold chosen on {chosen:,} of other hosts, tested on {tested:,} of others still")
    print(f"recall {quality.recall:.4f}, precision {quality.precision:.4f}, {quality.recalled:.1%} recalled, from {quality.threshold} on")
    print(f"model: {storage.join(options.output, 'README.md')}, fingerprint {result.fingerprint}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
