"""The harness with workers that are played: what is interleaved, what is left out, what is counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.least import ENOUGH
from bench.harness.needs import NEAR_THE_EDGE, comparisons, need
from bench.harness.pool import WorkerFailedError
from bench.harness.rounds import COMMON_WITHIN, ROUND_S, Harness, iterations_for, timed_round
from bench.harness.schedule import Schedule
from bench.questions.plan import Group, Plan
from bench.questions.question import Asked, Part, Question, Quick, Variant
from bench.records.run import CONTROL, Block, Failure, Round, SetUp

SPEED_NS = {"slow": 2_000_000, "quick": 1_000_000}


class Played:
    """A worker that takes the time its settings say, and logs what it was asked."""

    log: list[tuple[str, str]]

    def __init__(self, log: list[tuple[str, str]]) -> None:
        self.log = log
        self.variant = ""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "set_up":
            self.variant = arguments["settings"]["speed"]
        self.log.append((do, self.variant))
        if self.variant == "broken" and do == "round":
            raise WorkerFailedError("crashed: signal SIGSEGV", ["the last thing it said"])
        if do == "set_up":
            first = 5_000_000 if arguments.get("first_call", True) else None
            return {"images": 128, "set_up_ns": 1_000_000, "first_call_ns": first}
        if do == "round":
            return {"ns": SPEED_NS[self.variant] * arguments["iterations"], "facts": {}}
        return {}

    def end(self) -> None:
        self.log.append(("end", self.variant))


class PlayedPool:
    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []
        self.held: list[Played] = []

    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        self.held += [Played(self.log) for _ in range(count - len(self.held))]
        return self.held[:count]

    def discard(self, worker: Played) -> None:
        self.held.remove(worker)

    def end(self) -> None:
        self.log.append(("end of pool", ""))


def question(*names: str) -> Question:
    return Question(
        name="q",
        asks="?",
        workload="m:W",
        variants={name: Variant(settings={"speed": name}) for name in names},
        baseline=names[0],
        answer=lambda results: [],
        parts={"p": Part()},
    )


def harness(pool: PlayedPool) -> Harness:
    return Harness(seed=1, pool=lambda: pool, clock=lambda: 0.0)  # type: ignore[arg-type,return-value]


def test_a_block_has_every_variant_and_the_control() -> None:
    group = question("slow", "quick").groups()[0]
    block = harness(PlayedPool()).measure(group)
    assert set(block.set_ups) == {"slow", "quick", CONTROL}
    assert all(len(s.rounds) == group.plan.rounds for s in block.set_ups.values())
    assert block.set_ups["slow"].rounds[0].iteration_s == pytest.approx(2e-3)
    assert block.set_ups["quick"].first_call_s == pytest.approx(5e-3)


def test_rounds_take_turns_in_changing_order() -> None:
    pool = PlayedPool()
    harness(pool).measure(question("slow", "quick").groups()[0])
    rounds = [variant for do, variant in pool.log if do == "round"]
    turns = [tuple(rounds[i : i + 3]) for i in range(len(rounds) - 24, len(rounds), 3)]
    assert all(sorted(turn) == ["quick", "slow", "slow"] for turn in turns)
    assert len(set(turns)) > 1


def test_a_variant_that_crashes_costs_that_variant_only() -> None:
    ours = harness(PlayedPool())
    group = question("slow", "broken", "quick").groups()[0]
    first, second = ours.measure(group), ours.measure(group)
    assert set(first.set_ups) == set(second.set_ups) == {"slow", "quick", CONTROL}
    failure = ours.failures["q/p/broken"]
    assert (failure.reason, failure.last_lines) == ("crashed: signal SIGSEGV", ["the last thing it said"])


class Hanging(Played):
    """Hangs in a round where it is slow."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        answer = super().ask(do, **arguments)
        if do == "round" and self.variant == "slow":
            failure = WorkerFailedError("hung: no answer within 10 s", [])
            failure.hung = True
            raise failure
        return answer


class HangingPool(PlayedPool):
    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        self.held += [Hanging(self.log) for _ in range(count - len(self.held))]
        return self.held[:count]


