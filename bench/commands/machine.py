"""``python -m bench machine``: what this machine is, and its ceilings."""

from __future__ import annotations

import typer


def machine() -> None:
    """Tell what this machine is, and measure its ceilings.

    Examples:

      python -m bench machine
    """
    import msgspec

    from bench.machine import collect, measure_ceilings

    found = collect()
    typer.echo(f"class: {found.class_key}")
    for record in (found, measure_ceilings()):
        for name, value in msgspec.to_builtins(record).items():
            typer.echo(f"{name}: {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list) and value and all(isinstance(end, float) for end in value):
        return " to ".join(f"{end:,.1f}" for end in value)  # least and most
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k}={_shown(v)}" for k, v in value.items()) or "none"
    return "unknown" if value is None else str(value)
