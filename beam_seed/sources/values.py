"""Values of a stranger's table as the types of a record."""

from __future__ import annotations

import math
from typing import Any

from beam_seed.sources.repository import display

MAX_COUNT = 2**53  # beyond it a count that came as a float is not exact, and none is real


def as_text(value: Any, field: str) -> str:
    """Text, a date or a list of texts ('MIT, Apache-2.0') as text; '' for None. Raises ValueError on anything else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return display(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(map(display, value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise ValueError(f"{field} is {type(value).__name__}, expected text")


def as_count(value: Any, field: str) -> int | None:
    """A count of stars or forks: an integer, a whole float (tables with gaps hold floats) or its digits; None for None, NaN and ''.

    Raises ValueError on anything else.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{field} is {type(value).__name__}, expected a count")
    try:
        count = int(value)
        whole = float(value) == count
    except (ValueError, OverflowError):
        whole = False
    if not whole or not 0 <= count <= MAX_COUNT:
        raise ValueError(f"{field} is {str(value)[:50]!r}, expected a count from 0 to {MAX_COUNT}")
    return count
