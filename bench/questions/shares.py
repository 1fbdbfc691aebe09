"""Shares as a user writes them."""

from __future__ import annotations

import re

from mtl_core.errors import UserError


def parse_share(text: object, where: str, *, above_zero: bool = False) -> float:
    """0.02 from ``2%`` or ``0.02``. Raises UserError for anything else, naming where it stands."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)", str(text).strip())
    share = float(match[1]) / (100.0 if match[2] else 1.0) if match else -1.0
    if not 0.0 <= share < 1.0 or (above_zero and share == 0.0):
        least = "above 0 and " if above_zero else ""
        raise UserError(f"{where} is {text!r}; expected a share {least}below 100 %, such as 2% or 0.02")
    return share
