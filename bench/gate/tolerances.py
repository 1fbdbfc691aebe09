"""How much slower is still the same: by benchmark, from the command line or pyproject.toml."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from bench.gate.environments import PROJECT, suite_table
from bench.questions.shares import parse_share
from bench.stats.verdict import TOLERANCE
from mtl_core.errors import UserError

TABLE = "[tool.mtl-bench.tolerance]"


def parse_tolerance(text: object, where: str) -> float:
    """0.02 from ``2%`` or ``0.02``; none at all is no tolerance. Raises UserError for anything else."""
    return parse_share(text, where, above_zero=True)


@dataclass(frozen=True)
class Tolerances:
    """The tolerance of each benchmark: one for all, else its own, else 2 %."""

    for_all: float | None = None
    own: dict[str, float] = field(default_factory=dict)  # by benchmark, as pyproject.toml has it

    def __call__(self, benchmark: str) -> float:
        return self.own.get(benchmark, TOLERANCE) if self.for_all is None else self.for_all

    def check(self, benchmarks: Collection[str]) -> None:
        """Raise UserError for a name in the table that is no benchmark: it would hold for nothing."""
        for name in self.own:
            if name not in benchmarks:
                raise UserError(
                    f"{name!r} in {TABLE} of {PROJECT} is no benchmark of the gate; "
                    f"expected one of {', '.join(dict.fromkeys(benchmarks))}"
                )


def tolerances(root: Path, option: str | None) -> Tolerances:
    """From the option, or from the pyproject.toml of a repository's root."""
    if option is not None:
        return Tolerances(for_all=parse_tolerance(option, "--tolerance"))
    table = suite_table(root).get("tolerance", {})
    if not isinstance(table, dict):
        raise UserError(f'{TABLE} of {PROJECT} holds {table!r:.40}; expected a line such as step = "2%"')
    places = {name: f"{name} in {TABLE} of {PROJECT}" for name in table}
    return Tolerances(own={name: parse_tolerance(table[name], place) for name, place in places.items()})
