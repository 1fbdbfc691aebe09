"""The work of each step held against what it was: the golden file and the differences from it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bench.questions.question import Question
from bench.records.run import CONTROL, Case, Count, Setting, Work, WorkChange
from mtl_core.config import HEADS

PART = "step"
BOTH_HEADS = ("heads", list(HEADS))

# The counters in the order in which a reader wants them, worst to lose first.
COUNTERS = (
    "synchronisations",
    "graphs_retraced",
    "graphs_traced",
    "copies",
    "operators",
    "pushes",
    "calls",
    "flop",
    "parameters",
    "parameter_bytes",
    "gradient_bytes",
    "optimizer_bytes",
)
WHOLE = "step"  # the counter of a step that is there on one side only


def cases_of(questions: list[Question]) -> dict[str, Case]:
    """The step of every variant that these questions compare, each once: ``step/hybridized`` ..."""
    steps = [group for question in questions for group in question.groups() if group.part == PART]
    cases: dict[str, Case] = {}
    for variant, case in (pair for group in steps for pair in group.cases.items()):
        if variant != CONTROL and _work_of(case) not in map(_work_of, cases.values()):
            cases[f"{PART}/{variant}"] = case
    return cases


def _work_of(case: Case) -> tuple[str, dict[str, Setting]]:
    """What is counted, whatever its name; both heads are the default."""
    settings = {name: value for name, value in case.settings.items() if (name, value) != BOTH_HEADS}
    return case.workload, settings


def amount(work: Work, counter: str) -> Count:
    """A counter as one number; the sum of those that have parts."""
    value = getattr(work, counter)
    return sum(value.values()) if isinstance(value, dict) else value


def changes(before: dict[str, Work], after: dict[str, Work]) -> list[WorkChange]:
    """Everything that differs, the largest growth first; what steps have in common is told once."""
    of_each_step = [change for name in {**before, **after} for change in _of_step(name, before, after)]
    return sorted(_together(of_each_step), key=lambda c: (-c.growth, _rank(c.counter)))


def _rank(counter: str) -> int:
    return COUNTERS.index(counter) if counter in COUNTERS else -1


def _of_step(name: str, before: dict[str, Work], after: dict[str, Work]) -> Iterator[WorkChange]:
    if name not in before or name not in after:
        there = (amount(side[name], "operators") if name in side else None for side in (before, after))
        yield WorkChange(steps=[name], counter=WHOLE, before=next(there), after=next(there))
        return
    for counter in COUNTERS:
        old, new = (getattr(side[name], counter) for side in (before, after))
        if old != new:
            yield WorkChange(
                steps=[name],
                counter=counter,
                before=amount(before[name], counter),
                after=amount(after[name], counter),
                parts=_parts(old, new) if isinstance(old, dict) else {},
                places=_places(old, new, after[name]) if counter == "synchronisations" else [],
            )


def _parts(old: dict[str, Count], new: dict[str, Count]) -> dict[str, Count]:
    """How many more of each name, largest first; fewer is negative."""
    more = {name: new.get(name, 0) - old.get(name, 0) for name in sorted({**old, **new})}
    return dict(sorted(((n, d) for n, d in more.items() if d), key=lambda part: -part[1]))


def _places(old: dict[str, Count], new: dict[str, Count], work: Work) -> list[str]:
    more = [name for name in new if new[name] > old.get(name, 0)]
    return sorted({place for name in more for place in work.waited_at.get(name, [])})


def _together(of_each_step: list[WorkChange]) -> list[WorkChange]:
    """Changes that are the same in all but the step, as one; the order of the first is kept."""
    merged: dict[bytes, WorkChange] = {}
    for change in of_each_step:
        key = msgspec.json.encode(msgspec.structs.replace(change, steps=[]))
        steps = merged[key].steps + change.steps if key in merged else change.steps
        merged[key] = msgspec.structs.replace(change, steps=steps)
    return list(merged.values())
