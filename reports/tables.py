"""One table model for every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.records import Measured
from reports.units import ranged, time_unit


@dataclass(frozen=True)
class Column:
    """A heading with its unit, and how its cells are set."""

    title: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Table:
    """Cells as text, scaled already."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def variants_table(title: str, known: dict[str, Measured]) -> Table:
    """Time, throughput and the ratio to the baseline of each variant of one part of a question."""
    scale, unit = time_unit([m.iteration_s.value for m in known.values()])
    rows = tuple(_row(name, m, scale) for name, m in known.items())
    columns = (
        Column("variant", "left"),
        Column(f"time, {unit}"),
        Column("images/s"),
        Column("time ratio (below 1 is faster)"),
        Column("verdict", "left"),
    )
    return Table(title, columns, rows)


def _row(name: str, known: Measured, scale: float) -> tuple[str, ...]:
    effect = known.effect
    return (
        name,
        ranged(known.iteration_s, scale),
        f"{known.images_per_s.value:,.0f}",
        "baseline" if effect is None else ranged(effect.estimate),
        "" if effect is None else effect.verdict,
    )
