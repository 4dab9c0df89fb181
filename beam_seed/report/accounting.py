"""The invariants of a run: every document that was read is in exactly one of kept, rejected, failed, in each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beam_seed.report.schema import Invariant
from beam_seed.report.tally import BOTH, Tally, Total


def check(tally: Tally, documents_in: Total, variants: Sequence[str]) -> list[Invariant]:
    """Whether the books close. The job fails where one of these does not hold (see :func:`broken`).

    documents_in: all documents found in the input (:func:`beam_seed.report.tally.totals`), also those dropped while reading.
    """
    found = [invariant for variant in variants for invariant in _closes(tally, variant, documents_in)]
    defects = {**tally.defects, **_astray(tally, variants)}
    told = ", ".join(f"{name}: {rows:,}" for name, rows in sorted(defects.items()))
    found.append(Invariant("every row says where it came from and why it is where it is", not defects, told or "no defective row"))
    return found


def _astray(tally: Tally, variants: Sequence[str]) -> Mapping[str, int]:
    """Rows that count in no variant."""
    found: dict[str, int] = {}
    for key, part in tally.slices.items():
        if key.variant not in (*variants, BOTH):
            name = f"{key.outcome} row of an unknown variant"
            found[name] = found.get(name, 0) + part.files
    return found


def broken(invariants: list[Invariant]) -> str:
    """One line that names the invariants that do not hold; '' where all do."""
    return "; ".join(f"{name} ({detail})" for name, holds, detail in invariants if not holds)


def _closes(tally: Tally, variant: str, read: Total) -> list[Invariant]:
    kept, rejected, failed = (tally.total(variant, outcome) for outcome in ("kept", "rejected", "failed"))
    whole = kept + rejected + failed
    named = {"files": "{:,}", "bytes": "{:,}", "checksum": "{:x}"}
    invariants = []
    for name, shown in named.items():
        parts = [shown.format(getattr(total, name)) for total in (kept, rejected, failed, read)]
        sign = "=" if getattr(whole, name) == getattr(read, name) else "≠"
        title = "check-sum of ids" if name == "checksum" else name
        detail = "{} + {} + {} {} {}".format(*parts[:3], sign, parts[3])
        invariants.append(Invariant(f"{variant}: kept + rejected + failed = read ({title})", sign == "=", detail))
    return invariants
