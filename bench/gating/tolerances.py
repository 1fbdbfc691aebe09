"""How much slower is still the same: by benchmark, from the command line or pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from bench.gating.environments import PROJECT, project
from bench.verdict import TOLERANCE
from mtl_core.errors import UserError

TABLE = "[tool.mtl-bench.tolerance]"


def parse_tolerance(text: object, where: str) -> float:
    """0.02 from ``2%`` or ``0.02``. Raises UserError for anything else, naming where it stands."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", str(text).strip())
    value = float(match[1]) / (100.0 if match[2] else 1.0) if match else 0.0
    if not 0.0 < value < 1.0:
        raise UserError(f"{where} is {text!r}; expected a share above 0 and below 100 %, such as 2%")
    return value


def tolerances(folder: Path, option: str | None) -> Callable[[str], float]:
    """The tolerance of each benchmark: the option for all, else pyproject.toml's, else 2 %."""
    if option is not None:
        given = parse_tolerance(option, "--tolerance")
        return lambda benchmark: given
    told = project(folder) if (folder / PROJECT).exists() else {}
    table = told.get("tool", {}).get("mtl-bench", {}).get("tolerance", {})
    if not isinstance(table, dict):
        raise UserError(f'{TABLE} of {PROJECT} holds {table!r}; expected a line such as step = "2%"')
    own = {name: parse_tolerance(text, f"{name} in {TABLE} of {PROJECT}") for name, text in table.items()}
    return lambda benchmark: own.get(benchmark, TOLERANCE)
