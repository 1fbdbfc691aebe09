"""``python -m bench machine``: what this machine is, and its ceilings."""

from __future__ import annotations


def machine() -> None:
    """Tell what this machine is, measure its ceilings, and warn of what disturbed them.

    Examples:

      python -m bench machine
    """
    from msgspec.structs import replace

    from bench.machine.identity import collect, measure_ceilings
    from bench.machine.weather import counters, warnings_about, weather_between
    from reports.formats import write
    from reports.pages.machine import machine_page

    here = collect()
    before = replace(counters(looks=1), load=here.load)
    ceilings = measure_ceilings()
    weather = weather_between(before, counters())
    write(machine_page(here, ceilings, weather, warnings_about(here, weather)), "terminal")
