"""``beam-seed graph JOB ARGUMENTS --to=FILE``: draws the Beam graph that a job would run with these arguments; no output is touched."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
from collections.abc import Sequence

from pipelines import cli
from pipelines.templates import LAUNCHABLE

PROG = "beam-seed graph"
RENDERER = "apache_beam.runners.render"


def draw(job: str, arguments: Sequence[str], to: str) -> int:
    """Draw what ``job`` would run. Returns the job's exit status."""
    # Beam knows the renderer's options once it is imported.
    importlib.import_module(RENDERER)
    main = importlib.import_module(cli.COMMANDS[job][0]).main
    with tempfile.TemporaryDirectory() as nowhere:
        # A job makes its output ready before it is run.
        return int(main([*arguments, f"--output={nowhere}", f"--runner={RENDERER}.RenderRunner", f"--render_output={to}"]))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and draw. Returns the exit status. Raises SystemExit (2) where it cannot be followed."""
    parser = argparse.ArgumentParser(PROG, allow_abbrev=False, epilog="All other arguments are the job's.")
    parser.add_argument("job", choices=LAUNCHABLE, help="the job: %(choices)s", metavar="JOB")
    parser.add_argument("--to", required=True, help="file of the drawing: .dot; or .svg, .png or .pdf, where Graphviz is installed")
    options, arguments = parser.parse_known_args(argv)
    logging.disable(logging.INFO)  # what a job tells of its output is not true here
    try:
        status = draw(options.job, arguments, options.to)
    finally:
        logging.disable(logging.NOTSET)
    if not status:
        print(f"graph: {options.to}")
    return status


if __name__ == "__main__":
    sys.exit(main())
