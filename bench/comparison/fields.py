"""What is known of the runs' machines, builds and settings, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.comparison.cases import NOT_SET
from bench.records.comparison import Field, Kind
from bench.records.run import CLASS_FIELDS, Run

STATE_FIELDS = ("cores_there", "kernel", "load", "governor", "mhz", "huge_pages", "virtual", "container")
WEATHER_FIELDS = ("steal_share", "throttled_s", "thermal_events")
BUILD_FIELDS = ("mxnet", "numpy", "features", "libraries")


def fields_of(runs: dict[str, Run]) -> Iterable[Field]:
    """Everything known of machines, builds and settings, field by field."""

    parts: list[tuple[Kind, tuple[str, ...], Callable[[Run], object]]] = [
        ("machine", tuple(CLASS_FIELDS), lambda run: run.machine),
        ("state", STATE_FIELDS, lambda run: run.machine),
        ("state", (), _environment),
        ("state", WEATHER_FIELDS, lambda run: run.weather),
        ("build", ("python", "source"), lambda run: run.machine),
        ("build", BUILD_FIELDS, lambda run: run.ceilings),
        ("settings", (), lambda run: run.settings),
    ]
    for kind, names, ask in parts:
        if ask is _environment:
            yield from _variables(runs)
            continue
        holders = {lab: ask(run) for lab, run in runs.items()}
        for name in names or sorted({n for h in holders.values() if isinstance(h, dict) for n in h}):
            values = {lab: _shown(_field(holder, name)) for lab, holder in holders.items()}
            yield Field(kind=kind, name=name, values=values)


def _environment(run: Run) -> dict[str, str]:
    """The variables of a run's machine."""
    return run.machine.environment if run.machine else {}


def _variables(runs: dict[str, Run]) -> Iterable[Field]:
    """Every variable that is set in a run; one that is not is told as such where the environment is known."""
    for name in sorted({name for run in runs.values() for name in _environment(run)}):
        values = {
            lab: _environment(run).get(name, NOT_SET if run.machine else None) for lab, run in runs.items()
        }
        yield Field(kind="state", name=name, values=values)


def _field(holder: object, name: str) -> object:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _shown(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return None if value is None else str(value)
