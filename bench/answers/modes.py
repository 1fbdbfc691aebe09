"""What is said of a step in MXNet's modes, from imperative to all in one graph."""

from __future__ import annotations

from bench.answers.words import milliseconds, price, takes
from bench.records.declared import Declared, Difference
from bench.records.run import Measured

NAMES = {
    "hybridized": "Hybridized, the step",
    "static": "With static memory the step",
    "whole_graph": "With the losses in the graph too the step",
}
PLAIN = {"hybridized": "Hybridizing", "static": "Static memory", "whole_graph": "The losses in the graph too"}


def modes_in_words(step: dict[str, Measured]) -> list[str]:
    """The step in each mode, and after how many steps the first call has paid for itself.

    What is decided comes first, since a screen has room for the first sentences alone.
    """
    there = [name for name in NAMES if name in step]
    sentences = [takes(NAMES[name], step[name]) for name in sorted(there, key=lambda n: _undecided(step[n]))]
    return sentences + [price(f"Tracing ({name})", step["imperative"], step[name]) for name in there]


def _undecided(mode: Measured) -> bool:
    return mode.effect is None or mode.effect.verdict == "undecided"


def something_else(mode: str, difference: Difference) -> str:
    """A mode that computes other numbers: its speed answers another question."""
    return (
        f"{mode} computes something else: {difference.where} departs from imperative by "
        f"{difference.share:.2g} of its largest value."
    )


def modes_of_task(step: dict[str, Measured], task: Declared) -> list[str]:
    """The same of a declared task; modes that cannot be had, and those that compute something else."""
    same = {name: measured for name, measured in step.items() if name not in task.differs}
    said = [something_else(mode, apart) for mode, apart in task.differs.items()]
    said += [f"{PLAIN[mode]} ({mode}) is not possible: {why}." for mode, why in task.impossible.items()]
    if not any(name in step for name in NAMES):
        return [f"An imperative step takes {milliseconds(step['imperative'].iteration_s)}.", *said]
    return [*modes_in_words(same), *said]
