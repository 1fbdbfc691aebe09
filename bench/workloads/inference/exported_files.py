"""The two files that Gluon's ``export`` writes: a network's graph, and beside it an epoch's parameters."""

from __future__ import annotations

import re
from pathlib import Path

SYMBOL, PARAMETERS = "-symbol.json", "-0000.params"  # without an epoch named
EPOCH = re.compile(r"-\d{4,}\.params")


def parameters_beside(symbol: Path) -> list[Path]:
    """The files of parameters that belong to ``NAME-symbol.json``, one an epoch."""
    stem = symbol.name.removesuffix(SYMBOL)
    return sorted(
        file
        for file in symbol.parent.glob("*.params")
        if file.name.startswith(stem) and EPOCH.fullmatch(file.name.removeprefix(stem))
    )
