"""Sampling pages by category: by a digest of their id, at given rates or at rates solved for a target mix."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction

from beam_seed.web.categories import Table

_SALT = b"web sampling"  # ids are digests themselves and other samples are drawn by them; this draw is independent of those
RANGE = 1 << 64


def draw(identity: str) -> int:
    """The number, 0 to 2**64 - 1, that decides whether a page is sampled: a keyed digest of its id."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8, key=_SALT).digest(), "big")


def is_sampled(identity: str, rate: Fraction) -> bool:
    """Whether the page is in a sample of that rate; a larger rate's sample holds every smaller one's."""
    return draw(identity) < rate * RANGE


def solve_rates(pages: Mapping[str, int], mix: Mapping[str, float]) -> dict[str, Fraction]:
    """Sampling rates that turn ``pages`` (by category) into ``mix`` (shares, summing to 1), taking as many pages as possible.

    Exact: rate * pages is the category's share of the whole, as the decimal numbers given. At least one category is taken whole.
    Categories out of the mix have rate 0. Raises ValueError, naming the category, where the mix wants pages of one that has none.

    >>> solve_rates({"qa": 100, "forum": 300}, {"qa": 0.5, "forum": 0.5})
    {'qa': Fraction(1, 1), 'forum': Fraction(1, 3)}
    """
    shares = {category: Fraction(str(share)) for category, share in mix.items() if share}
    if sum(shares.values()) != 1:
        raise ValueError(f"the target mix sums to {float(sum(shares.values())):g}; expected 1")
    if missing := [category for category in shares if not pages.get(category)]:
        raise ValueError(
            f"the target mix wants {mix[missing[0]]:g} of {missing[0]}, but no page of it passed; "
            "leave the category out of target_mix, lower its threshold, or give more input"
        )
    whole = min(pages[category] / share for category, share in shares.items())  # the largest total that every category can fill
    return {category: shares[category] * whole / count if category in shares else Fraction(0) for category, count in pages.items()}


def sampling_rates(table: Table, pages: Mapping[str, int]) -> dict[str, Fraction]:
    """The rate of each category: the table's own, or those that its target mix asks of ``pages`` (what passed the thresholds)."""
    if table.target_mix:
        return {category: Fraction(0) for category in table.policies} | solve_rates(pages, table.target_mix)
    return {category: Fraction(str(policy.sampling_rate)) for category, policy in table.policies.items()}
