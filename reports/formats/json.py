"""Result records as JSON: base units, None where a number has no end."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bench.records.infinities import finite


def text(record: Any, **more: Any) -> str:
    """A record's fields, after ``more``, in ASCII: nothing in it acts on a terminal."""
    return json.dumps({**more, **finite(msgspec.to_builtins(record))}, indent=2, allow_nan=False)
