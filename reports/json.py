"""Result records as JSON: base units, None where a number has no end."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec


def text(record: Any, **more: Any) -> str:
    """A record's fields, after ``more``, in ASCII: nothing in it acts on a terminal."""
    return json.dumps({**more, **finite(msgspec.to_builtins(record))}, indent=2, allow_nan=False)


def finite(value: Any) -> Any:
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
