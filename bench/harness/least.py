"""The least that a run needs, and the questions that a budget leaves out for it, told beforehand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.questions.plan import Group
from bench.records.run import Block, SetUp

ENOUGH = 2  # set-ups: the fewest that have an interval; a plan's own least is for a narrow one
LEADING = "settings"  # what to set is what a reader came for: the last question to be left out


@dataclass(frozen=True)
class Least:
    """What all questions take with the set-ups that each has first, and which have no room."""

    needed_s: float
    left_out: tuple[str, ...]  # questions

    def in_words(self, budget_s: float, quick: bool, elsewhere: str = "") -> str:
        """``--quick needs about 75 s here; --budget 40s leaves out drift: choose ...``.

        ``elsewhere`` is the machine that it is told of, where none has run on this one.
        """
        what = "--quick" if quick else "a run of these questions"
        names = " and ".join(filter(None, (", ".join(self.left_out[:-1]), self.left_out[-1])))
        budget = f"--budget {budget_s:g}s"
        if elsewhere:
            return (
                f"{what} needs about {self.needed_s:.0f} s on another machine ({elsewhere}), where {budget} "
                f"leaves out {names}; none like it has run here yet: the first set-ups tell what does not fit"
            )
        return (
            f"{what} needs about {self.needed_s:.0f} s here; {budget} leaves out {names}: "
            "choose a larger --budget, or name the questions to ask"
        )


def least(
    groups: Sequence[Group],
    cost_s: Mapping[str, float],
    done: Mapping[str, int],
    spent_s: float,
    budget_s: float,
) -> Least | None:
    """What a budget leaves out of which so much is spent; None where it holds all or a cost is not known.

    ``cost_s`` are seconds a set-up, ``done`` the set-ups that there are, both by the group's name. The
    cheapest questions are kept, as many as there is room for, and one whatever it takes.
    """
    if not groups or any(group.name not in cost_s for group in groups):
        return None
    missing = {group.name: max(0, at_first(group) - done.get(group.name, 0)) for group in groups}
    wanted = {
        name: sum(cost_s[group.name] * missing[group.name] for group in groups if group.question == name)
        for name in dict.fromkeys(group.question for group in groups)
    }
    kept, room = set[str](), budget_s - spent_s
    for name in sorted(wanted, key=lambda name: (name != LEADING, wanted[name])):
        if not kept or wanted[name] <= room:
            kept.add(name)
            room -= wanted[name]
    left_out = tuple(name for name in wanted if name not in kept)
    return Least(spent_s + sum(wanted.values()), left_out) if left_out else None


def at_first(group: Group) -> int:
    """Set-ups that a group has before any gets more than these: one, of what stands beside a headline."""
    return 1 if group.beside else min(ENOUGH, group.plan.least_blocks)


def without_starting(block: Block) -> float:
    """Seconds that a set-up like it takes once its processes run, as they do after the first one."""
    return min(block.seconds, sum(map(_seconds, block.set_ups.values())))


def seconds_of_next(blocks: Sequence[Block], variants: Collection[str]) -> float:
    """What a further set-up of these variants takes, by the newest that each of them had."""
    newest = {name: set_up for block in blocks for name, set_up in block.set_ups.items()}
    timed = sum(_seconds(set_up) for name, set_up in newest.items() if name in variants)
    return timed * _beside_timing(blocks)


def _beside_timing(blocks: Sequence[Block]) -> float:
    """How many times as long a block takes as what is timed in it; a first one starts processes, too."""
    later = [block for block in blocks[1:] if block.set_ups]
    timed = sum(_seconds(set_up) for block in later for set_up in block.set_ups.values())
    return sum(block.seconds for block in later) / timed if timed else 1.0


def _seconds(set_up: SetUp) -> float:
    """All that is timed in it."""
    timed = sum(each.seconds for each in (*set_up.warm_up, *set_up.rounds))
    return set_up.set_up_s + timed + (set_up.first_call_s if set_up.warm_up else 0.0)


def without(groups: Iterable[Group], left_out: Sequence[str]) -> list[Group]:
    """The groups of the questions that are not left out."""
    return [group for group in groups if group.question not in left_out]
