"""Endless intervals and plain ranges in JSON, which has no number for them: None where a number should be."""

from __future__ import annotations

import math
from typing import Any

PLAIN_RANGE = 1.0  # the confidence of what holds all that was seen, the least to the most: no interval


def finite(value: Any) -> Any:
    """The same with None for what JSON has no number for: the ends of an endless interval."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def endless(value: Any) -> Any:
    """Undo :func:`finite` in what looks like an Estimate."""
    if isinstance(value, dict):
        there = "confidence" in value
        ends = {"low": -math.inf, "high": math.inf, "confidence": PLAIN_RANGE} if there else {}
        return {name: ends.get(name) if part is None else endless(part) for name, part in value.items()}
    return [endless(part) for part in value] if isinstance(value, list) else value
