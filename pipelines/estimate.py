"""``beam-seed estimate``: what a run over terabytes will take and cost, from runs over samples."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from beam_seed import options as opt
from beam_seed import storage
from beam_seed.estimate.model import Estimate, Prices, Range, Sample, as_json, estimate, rates, sample_of
from beam_seed.estimate.prices import read_prices

PROG = "beam-seed estimate"

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}


@dataclass(frozen=True)
class Options:
    """Estimate core hours, GPU hours, shuffle, storage and money of a run over more input than a sample."""

    run: list[str] = opt.option(
        [],
        "Output folder of a finished run (github, commits, web); repeatable: two sizes tell fixed cost from growth.",
        kind="read",
    )
    size: str = opt.option("1T", "Bytes of text to estimate for, such as 250G or 3T.")
    cores: int = opt.option(0, "Cores that the sample runs used; 0 means those of this machine.", check=opt.not_negative)
    prices: str = opt.option("", "YAML file of prices; without it, the one that comes with the package.", kind="read")
    gpu_speedup: float = opt.option(
        0.0, "How many cores a GPU stands for when it scores, see benchmarks/scorer.py; 0: no GPU.", check=opt.not_negative
    )
    output: str = opt.option("", "JSON file to write the figures to as well.", kind="write")


def parse_size(text: str) -> int:
    """Bytes. Raises ValueError on anything but a number with k, M, G, T or P.

    >>> parse_size("2.5G")
    2500000000
    """
    number, unit = (text[:-1], text[-1].lower()) if text and not text[-1].isdigit() else (text, "")
    try:
        size = int(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        raise ValueError(f"{text!r} given; expected bytes, such as 500G or 3T") from None
    if size <= 0:
        raise ValueError(f"{text!r} given; expected more than nothing")
    return size


def read_sample(run: str, cores: int) -> Sample:
    """Raises FileNotFoundError where the folder holds no finished run."""
    path = storage.join(run, "report.json")
    if not storage.exists(path):
        raise FileNotFoundError(f"{run} has no report.json; expected the output folder of a finished run")
    stored = sum(info.size for info in storage.match(storage.join(storage.escape(run), "**")))
    return sample_of(storage.read_json(path), cores, stored)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and print the estimate. Returns the exit status."""
    options, rest = opt.parse(Options, sys.argv[1:] if argv is None else argv, PROG)
    if rest:
        raise opt.UsageError(PROG, f"unknown argument {rest[0]}")
    if not options.run:
        raise opt.UsageError(PROG, "argument --run: none given; expected the output folder of a finished run")
    try:
        size, prices = parse_size(options.size), read_prices(options.prices)
        samples = [read_sample(run, options.cores or os.cpu_count() or 1) for run in options.run]
        found = estimate(samples, size, prices, options.gpu_speedup)
    except (ValueError, OSError, yaml.YAMLError) as error:
        raise opt.UsageError(PROG, " ".join(str(error).split())) from None
    measured = rates(max(samples, key=lambda sample: sample.bytes), prices)
    print(told(found, measured, size, prices))
    if options.output:
        with storage.open_write(options.output) as file:
            file.write(json.dumps({"size": size, "estimate": as_json(found), "measured": measured}, indent=1).encode())
    return 0


def told(found: Estimate, measured: dict[str, dict[str, float]], size: int, prices: Prices) -> str:
    """The estimate as text."""
    head = f"{'stage':<12}{'MB/s a core':>12}{prices.currency + ' a TB':>12}{'core hours':>24}{'GPU hours':>22}{prices.currency:>24}"
    lines = [f"measured on the largest sample | estimated for {size / 1e12:,.3g} TB (low - expected - high)", head]
    for stage in found.stages:
        rate = measured.get(stage.stage, {"mb_per_core_second": 0.0, "money_per_tb": 0.0})
        own = f"{stage.stage:<12}{rate['mb_per_core_second']:>12.2f}{rate['money_per_tb']:>12.2f}"
        lines.append(f"{own}{_range(stage.core_hours):>24}{_range(stage.gpu_hours):>22}{_range(stage.money):>24}")
    whole = measured["total"]
    lines.append(f"{'total':<12}{whole['mb_per_core_second']:>12.2f}{whole['money_per_tb']:>12.2f}{'':>46}{_range(found.total):>24}")
    lines.append(f"shuffled: about {found.shuffle_gb:,.1f} GB ({found.shuffle_money:,.2f} {prices.currency}, in the total)")
    lines.append(f"stored: about {found.storage_gb:,.1f} GB ({found.storage_money:,.2f} {prices.currency} a month)")
    return "\n".join(lines)


def _range(value: Range) -> str:
    return " - ".join(f"{each:,.2f}" if each < 100 else f"{each:,.0f}" for each in value) if value.high else "-"


if __name__ == "__main__":
    sys.exit(main())
