"""What a gate declares, read from its source: no code of another revision is run for it."""

from __future__ import annotations

import re

NAMED = re.compile(r'^\s*name="(\w+)"')  # how a benchmark is declared there


def lines_of(source: str) -> dict[str, int]:
    """The benchmarks that a gate's source declares, and the line, from 1, on which each is named."""
    names = ((NAMED.search(line), number) for number, line in enumerate(source.splitlines(), 1))
    return {name[1]: number for name, number in names if name}
