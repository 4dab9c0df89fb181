"""Fill-in-the-middle at character level: a text is cut twice at random, and its middle comes last (Seed-Coder, arXiv 2506.03524).

::

    SPM  <[fim-suffix]>SUFFIX<[fim-prefix]>PREFIX<[fim-middle]>MIDDLE
    PSM  <[fim-prefix]>PREFIX<[fim-suffix]>SUFFIX<[fim-middle]>MIDDLE

Texts are escaped (``beam_seed.special_tokens``) before they are cut: none of their pieces can hold or make a marker, so a document is put
together again from the markers alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from beam_seed.draws import draws
from beam_seed.special_tokens import FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

PLAIN, SPM, PSM = "plain", "spm", "psm"


@dataclass(frozen=True)
class FillInMiddle:
    """How often, and in which order. Raises ValueError where a share is none."""

    rate: float  # share of the documents that are cut; the recipe has 0.5 in regular, 0.1 in continued pretraining
    spm: float = 1.0  # share of those that are written suffix first; the others are PSM
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rate", "spm"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value!r}; expected a share from 0 to 1")

    def apply(self, text: str, document: str, epoch: int = 0) -> tuple[str, str]:
        """``(form, text)`` of an escaped text. Form and cuts depend on the seed, the document's id and the epoch alone."""
        drawn = draws(self.seed, "fim", document, epoch)
        if drawn.share(0) >= self.rate:
            return PLAIN, text
        start, end = sorted((drawn.below(2, len(text) + 1), drawn.below(3, len(text) + 1)))
        prefix, middle, suffix = text[:start], text[start:end], text[end:]
        if drawn.share(1) < self.spm:
            return SPM, f"{FIM_SUFFIX}{suffix}{FIM_PREFIX}{prefix}{FIM_MIDDLE}{middle}"
        return PSM, f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{middle}"


def reassemble(text: str, form: str) -> str:
    """The escaped text that :meth:`FillInMiddle.apply` was given.

    Raises ValueError where ``text`` lacks the markers of its form, or has them in another order.
    """
    if form == PLAIN:
        return text
    if form not in (SPM, PSM):
        raise ValueError(f"form is {form!r}; expected one of {PLAIN}, {SPM}, {PSM}")
    first, second = (FIM_SUFFIX, FIM_PREFIX) if form == SPM else (FIM_PREFIX, FIM_SUFFIX)
    if not text.startswith(first) or any(text.count(marker) != 1 for marker in (first, second, FIM_MIDDLE)):
        raise ValueError(f"found a text of form {form!r} that begins {text[:40]!r}; expected {first}, {second} and {FIM_MIDDLE} once each")
    one, _, rest = text.removeprefix(first).partition(second)
    other, found, middle = rest.partition(FIM_MIDDLE)
    if not found:
        raise ValueError(f"found {FIM_MIDDLE} before {second}; expected it last in a text of form {form!r}")
    prefix, suffix = (other, one) if form == SPM else (one, other)
    return prefix + middle + suffix
