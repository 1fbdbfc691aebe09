"""Which interpreter workers run in: by the option, the current folder's pyproject.toml, or this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.network import TABLE, configured
from bench.machine import interpreter
from mtl_core.errors import UserError

PythonOption = Annotated[
    str | None,
    typer.Option(
        "--python",
        metavar="PATH",
        help="The interpreter that workers run in, with its own NumPy and MXNet, such as .venv/bin/python; "
        "nothing is installed there.",
    ),
]


def use_python(option: str | None) -> None:
    """Have workers run where the option or the configuration says. Raises UserError where they cannot."""
    if option is not None:
        interpreter.use(option)
        return
    folder = Path.cwd()
    configured_python = configured(folder).get("python")
    if configured_python is not None and not isinstance(configured_python, str):
        raise UserError(
            f"python in {TABLE} is {configured_python!r}; expected a path such as '.venv/bin/python'"
        )
    interpreter.use(configured_python, f"python in {TABLE}:", folder)
