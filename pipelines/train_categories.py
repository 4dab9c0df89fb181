"""``beam-seed train-categories``: pages whose host, markup or generator tell their category to a model for those that do not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.web.supervision import CATEGORY_COLUMNS
from beam_seed.web.train_categories import SETTINGS, train_categories
from pipelines.tables import find_tables

PROG = "beam-seed train-categories"


@dataclass(frozen=True)
class Options:
    """Train the fastText model that tells the category of pages, and measure it on hosts it has not seen."""

    input: list[str] = opt.option(
        [], "Pages: documents/ of a run of beam-seed web; a column label (a category), where there is one, is believed.", kind="read"
    )
    output: str = opt.option("", "Folder of the model and its card.", kind="write")
    epochs: int = opt.option(SETTINGS.epochs, "Times the training goes over its pages.", check=opt.positive)
    seed: int = opt.option(0, "Seed of the division into training and validation and of the training.", check=opt.not_negative)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, train, tell how well it went. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest:
        raise opt.UsageError(PROG, f"unknown argument {rest[0]!r}; this command runs no Beam job")
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    files = [info.path for info in find_tables(PROG, options.input, CATEGORY_COLUMNS)]
    try:
        result = train_categories(files, options.output, SETTINGS._replace(epochs=options.epochs, seed=options.seed))
    except (ValueError, OSError) as error:
        print(f"{PROG}: error: {error}", file=sys.stderr)
        return 1
    print(f"trained on {result.training_pages:,} pages, validated on {result.validation_pages:,} of other hosts")
    print(f"{result.decided:.1%} decided with precision {result.precision:.4f}, from a probability of {result.min_probability:.4f} on")
    print(f"model: {storage.join(options.output, 'README.md')}, fingerprint {result.fingerprint}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
