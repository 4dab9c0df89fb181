"""The table of prices: the package's, or one's own."""

from __future__ import annotations

from pathlib import Path

import yaml

from beam_seed import storage
from beam_seed.estimate.model import Prices


def read_prices(path: str) -> Prices:
    """The prices in a YAML file; '' for the package's. Raises ValueError or OSError where the file holds no prices."""
    if not path:
        return Prices.of(yaml.safe_load((Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8")))
    with storage.open_read(path) as file:
        return Prices.of(yaml.safe_load(file))
