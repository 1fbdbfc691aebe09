"""Which benchmarks two runs share, and whether what has one name is one thing in both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec

from bench.records.run import Measured, Run

Key = tuple[str, str]  # group, variant
NOT_SET = "not set"


def keys_of(run: Run) -> list[Key]:
    """(group, variant) of every benchmark of a run."""
    return [(group, variant) for group, variants in run.measured.items() for variant in variants]


def name_of(group: str, variant: str) -> str:
    """``second_head/step/both``."""
    return f"{group}/{variant}"


def in_both(one: Run, other: Run, group: str) -> set[str]:
    """The variants of a group that both runs have: what weighs rounds is to be the same in both."""
    return set(one.measured.get(group, {})) & set(other.measured.get(group, {}))


def unlike_cases(runs: Sequence[Run]) -> dict[Key, str]:
    """What has one name and is not one thing in all runs, with the first field that differs."""
    first: dict[Key, tuple[Run, Measured]] = {}
    reasons: dict[Key, str] = {}
    for run in runs:
        for group, variant in keys_of(run):
            here = run.measured[group][variant]
            there, earlier = first.setdefault((group, variant), (run, here))
            for field, mine, theirs in case_differences(here, earlier):
                reasons.setdefault(
                    (group, variant),
                    f"{name_of(group, variant)} is not the same benchmark: {field} is {theirs} in "
                    f"{there.name} and {mine} in {run.name}",
                )
    return reasons


def without(run: Run, unlike: Collection[Key]) -> Run:
    """The run without these, and without what was held against one of them: its ratio means another thing."""
    if not unlike:
        return run
    names = {run.measured[g][v].case.name for g, v in unlike if v in run.measured.get(g, {})}
    kept = {
        group: {
            variant: m
            for variant, m in variants.items()
            if (group, variant) not in unlike and not (m.effect and m.effect.baseline in names)
        }
        for group, variants in run.measured.items()
    }
    return msgspec.structs.replace(
        run, measured={group: variants for group, variants in kept.items() if variants}
    )


def case_differences(one: Measured, other: Measured) -> Iterable[tuple[str, str, str]]:
    """(field, its value in each) where two cases of one name are not the same thing."""
    yield from _unequal("images", one.images, other.images)
    yield from _unequal("workload", one.case.workload, other.case.workload)
    yield from _unequal("the rule of its rounds", one.rule, other.rule)
    for part in ("settings", "environment"):
        mine, theirs = getattr(one.case, part), getattr(other.case, part)
        for name in sorted({*mine, *theirs}):
            yield from _unequal(f"{part}.{name}", mine.get(name), theirs.get(name))
    if one.effect and other.effect:
        yield from _unequal("baseline", one.effect.baseline, other.effect.baseline)


def _unequal(field: str, mine: object, theirs: object) -> Iterable[tuple[str, str, str]]:
    if mine != theirs:
        one, other = (NOT_SET if value is None else repr(value) for value in (mine, theirs))
        yield field, one, other
