"""``beam-seed why DIR REPO/PATH``: the whole story of one file of a finished run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_seed import storage
from beam_seed.options import UsageError
from beam_seed.report.story import render_story
from beam_seed.report.why import NotFoundError, explain, parquet_reader

PROG = "beam-seed why"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the story of every file of that name. Returns the exit status: 1 where there is none."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["-h"], ["--help"]):
        print(f"usage: {PROG} DIR REPO/PATH\n\nThe whole story of one file. DIR: the --output of a run of beam-seed github.")
        return 0
    if len(arguments) != 2 or arguments[0].startswith("-"):
        raise UsageError(PROG, f"{len(arguments)} arguments given; expected two: the output folder of a run and REPO/PATH")
    root, name = arguments
    if not storage.match(storage.join(storage.escape(root), "documents", "*.parquet")):
        raise UsageError(PROG, f"argument DIR: {root} holds no documents/; expected the --output of a run of beam-seed github")
    read = parquet_reader(
        lambda dataset: [info.path for info in storage.match(storage.join(storage.escape(root), *dataset.split("/"), "*.parquet"))],
        storage.open_read,
    )
    try:
        stories = explain(read, name)
    except NotFoundError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(map(render_story, stories)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
