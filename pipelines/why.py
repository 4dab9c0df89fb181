"""``beam-seed why DIR NAME``: the whole story of one document of a finished run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_seed import storage
from beam_seed.curation.job import GITHUB
from beam_seed.curation.publish import job_of
from beam_seed.long_context.job import LONG_CONTEXT
from beam_seed.long_context.why import explain as explain_long
from beam_seed.options import UsageError
from beam_seed.report.story import render_story
from beam_seed.report.why import NotFoundError, explain, parquet_reader
from beam_seed.web.job import WEB
from beam_seed.web.url import canonicalise

PROG = "beam-seed why"
_USAGE = f"""usage: {PROG} DIR NAME

The whole story of one document. DIR: the --output of a run. NAME: REPO/PATH, or PATH where only one repository has it; of a page, its
URL; of a commit's id the beginning will do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the story of every file of that name. Returns the exit status: 1 where there is none."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["-h"], ["--help"]):
        print(_USAGE)
        return 0
    if len(arguments) != 2 or arguments[0].startswith("-"):
        raise UsageError(PROG, f"{len(arguments)} arguments given; expected two: the output folder of a run and a name")
    root, name = arguments
    job = job_of(root)
    if job is None or not storage.match(storage.join(storage.escape(root), "documents", "*.parquet")):
        writer = job.prog if job else GITHUB.prog
        raise UsageError(PROG, f"argument DIR: {root} holds no documents/; expected the --output of a run, such as one of {writer}")
    read = parquet_reader(
        lambda dataset: [info.path for info in storage.match(storage.join(storage.escape(root), *dataset.split("/"), "*.parquet"))],
        storage.open_read,
    )
    if "://" in name and job.name == WEB.name:
        name = _canonical(name)
    try:
        stories = explain_long(read, name) if job.name == LONG_CONTEXT.name else explain(read, name, job)
    except NotFoundError as error:
        print(f"{PROG}: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(map(render_story, stories)))
    return 0


def _canonical(url: str) -> str:
    try:
        return "/".join(canonicalise(url))
    except ValueError as error:
        raise UsageError(PROG, f"argument NAME: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
