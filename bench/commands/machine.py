"""``python -m bench machine``: what this machine is, and its ceilings."""

from __future__ import annotations


def machine() -> None:
    """Tell what this machine is, measure its ceilings, and warn of what disturbed them.

    Exit code 6: they could not be measured.

    Examples:

      python -m bench machine
    """
    from msgspec.structs import replace

    from bench.machine.identity import collect, counters, measure_ceilings, warnings_about, weather_between
    from bench.machine.preflight import commands, of_other_runs, of_shared_memory
    from mtl_core.platform import shared_memory
    from reports.formats import write
    from reports.pages.machine import machine_page

    here = collect()
    sizes = shared_memory.sizes()
    before = replace(counters(looks=1), load=here.load)
    ceilings = measure_ceilings()
    weather = weather_between(before, counters())
    warnings = [*warnings_about(here, weather), *of_other_runs(commands()), *of_shared_memory()]
    write(machine_page(here, ceilings, weather, warnings, sizes), "terminal")
