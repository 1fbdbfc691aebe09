"""Environment variables that spoil numbers, and what each of them does to what is measured."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_core.errors import visible

LONGEST_SHOWN = 60  # characters of a value
TIED = (
    "every process ties its threads to the same few cores and DataLoader workers inherit that, "
    "so that they wait for one another while other cores idle"
)
SPIN = "threads that wait keep their cores busy, which is taken from the other workers"
EFFECTS = {
    "OMP_PLACES": TIED,
    "OMP_PROC_BIND": TIED,
    "KMP_AFFINITY": TIED,
    "GOMP_CPU_AFFINITY": TIED,
    "OMP_WAIT_POLICY": SPIN,
    "GOMP_SPINCOUNT": "it changes how long waiting threads keep their cores busy before they sleep",
}
OTHER_OF_GNU = "it changes how GNU's OpenMP runs its threads"
# Values by which a variable asks for what is there without it.
HARMLESS = {
    "OMP_PROC_BIND": ("false",),
    "KMP_AFFINITY": ("none", "disabled"),
    "OMP_WAIT_POLICY": ("passive",),
}


def spoilers(environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that is set and spoils numbers: what it does, and what to do."""
    lines = []
    for name, value in sorted(environment.items()):
        effect = EFFECTS.get(name) or (OTHER_OF_GNU if name.startswith("GOMP_") else None)
        if effect and value.strip() and value.strip().lower() not in HARMLESS.get(name, ()):
            shown = visible(value)[:LONGEST_SHOWN]
            lines.append(f"{name} is {shown}: {effect}; unset it (unset {name}) and measure without")
    return lines