def test_what_does_the_same_as_what_hung_is_asked_no_more() -> None:
    """The control does what its baseline does: in a block to come it would be waited for as long."""
    pool = HangingPool()
    ours = harness(pool)
    group = question("slow", "quick").groups()[0]
    first = replace(group, cases={name: group.cases[name] for name in ("slow", "quick")})
    assert set(ours.measure(first).set_ups) == {"quick"}
    assert set(ours.measure(group).set_ups) == {"quick"}
    assert pool.log.count(("round", "slow")) == pool.log.count(("set_up", "slow")) == 1
    assert ours.failures["q/p/slow"].reason == "hung: no answer within 10 s"
    assert ours.failures[f"q/p/{CONTROL}"].reason == "not tried: q/p/slow, which does the same, hung"


def test_a_new_invocation_ends_the_old_processes() -> None:
    pool = PlayedPool()
    ours = harness(pool)
    ours.measure(question("slow").groups()[0])
    ours.next_invocation()
    assert ("end of pool", "") in pool.log
    assert ours.measure(question("slow").groups()[0]).invocation == 1


times = st.dictionaries(st.sampled_from("abcdef"), st.floats(1e-8, 1.0), min_size=1)


@given(times)
def test_every_round_is_long_enough(iteration_s: dict[str, float]) -> None:
    counts = iterations_for(iteration_s)
    assert all(counts[name] * t >= ROUND_S * 0.999 for name, t in iteration_s.items())


@given(times)
def test_variants_of_like_speed_share_one_count(iteration_s: dict[str, float]) -> None:
    counts = iterations_for(iteration_s)
    assert len(set(counts.values())) == 1 or max(counts.values()) > COMMON_WITHIN * min(counts.values())


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


def test_a_resumed_run_numbers_its_set_ups_on() -> None:
    group = question("slow").groups()[0]
    first = harness(PlayedPool())
    done = [first.measure(group), first.measure(group)]
    resumed = harness(PlayedPool())
    resumed.go_on_after(done)
    block = resumed.measure(group)
    assert (block.index, block.invocation) == (2, 1)
    assert {s.block for s in block.set_ups.values()} == {2}


def hasty() -> Question:
    return replace(
        question("slow", "quick"),
        fixed={"images": 600, "data": "mnist"},
        parts={"p": Part(), "q": Part(variants={"slow": Variant(), "x": Variant()})},
        quick=Quick(variants=("slow",), settings={"images": 60}, rounds=2),
    )


def test_a_quick_run_leaves_out_what_the_question_says() -> None:
    groups = hasty().groups(Asked(quick=True))
    assert [set(g.cases) for g in groups] == [{"slow", CONTROL}, {"slow", CONTROL}]
    assert groups[0].cases["slow"].settings["images"] == 60
    assert (groups[0].plan.rounds, groups[0].plan.least_blocks) == (2, 3)


def test_the_headline_has_the_control_and_more_set_ups_at_the_least() -> None:
    parts = {"p": Part(), "q": Part()}
    full = replace(question("slow", "quick"), parts=parts, headline="q")
    groups = full.groups()
    assert [CONTROL in group.cases for group in groups] == [False, True]
    assert [group.plan.least_blocks for group in groups] == [2, full.plan.least_blocks]
    fresh = replace(full, plan=replace(full.plan, fresh=True))
    assert [group.plan.least_blocks for group in fresh.groups()] == [full.plan.least_blocks] * 2


def test_a_part_has_settings_of_its_own_in_a_quick_run_too() -> None:
    parts = {"p": Part(), "q": Part(settings={"images": 5000})}
    less = Quick(settings={"images": 60}, part_settings={"q": {"images": 500}})
    own = replace(hasty(), parts=parts, quick=less)
    found = {
        quick: [group.cases["slow"].settings["images"] for group in own.groups(Asked(quick=quick))]
        for quick in (False, True)
    }
    assert found == {False: [600, 5000], True: [60, 500]}


