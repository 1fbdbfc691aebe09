"""``python -m bench machine``: what this machine is, and its ceilings."""

from __future__ import annotations


def machine() -> None:
    """Tell what this machine is, measure its ceilings, and warn of what disturbed them.

    Examples:

      python -m bench machine
    """
    from msgspec.structs import replace
    from rich.console import Console

    from bench.machine.identity import collect, counters, measure_ceilings, warnings_about, weather_between
    from reports.formats.terminal import page as terminal
    from reports.pages.run import machine_page

    found = collect()
    before = replace(counters(looks=1), load=found.load)
    ceilings = measure_ceilings()
    weather = weather_between(before, counters())
    terminal.show(Console(), machine_page(found, ceilings, weather, warnings_about(found, weather)))
