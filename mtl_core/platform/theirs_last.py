"""The folder that one stands in is the last place to import from: its ``random.py`` is none of Python's."""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).absolute().parents[2]


def theirs_last() -> None:
    """Undo what ``python -m`` puts first, unless it is our own checkout; as the program's first act."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # somebody removed it
        return
    if sys.path[0] in ("", str(here)) and here != HOME:
        sys.path.append(sys.path.pop(0))
