"""``beam-seed label``: an oracle rates the files of a sample."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from beam_seed import __version__, storage
from beam_seed import options as opt
from beam_seed.failures import check_failures
from beam_seed.labels.keys import DEFAULT_KEY, MissingKeyError, read_key
from beam_seed.labels.opinion import Opinion
from beam_seed.labels.oracles import Chat, Oracle, Rubric, settings
from beam_seed.labels.tables import NEEDED, read_documents, read_pages
from beam_seed.labels.transforms import LabelDocuments
from beam_seed.labels.write import write_labels
from beam_seed.web.categories import load_table
from pipelines import launch, tables

PROG = "beam-seed label"


@dataclass(frozen=True)
class Options:
    """Let an oracle rate the files of a sample from 0 to 10."""

    input: list[str] = opt.option(
        [], "Output of beam-seed sample, or Parquet files, globs or folders with columns repo, path, content.", kind="read"
    )
    output: str = opt.option("", "Folder: labels/, failed/ and labels.json.", kind="write")
    oracle: str = opt.option("rubric", "Who rates: a large model behind an endpoint, or the offline rubric.", choices=("rubric", "chat"))
    endpoint: str = opt.option("", "Base URL of an OpenAI-compatible API, such as https://api.deepseek.com/v1.")
    model: str = opt.option("", "The model, as the endpoint names it.")
    cache: str = opt.option("", "Folder of answers that were paid for. Empty: OUTPUT/_answers.", kind="write")
    criteria: str = opt.option(
        "",
        "For pages of the web, with a column category: the categories.yaml by whose criteria they are rated; default: the package's.",
    )
    temperature: float = opt.option(0.0, "Temperature of the answers.", check=opt.not_negative)
    max_characters: int = opt.option(30_000, "Characters of a file that the model is shown.", check=opt.positive)
    max_answer_tokens: int = opt.option(1024, "Tokens of an answer at most; a longer one is cut off and has no rating.", check=opt.positive)
    timeout: float = opt.option(120.0, "Seconds that a request may take.", check=opt.positive)
    concurrency: int = opt.option(16, "Requests in flight in each process.", check=opt.positive)
    requests_per_minute: float = opt.option(0.0, "Requests a minute of all processes together; 0 means no limit.", check=opt.not_negative)
    retries: int = opt.option(6, "Times that a request is made again after a failure that may pass.", check=opt.not_negative)
    price_in: float = opt.option(0.0, "Price of a million tokens of prompts.", check=opt.not_negative)
    price_out: float = opt.option(0.0, "Price of a million tokens of answers.", check=opt.not_negative)
    max_cost: float = opt.option(
        0.0, "What the answers in the cache, this run's included, may cost at most; 0 means no limit.", check=opt.not_negative
    )
    api_key_env: str = opt.option(DEFAULT_KEY, "Name of the environment variable with the key, where the workers run.")
    api_key_secret: str = opt.option("", "Version of a secret with the key, projects/../secrets/../versions/..; goes before the variable.")
    max_failed_share: float = opt.option(0.05, "Share of the files without a label from which the job fails.", check=opt.share)
    processes: int = opt.option(
        0, "Processes that ask on a service runner at most; cost and rate are divided among them.", check=opt.not_negative
    )
    workers: int = opt.option(
        0, "Processes of a local run; 0 means one for each processor, or just one that asks an endpoint.", check=opt.not_negative
    )


def build(pipeline: beam.Pipeline, options: Options, oracle: Oracle, files: Sequence[storage.FileInfo]) -> None:
    """Add the job to ``pipeline``. The share of failures is checked when everything is written, so that it can be looked into."""
    paths = [info.path for info in files]
    documents = (
        pipeline
        | "Tables" >> beam.Create(list(enumerate(paths)))
        | "Spread tables" >> beam.Reshuffle()
        | "Read documents" >> beam.FlatMap(_read, bool(options.criteria))
    )
    labels, failed = documents | "Label documents" >> LabelDocuments(oracle, max_failed_share=1.0, processes=options.processes)
    written = (
        (labels | "By table" >> beam.Map(_by_table), failed | "Failed by table" >> beam.Map(_by_table))
        | "All opinions" >> beam.Flatten()
        | "Group by table" >> beam.GroupByKey()
        | "Write labels" >> beam.Map(_write, paths, options.output, oracle.name, oracle.version)
    )
    told = {"version": __version__, "parameters": settings(oracle) | {"max_failed_share": options.max_failed_share}}
    told["input"] = {"tables": len(files), "fingerprint": tables.fingerprint(files)}
    total = written | "Add up" >> beam.CombineGlobally(_add)
    _ = total | "Publish" >> beam.Map(_publish, options.output, told, options.max_failed_share)


def _read(table: tuple[int, str], pages: bool) -> Iterator[tuple[tuple[int, int], Any]]:
    number, path = table
    for row, document in read_pages(path) if pages else read_documents(path):
        yield (number, row), document


def _by_table(keyed: tuple[tuple[int, int], Opinion]) -> tuple[int, tuple[int, Opinion]]:
    (number, row), opinion = keyed
    return number, (row, opinion)


def _write(
    grouped: tuple[int, Iterable[tuple[int, Opinion]]], paths: list[str], output: str, oracle: str, version: str
) -> tuple[Counter[str], str]:
    number, opinions = grouped
    by_row = dict(opinions)
    errors = [opinion.error for opinion in by_row.values() if opinion.error]
    return write_labels(paths[number], output, f"{number:05d}.parquet", by_row, oracle, version), min(errors, default="")


def _add(parts: Iterable[tuple[Counter[str], str]]) -> tuple[Counter[str], str]:
    total: Counter[str] = Counter()
    first = ""
    for counts, error in parts:
        total.update(counts)
        first = min(filter(None, (first, error)), default="")
    return total, first


def _publish(total: tuple[Counter[str], str], output: str, told: dict[str, Any], max_failed_share: float) -> None:
    counts, error = total
    record = told | {
        **{name: counts[name] for name in ("files", "labelled", "failed", "tokens_in", "tokens_out")},
        "cost": round(counts["cost"], 9),
        "ratings": {str(rating): counts[f"rating {rating}"] for rating in range(11)},
        "errors": {name.removeprefix("failed "): count for name, count in sorted(counts.items()) if name.startswith("failed ")},
        "this_run": {
            **{name: counts[name] for name in ("requests", "retries", "answers_reused")},
            "paid": round(counts["paid"], 9),
            "paid_for_lost_answers": round(counts["lost"], 9),  # at most
        },
    }
    storage.write_json(storage.join(output, "labels.json"), record)
    check_failures((counts["files"], counts["failed"], error), max_failed_share, "labelled")


def oracle_of(options: Options) -> Oracle:
    """The oracle that the options name. Raises UsageError."""
    if options.oracle == "rubric":
        if options.criteria:
            raise opt.UsageError(PROG, "argument --criteria: expected --oracle=chat with it; the rubric rates files of code")
        return Rubric()
    if not options.endpoint or not options.model:
        raise opt.UsageError(PROG, "argument --endpoint: expected --endpoint and --model with --oracle=chat")
    values: dict[str, Any] = {field.name: getattr(options, field.name) for field in dataclasses.fields(Chat)}
    try:
        values["criteria"] = _criteria(options.criteria)
    except (ValueError, OSError) as error:
        raise opt.UsageError(PROG, f"argument --criteria: {' '.join(str(error).split())}") from None
    try:
        return Chat(**values | {"cache": options.cache or storage.join(options.output, "_answers")})
    except ValueError as error:
        flag, _, rest = str(error).partition(" ")
        raise opt.UsageError(PROG, f"argument --{flag.replace('_', '-')}: {rest}") from None


def _criteria(table: str) -> tuple[tuple[str, str], ...]:
    if not table:
        return ()
    return tuple((name, policy.criteria) for name, policy in load_table("" if table == "default" else table).policies.items())


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run the job. Returns the exit status."""
    options, beam_arguments = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if not options.output:
        raise opt.UsageError(PROG, "argument --output: none given; expected the folder to write to")
    oracle = oracle_of(options)
    files = tables.find_tables(PROG, options.input, (*NEEDED, "category") if options.criteria else NEEDED)
    _check_key(options, beam_arguments)
    workers = options.workers or (1 if options.oracle == "chat" else 0)
    with launch.alone(PROG, options.output):
        launch.clear(options.output, "labels.json", "labels/*.parquet", "failed/*.parquet")
        status = launch.run(PROG, lambda pipeline: build(pipeline, options, oracle, files), options, beam_arguments, workers)
    if status:
        print(f"{PROG}: answers are kept; the same command goes on from there", file=sys.stderr)
    elif not launch.only_stages(beam_arguments):
        print(f"labels: {storage.join(options.output, 'labels')}")
    return status


def _check_key(options: Options, beam_arguments: Sequence[str]) -> None:
    """Look for the key before a local run starts. On a service runner it is the workers that have it, not this machine."""
    if options.oracle == "rubric" or options.api_key_secret or any(argument.startswith("--runner") for argument in beam_arguments):
        return
    try:
        read_key(options.api_key_env)
    except MissingKeyError as error:
        raise opt.UsageError(PROG, f"argument --api-key-env: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