def test_what_the_user_fixes_replaces_what_the_question_names_and_nothing_else() -> None:
    asked = Asked(settings={"data": "synthetic", "batch_size": 7}, environment={"OMP_NUM_THREADS": "1"})
    (case, *_) = hasty().groups(asked)[0].cases.values()
    assert case.settings == {"images": 600, "data": "synthetic", "speed": "slow"}
    assert case.environment == {"OMP_NUM_THREADS": "1"}
    whole = replace(hasty(), variants={"slow": Variant(environment={"OMP_NUM_THREADS": "2"})})
    assert whole.groups(asked)[0].cases["slow"].environment == {"OMP_NUM_THREADS": "2"}


def test_parts_beside_the_headline_may_be_less_certain() -> None:
    groups = replace(hasty(), headline="q", plan=Plan(target=0.01)).groups()
    assert [g.plan.target for g in groups] == pytest.approx([0.05, 0.01])


def test_processes_are_started_anew_twice_in_a_long_run_and_never_in_a_short_one() -> None:
    renewed: dict[float, int] = {}
    for budget_s in (300.0, 60.0):
        plan, _ = schedule(budget_s, {"a": 0.2, "b": 0.2})
        calls: list[int] = []
        plan.next_invocation = lambda calls=calls: calls.append(1)  # type: ignore[misc]
        plan.run()
        renewed[budget_s] = len(calls)
    assert renewed == {300.0: 2, 60.0: 0}


def test_processes_are_not_started_anew_before_every_group_has_an_interval() -> None:
    plan, order = schedule(150.0, {"a": 0.2, "b": 0.2})
    plan.next_invocation = lambda: order.append("new processes")
    plan.run()
    first = 2 * ENOUGH
    assert order.index("new processes") == first
    assert order[first + 1 :].count("new processes") == 1


def test_where_the_course_of_time_is_measured_the_first_round_is_the_first_call() -> None:
    pool = PlayedPool()
    group = replace(question("slow"), plan=Plan(warm_ups=0), control=False).groups()[0]
    block = harness(pool).measure(group)
    set_up = block.set_ups["slow"]
    assert [do for do, _ in pool.log[:2]] == ["set_up", "round"]
    assert set_up.warm_up == []
    assert set_up.first_call_s == set_up.rounds[0].seconds


def test_a_burst_in_the_last_warm_up_round_does_not_make_rounds_too_short() -> None:
    class Restless(Played):
        rounds = 0

        def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
            answer = super().ask(do, **arguments)
            if do == "round":
                self.rounds += 1
                slow = 1.04 if self.rounds % 2 == 0 else 1.0  # two that agree
                answer = {**answer, "ns": round(answer["ns"] * slow)}
            return answer

    class RestlessPool(PlayedPool):
        def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
            return [Restless(self.log) for _ in range(count)]

    group = replace(question("slow"), control=False).groups()[0]
    block = harness(RestlessPool()).measure(group)
    set_up = block.set_ups["slow"]
    least_s = min(r.seconds for r in set_up.rounds)
    quicker_s = min(r.iteration_s for r in set_up.warm_up[-2:])
    assert set_up.rounds[0].iterations == iterations_for({"slow": quicker_s})["slow"]
    assert least_s >= ROUND_S


def test_a_workload_that_cuts_its_rounds_itself_tells_their_steps() -> None:
    class Cutting(Played):
        def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
            return {"ns": 116_000_000, "facts": {"steps": 58.0, "epoch": 1.0}}

    told = timed_round(Cutting([]), iterations=1)
    assert (told.iterations, told.iteration_s, told.facts) == (58, 0.002, {"epoch": 1.0})


class Failing(PlayedPool):
    """Workers of one environment die while they start."""

    def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
        if environment:
            raise WorkerFailedError("crashed: signal SIGSEGV", ["no such engine"])
        return super().workers_for(environment, count)


def test_a_worker_that_does_not_start_costs_the_variants_of_its_environment_only() -> None:
    asked = question("slow", "quick")
    broken = {**asked.variants, "broken": Variant(settings={"speed": "quick"}, environment={"E": "1"})}
    ours = harness(Failing())
    block = ours.measure(replace(asked, variants=broken).groups()[0])
    assert set(block.set_ups) == {"slow", "quick", CONTROL}
    assert ours.failures["q/p/broken"].summary == (
        "q/p/broken could not be measured: crashed: signal SIGSEGV (no such engine)"
    )
