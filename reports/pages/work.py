"""The exact work of steps: a page of what it is, and what changed in words."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from bench.records.run import Count, Work, WorkChange
from reports.model.page import Annotation, Answered, Page, Record, Section
from reports.model.tables import Cell, Column, Table

# What one of a counter is called, what many are, and what they are counted by.
WORDS = {
    "synchronisations": ("synchronisation", "synchronisations", " a step"),
    "graphs_retraced": ("graph traced again", "graphs traced again", " a step"),
    "graphs_traced": ("graph traced", "graphs traced", " by the first step"),
    "copies": ("copy", "copies", " a step"),
    "operators": ("operator", "operators", " a step"),
    "pushes": ("engine call", "engine calls", " a step"),
    "calls": ("call from Python", "calls from Python", " a step"),
    "flop": ("FLOP", "FLOP", " an image"),
    "parameters": ("parameter", "parameters", ""),
    "parameter_bytes": ("byte of parameters", "bytes of parameters", ""),
    "gradient_bytes": ("byte of gradients", "bytes of gradients", ""),
    "optimizer_bytes": ("byte of optimizer state", "bytes of optimizer state", ""),
}

KIB = 1024
GOLDEN = "bench/work.golden.json"


def work_page(
    work: dict[str, Work],
    changes: list[WorkChange] | None,
    files: Collection[str] = (),
    brief: bool = False,
) -> Page:
    """What each step does, and how that differs from the golden file, where it was read.

    ``changes`` is None where nothing was compared, ``files`` are those that annotations may stand in.
    ``brief`` leaves the tables out.
    """
    tables = () if brief else (step_table(work), size_table(work))
    answers: tuple[Answered, ...] = ()
    if changes is None:
        answers = (Answered("Operators run in a step:", tuple(operators_lines(work)), apart=True),)
    elif changes:
        lines = tuple(sentence(change) for change in changes)
        answers = (Answered("What changed against the golden file:", lines, apart=True),)
    return Page(
        title="what a training step does",
        kind="Work",
        verdict=_verdict(work, changes),
        answers=answers,
        sections=(Section("Counted exactly, without noise", tables=tables),) if tables else (),
        record=Record("work", "Every count and change", _content(work, changes or [])),
        annotations=tuple(annotations_of(changes or [], files)),
    )


def _verdict(work: dict[str, Work], changes: list[WorkChange] | None) -> str:
    if changes is None:
        return f"{len(work)} steps were counted; --check compares them with the golden file."
    if not changes:
        return f"Nothing changed: {len(work)} steps do what the golden file says."
    return sentence(changes[0]) if len(changes) == 1 else f"{len(changes)} counts changed."


def _content(work: dict[str, Work], changes: list[WorkChange]) -> dict[str, Any]:
    words = [{**msgspec.to_builtins(change), "words": sentence(change)} for change in changes]
    return {"schema": 1, "work": work, "changes": words}


def _short(name: str) -> str:
    return name.partition("/")[2] or name


def number(count: Count) -> str:
    """``1,234`` or ``0.1``."""
    return f"{count:,}" if isinstance(count, int) else f"{count:,.10g}"


def sentence(change: WorkChange) -> str:
    """``step/hybridized: 2 more synchronisations a step: asnumpy (now 2), at mtl_core/step.py:111``."""
    where = ", ".join(change.steps)
    if change.before is None:
        return f"{where}: a new step, not in the golden file"
    if change.after is None:
        return f"{where}: no longer there, but in the golden file"
    one, many, by = WORDS[change.counter]
    difference = change.after - change.before
    if difference == 0:
        return f"{where}: other {many}{by}, in all as many: {_parts(change.parts, signed=True)}"
    name = one if abs(difference) == 1 else many
    more = "more" if difference > 0 else "fewer"
    signed = len({part > 0 for part in change.parts.values()}) > 1
    parts = f": {_parts(change.parts, signed)}" if change.parts else ""
    places = f", at {', '.join(change.places)}" if change.places else ""
    span = f" ({number(change.before)} -> {number(change.after)})"
    return f"{where}: {number(_tidy(abs(difference)))} {more} {name}{by}{parts}{places}{span}"


def _tidy(count: Count) -> Count:
    """A difference of shares without the dust of binary fractions."""
    rounded = round(count, 9)
    return int(rounded) if rounded == int(rounded) else rounded


def _parts(parts: dict[str, Count], signed: bool) -> str:
    """``asnumpy`` alone, ``2 pick, 1 mean`` together, ``+2 pick, -1 mean`` where some are fewer."""
    if len(parts) == 1 and not signed:
        return next(iter(parts))
    sign = "+" if signed else ""
    return ", ".join(
        f"{'-' if n < 0 and signed else sign}{number(_tidy(abs(n)))} {p}" for p, n in parts.items()
    )


def annotations_of(changes: list[WorkChange], files: Collection[str]) -> list[Annotation]:
    """An error on each line to look at in the repository's files; on the golden file where there is none."""
    errors = []
    for change in changes:
        places = [place for place in change.places if place.rpartition(":")[0] in files]
        for place in places or [f"{GOLDEN}:1"]:
            file, _, line = place.rpartition(":")
            title = f"{change.counter} of a step changed"
            errors.append(Annotation("error", sentence(change), title, file, int(line)))
    return errors


def step_table(work: dict[str, Work]) -> Table:
    """What happens in each step; of counters that have parts the sums."""
    columns = (
        Column("step", align="left"),
        Column("operators"),
        Column("pushes"),
        Column("Python calls"),
        Column("syncs"),
        Column("copies"),
        Column("graphs"),
    )
    rows = tuple(
        (
            _short(name),
            sum(counted.operators.values()),
            counted.pushes,
            sum(counted.calls.values()),
            sum(counted.synchronisations.values()),
            sum(counted.copies.values()),
            _graphs(counted),
        )
        for name, counted in work.items()
    )
    return Table("Work of a training step", columns, rows)


def size_table(work: dict[str, Work]) -> Table:
    """What the step's network takes: parameters, memory, arithmetic."""
    columns = (
        Column("step", align="left"),
        Column("parameters"),
        Column("weights"),
        Column("gradients"),
        Column("state"),
        Column("an image", "flop"),
    )
    rows = tuple(
        (
            _short(name),
            counted.parameters,
            counted.parameter_bytes / KIB,
            counted.gradient_bytes / KIB,
            counted.optimizer_bytes / KIB,
            counted.flop,
        )
        for name, counted in work.items()
    )
    return Table("Its network, memory in KiB", columns, rows)


def _graphs(work: Work) -> Cell:
    again = work.graphs_retraced
    return f"{work.graphs_traced} + {number(again)} a step" if again else work.graphs_traced


def operators_lines(work: dict[str, Work]) -> list[str]:
    """``imperative, hybridized: 10 adam_update, 5 FullyConnected ...``: steps that run the same, together."""
    together: dict[str, list[str]] = {}
    for name, counted in work.items():
        most_first = sorted(counted.operators.items(), key=lambda part: (-part[1], part[0].lower()))
        together.setdefault(_parts(dict(most_first), signed=False), []).append(_short(name))
    return [f"{', '.join(names)}: {operators}" for operators, names in together.items()]
