"""What the budget goes to, on a fake clock: every group first, then what its answers need."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import msgspec

from bench.harness.least import ENOUGH
from bench.harness.needs import NEAR_THE_EDGE, comparisons, need
from bench.harness.schedule import Schedule
from bench.questions.plan import Group
from bench.records.run import CONTROL, Block, Failure, Round, SetUp
from tests.test_harness import question


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def schedule(budget_s: float, spread: dict[str, float], cost_s: float = 2.0) -> tuple[Schedule, list[str]]:
    """A schedule over groups whose effects spread as said; each block costs ``cost_s`` of a fake clock."""
    clock, order = Clock(), []
    groups = []
    for name in spread:
        asked = question("slow", "quick")
        groups.append(replace(asked.groups()[0], part=name))

    def block(group: Group) -> Block:
        clock.now += cost_s
        order.append(group.part)
        number = sum(part == group.part for part in order)
        factor = 1 + spread[group.part] * (-1) ** number
        made = {
            name: SetUp(
                case=name,
                images=1,
                set_up_s=0,
                first_call_s=0,
                warm_up=[],
                steady=True,
                rounds=[Round(seconds=factor if name == "quick" else 1.0, iterations=1)],
            )
            for name in group.cases
        }
        return Block(group=group.name, invocation=0, index=number, seconds=cost_s, set_ups=made)

    failures: dict[str, Failure] = {}
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    return Schedule(groups, budget_s, block, nothing, failures, clock=clock), order


def test_every_group_is_asked_before_any_is_asked_again() -> None:
    plan, order = schedule(100.0, {"a": 0.01, "b": 0.01, "c": 0.01})
    plan.run()
    assert order[:3] == ["a", "b", "c"]


def test_the_rest_of_the_budget_goes_to_the_least_certain() -> None:
    plan, order = schedule(80.0, {"calm": 0.001, "wild": 0.2})
    plan.run()
    assert order.count("wild") > 3 * order.count("calm")


def test_it_stops_when_every_answer_is_certain_enough() -> None:
    plan, order = schedule(1000.0, {"a": 0.001, "b": 0.001})
    plan.run()
    assert len(order) < 20


def blocks_of(ratios: list[float], images: int = 1) -> list[Block]:
    """A set-up for each time of ``quick`` over that of ``slow``, which takes a second."""
    made = []
    for number, ratio in enumerate(ratios):
        set_ups = {
            name: SetUp(
                case=name,
                images=images if name == "quick" else 1,
                set_up_s=0,
                first_call_s=0,
                warm_up=[],
                steady=True,
                rounds=[Round(seconds=seconds, iterations=1)],
            )
            for name, seconds in {"slow": 1.0, "quick": ratio, CONTROL: 1.0}.items()
        }
        made.append(Block(group="q/p", invocation=0, index=number, seconds=1.0, set_ups=set_ups))
    return made


(BESIDE,) = replace(question("slow", "quick"), headline="other").groups()
SPREAD = [-0.05, 0.05, -0.04, 0.04]


def test_what_is_decided_needs_nothing_more_however_wide_it_is() -> None:
    assert need(comparisons(BESIDE, blocks_of([0.5 * (1 + x) for x in SPREAD]))) < 1.0
    assert need(comparisons(BESIDE, blocks_of([1.02 * (1 + x) for x in SPREAD]))) == NEAR_THE_EDGE


def test_a_headline_is_to_be_narrow_as_well() -> None:
    (headline,) = replace(question("slow", "quick"), headline="p").groups()
    assert need(comparisons(headline, blocks_of([0.5 * (1 + x) for x in SPREAD]))) > 1.0


def test_of_unlike_work_widths_count_and_no_verdict() -> None:
    """Of twice the images a time ratio of 1.02 is no question."""
    wide = replace(BESIDE, plan=replace(BESIDE.plan, target=1.0))
    assert need(comparisons(wide, blocks_of([1.02 * (1 + x) for x in SPREAD], images=2))) < 1.0


def test_what_failed_asks_for_nothing_more() -> None:
    """One set-up of it has no interval, and no further block will have it."""
    blocks = blocks_of([0.5 * (1 + x) for x in SPREAD])
    assert need(comparisons(BESIDE, blocks_of([0.5]))) == math.inf
    for block in blocks[1:]:
        del block.set_ups["quick"]
    assert need(comparisons(BESIDE, blocks)) == 0.0


def test_one_set_up_needs_another() -> None:
    assert need(comparisons(BESIDE, blocks_of([0.5]))) == math.inf


def test_it_keeps_to_the_budget() -> None:
    plan, _ = schedule(30.0, {"a": 0.2, "b": 0.2})
    plan.run()
    assert plan.spent_s() <= 30.0


def test_a_budget_too_small_still_asks_every_group_once() -> None:
    plan, order = schedule(1.0, {"a": 0.2, "b": 0.2, "c": 0.2})
    plan.run()
    assert order == ["a", "b", "c"]


def test_processes_are_started_anew_twice_in_a_long_run_and_never_in_a_short_one() -> None:
    renewed: dict[float, int] = {}
    for budget_s in (300.0, 60.0):
        plan, _ = schedule(budget_s, {"a": 0.2, "b": 0.2})
        calls: list[int] = []
        plan.next_invocation = lambda calls=calls: calls.append(1)  # type: ignore[misc]
        plan.run()
        renewed[budget_s] = len(calls)
    assert renewed == {300.0: 2, 60.0: 0}


def test_processes_that_take_long_to_start_serve_to_the_end() -> None:
    """A framework that compiles for half a minute would spend the budget on it."""
    renewed: dict[float, int] = {}
    for starting_s in (1.0, 40.0):
        plan, _ = schedule(300.0, {"a": 0.2, "b": 0.2})
        calls: list[int] = []
        quick = plan.measure

        def measure(group: Group, quick: Callable[[Group], Block] = quick, s: float = starting_s) -> Block:
            block = quick(group)
            return msgspec.structs.replace(block, seconds=block.seconds + s) if block.index == 1 else block

        plan.measure = measure
        plan.next_invocation = lambda calls=calls: calls.append(1)  # type: ignore[misc]
        plan.run()
        renewed[starting_s] = len(calls)
    assert renewed == {1.0: 2, 40.0: 0}


def test_processes_are_not_started_anew_before_every_group_has_an_interval() -> None:
    plan, order = schedule(150.0, {"a": 0.2, "b": 0.2})
    plan.next_invocation = lambda: order.append("new processes")
    plan.run()
    first = 2 * ENOUGH
    assert order.index("new processes") == first
    assert order[first + 1 :].count("new processes") == 1
