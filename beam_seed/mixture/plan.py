"""How often each document of a source is taken: factors from token totals, copies from factors."""

from __future__ import annotations

from collections.abc import Mapping

from beam_seed.draws import draws
from beam_seed.mixture.stage import Stage


def solve_factors(stage: Stage, totals: Mapping[str, float]) -> dict[str, float]:
    """Copies wanted of each document of each source, from the tokens that the sources hold once (source -> tokens).

    Sources with ``epochs`` have that factor, those with ``tokens`` as much as gives them. Weights share what ``stage.tokens`` leaves;
    without it, as much as makes the scarcest weighted source come ``stage.max_epochs`` times.

    Raises ValueError where a source is empty, or where nothing is left to the weights.
    """
    for name in stage.sources:
        if totals.get(name, 0) <= 0:
            raise ValueError(f"source {name!r} holds no tokens; expected some; leave it out by --without={name}, or give another input")
    factors: dict[str, float] = {}
    weights: dict[str, float] = {}
    for name, source in stage.sources.items():
        if source.weight is not None:
            weights[name] = source.weight
        else:
            factors[name] = source.epochs if source.epochs is not None else (source.tokens or 0) / totals[name]
    if weights:
        taken = sum(factor * totals[name] for name, factor in factors.items())
        per_weight = (
            min(stage.max_epochs * totals[name] / weight for name, weight in weights.items())
            if stage.tokens is None
            else (stage.tokens - taken) / sum(weights.values())
        )
        if per_weight <= 0:
            raise ValueError(
                f"tokens is {stage.tokens}; sources with epochs or tokens of their own take {taken:.0f}; expected more, for the weights"
            )
        factors |= {name: weight * per_weight / totals[name] for name, weight in weights.items()}
    return {name: factors[name] for name in stage.sources}


def copies(seed: int, source: str, document: str, factor: float) -> int:
    """How often a document is taken: the whole part of the factor, and once more for that share of the documents.

    A function of these values alone. A document that is taken n times is taken n times or more under every larger factor.
    """
    whole = int(factor)
    return whole + (draws(seed, "mixture", source, document).share(0) < factor - whole)
