"""The systems that are compared, how their runs alternate, and how their output is read."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from measure import Measured, run

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = REPOSITORY / "benchmarks" / "peers"
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY)}
STARTING = " (1 %)"
Command = Callable[[Path, Path], list[str]]
"""Input folder and output folder to a command line."""


def product(*arguments: str) -> Command:
    return lambda source, target: [sys.executable, "-m", "pipelines.dedup", f"--input={source}", f"--output={target}", *arguments]


def script(name: str, python: str = sys.executable) -> Command:
    return lambda source, target: [python, str(PEERS / name), str(source), str(target)]


class Decisions(NamedTuple):
    """What a deduplicator did: the evidence of each removed document (None: none given), and clusters."""

    removed: dict[str, str | None]
    clusters: dict[str, str]


def read_decisions(source: Path, target: Path) -> Decisions:
    """Reads ``kept/`` and ``dropped/`` or ``duplicates/``.

    Raises:
        ValueError: the survivors are not a part of the input, or evidence names a survivor as removed.
    """
    everything = set(_column(source, "id"))
    kept = _column(target / "kept", "id")
    if len(kept) != len(set(kept)) or not everything >= set(kept):
        raise ValueError(
            f"{target / 'kept'}: {len(kept)} ids, {len(set(kept) & everything)} different ones of the input; expected each once"
        )
    evidence = target / "dropped" if (target / "dropped").exists() else target / "duplicates"
    twin = dict(zip(_column(evidence, "id"), _column(evidence, "kept_id"), strict=True))
    if not twin.keys() <= everything - set(kept):
        raise ValueError(f"{evidence}: {len(twin.keys() & set(kept))} documents are both kept and removed; expected none")
    return Decisions({name: twin.get(name) for name in everything - set(kept)}, {name: kept for name, kept in twin.items() if kept})


def _column(folder: Path, name: str) -> list[str]:
    return [value for path in sorted(folder.glob("**/*.parquet")) for value in pq.read_table(path, columns=[name])[name].to_pylist()]


def alternate(
    commands: Mapping[str, Command],
    sources: Mapping[str, Path],
    rounds: int,
    after: Callable[[str, Path, Path], None] = lambda name, source, target: None,
) -> dict[str, list[Measured]]:
    """Runs every command once a round, in turn, so that all meet the same foreign load; ``after`` sees each one's last output."""
    results: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            with tempfile.TemporaryDirectory(prefix="beam-seed-benchmark-") as folder:
                target = Path(folder, "out")
                measured = run(command(sources[name], target), ENVIRONMENT, REPOSITORY)
                print(
                    f"round {number + 1} {name}: {measured.cpu:.1f} CPU s, {measured.wall:.1f} s, {measured.peak:.0f} MB "
                    f"({measured.foreign:.1f} cores busy with other work)",
                    file=sys.stderr,
                    flush=True,
                )
                results[name].append(measured)
                if number == rounds - 1:
                    after(name, sources[name], target)
    return results


def with_start(commands: Mapping[str, Command], bench: Path, size: str) -> tuple[dict[str, Command], dict[str, Path]]:
    """Every command on table ``size``, and again on 1 % of the corpus: what it costs to start. For ``alternate``."""
    both, sources = {}, {}
    for name, command in commands.items():
        both |= {name: command, name + STARTING: command}
        sources |= {name: bench / size, name + STARTING: bench / "1"}
    return both, sources


def warm_up(commands: Mapping[str, Command], source: Path) -> None:
    """Runs every command once on little data: compiled code is then cached, as it is for all but a user's first run."""
    for command in commands.values():
        with tempfile.TemporaryDirectory(prefix="beam-seed-benchmark-") as folder:
            run(command(source, Path(folder, "out")), ENVIRONMENT, REPOSITORY)


def median(results: Sequence[Measured], field: str) -> float:
    return statistics.median(getattr(each, field) for each in results)


def spread(results: Sequence[Measured], field: str) -> str:
    values = [getattr(each, field) for each in results]
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


COSTS = (
    "system",
    "CPU s (range)",
    "CPU s/MB",
    "of it to start, CPU s (1 %)",
    "wall s (range)",
    "peak MB",
    "ours / it, CPU s",
    "cores busy with other work",
)


def cost_row(name: str, results: Mapping[str, Sequence[Measured]], ours: str, megabytes: float) -> list[str]:
    """The COSTS of one system; the ratio is the median over the rounds of ``ours`` to it."""
    runs = results[name]
    ratio = statistics.median(one.cpu / other.cpu for one, other in zip(results[ours], runs, strict=True))
    return [
        name,
        spread(runs, "cpu"),
        f"{median(runs, 'cpu') / megabytes:.4f}",
        f"{median(results[name + STARTING], 'cpu'):.1f}",
        spread(runs, "wall"),
        f"{median(runs, 'peak'):.0f}",
        f"{ratio:.2f}",
        f"{median(runs, 'foreign'):.1f}",
    ]


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def corpus_size(source: Path) -> tuple[int, float]:
    """Documents and MB of text of a table."""
    import pyarrow.compute as pc

    sizes = [pc.binary_length(pq.read_table(path, columns=["content"])["content"]) for path in sorted(source.glob("*.parquet"))]
    return sum(len(each) for each in sizes), sum(pc.sum(each).as_py() for each in sizes) / 1e6


def publish(title: str, text: str, output: Path | None) -> None:
    """Prints a result, and writes it to ``output`` where one is given."""
    text = f"{title}\n\n{text}\n"
    print(text)
    if output:
        output.write_text(text)


def require(condition: object, message: str) -> None:
    if not condition:
        raise SystemExit(message)


def which(python: str) -> str:
    found = shutil.which(python)
    require(found, f"no interpreter {python}; make the peers' environment with: sh benchmarks/peers/setup.sh VENV")
    return str(found)
