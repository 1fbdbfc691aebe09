"""What a comparison still needs, and what is left out once it is decided: no verdict is wrong for it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.least import LEADING, seconds_of_next
from bench.harness.needs import LOOKS, MOST_SET_UPS, Comparison, comparisons, need, still_open
from bench.harness.schedule import Schedule
from bench.questions.plan import Group, Plan
from bench.questions.question import Question
from bench.records.run import CONTROL, Block, Case, Round, SetUp
from bench.stats.estimates import Mean, student
from bench.stats.measured import measured
from bench.stats.verdict import ALPHA, TOLERANCE

USUAL = Plan(rounds=2, least_blocks=4, narrow=False)


def group_of(*variants: str, name: str = "q", also: tuple[tuple[str, str], ...] = ()) -> Group:
    """A group whose baseline is ``base``, measured once more as the control."""
    names = ("base", *variants, CONTROL)
    cases = {v: Case(question=name, part="p", variant=v, workload="m:W", settings={}) for v in names}
    return Group(question=name, part="p", baseline="base", cases=cases, plan=USUAL, also=also)


def set_up_of(seconds: float, number: int) -> SetUp:
    """Of two rounds that take as long."""
    timed = [Round(seconds=seconds, iterations=1)] * 2
    return SetUp(
        case="c",
        images=1,
        set_up_s=0.0,
        first_call_s=1.0,
        warm_up=[],
        steady=True,
        rounds=timed,
        block=number,
    )


def block_of(group: Group, seconds: dict[str, float], number: int, cost_s: float = 1.0) -> Block:
    made = {name: set_up_of(seconds[name], number) for name in group.cases}
    return Block(group=group.name, invocation=0, index=number, seconds=cost_s, set_ups=made)


class World:
    """A machine on which variants take so many times the time of the baseline, and scatter by set-up."""

    def __init__(self, ratios: dict[str, float], scatter: float, seed: int, cost_s: float = 1.0) -> None:
        self.ratios = {"base": 1.0, CONTROL: 1.0, **ratios}
        self.scatter, self.cost_s = scatter, cost_s
        self.rng = np.random.default_rng(seed)
        self.now = 0.0
        self.measured: list[tuple[str, frozenset[str]]] = []

    def clock(self) -> float:
        return self.now

    def measure(self, group: Group) -> Block:
        noise = self.rng.normal(0.0, self.scatter, len(group.cases))
        seconds = {v: self.ratios[v] * math.exp(x) for v, x in zip(group.cases, noise, strict=True)}
        self.now += self.cost_s * len(group.cases)
        self.measured.append((group.name, frozenset(group.cases)))
        return block_of(group, seconds, len(self.measured), self.cost_s * len(group.cases))

    def spend(self, groups: list[Group], budget_s: float) -> Schedule:
        """The schedule after it has spent the budget."""
        schedule = Schedule(groups, budget_s, self.measure, lambda: None, {}, clock=self.clock)
        schedule.run()
        return schedule


def open_in(group: Group, blocks: list[Block]) -> list[str]:
    return still_open(group, blocks, comparisons(group, blocks))


def test_what_is_decided_is_left_out_of_further_set_ups_and_does_not_come_back() -> None:
    world = World({"clear": 0.1, "near": 1.03}, 0.02, seed=1)
    world.spend([group_of("clear", "near")], 60.0)
    of_each = [variants for _, variants in world.measured]
    with_clear = ["clear" in variants for variants in of_each]
    assert with_clear[:3] == [True, True, True] and not with_clear[-1]
    assert with_clear == sorted(with_clear, reverse=True)
    assert all({"base", CONTROL, "near"} <= variants for variants in of_each)


def test_both_of_an_undecided_pair_stay_though_each_is_decided_against_the_baseline() -> None:
    group = group_of("one", "two", "far", also=(("one", "two"),))
    noise = (1.0, 1.05, 0.97)
    blocks = [
        block_of(group, {"base": 1.0, CONTROL: 1.0, "one": 0.1 * x, "two": 0.1, "far": 9.0}, number)
        for number, x in enumerate(noise)
    ]
    assert open_in(group, blocks) == ["base", "one", "two", CONTROL]


def test_of_unlike_work_all_stay_together() -> None:
    group = group_of("clear", "near")
    blocks = [
        block_of(group, {"base": 1.0, CONTROL: 1.0, "clear": 0.1, "near": 1.0 + n / 50}, n) for n in range(3)
    ]
    larger = with_images(blocks, "clear", 7)
    assert open_in(group, larger) == list(group.cases)
    assert "clear" not in open_in(group, blocks)


def with_images(blocks: list[Block], variant: str, images: int) -> list[Block]:
    """The blocks as if an iteration of this variant did other work."""
    return [
        msgspec.structs.replace(
            b, set_ups={**b.set_ups, variant: msgspec.structs.replace(b.set_ups[variant], images=images)}
        )
        for b in blocks
    ]


def test_what_decides_soonest_is_measured_first_and_what_leads_before_it_up_to_its_least() -> None:
    """A ratio near the edge would take any budget; one that lacks a set-up does not wait for it."""
    soon, never = group_of("v", name="soon"), group_of("w", name="never")
    leads = group_of("x", name=LEADING)
    world = World({"v": 1.3, "w": 1.0 + TOLERANCE, "x": 1.05}, 0.05, seed=5)
    world.spend([never, soon, leads], 90.0)
    names = [name.partition("/")[0] for name, _ in world.measured]
    assert names[:6] == ["never", "soon", LEADING] * 2
    after = names[6:]
    assert after[: USUAL.least_blocks - 2] == [LEADING] * (USUAL.least_blocks - 2)
    assert "never" in after and after.index("soon") < after.index("never")


def reach(mean: Mean, error_rate: float, count: int) -> float:
    """Half the interval of so many set-ups that scatter as those of the mean."""
    return student(1 - error_rate, count - 1) * mean.error * math.sqrt(mean.n / count)


@given(st.floats(0.001, 0.2), st.floats(0.005, 0.5), st.integers(2, 12))
def test_so_many_set_ups_as_are_missing_make_it_narrow_and_one_fewer_does_not(
    error: float, width: float, n: int
) -> None:
    mean = Mean(0.0, error, n - 1.0, n)
    missing = Comparison(frozenset(), mean, width=width).set_ups_missing
    if reach(mean, ALPHA, n) <= width:
        assert missing == 0
    elif math.isfinite(missing):
        assert reach(mean, ALPHA, n + int(missing)) <= width < reach(mean, ALPHA, n + int(missing) - 1)
    else:
        assert reach(mean, ALPHA, MOST_SET_UPS - 1) > width


@given(st.floats(0.001, 0.2), st.floats(-0.5, 0.5), st.integers(2, 12), st.integers(1, 9))
def test_the_look_that_will_decide_is_the_first_that_would(
    error: float, value: float, n: int, family: int
) -> None:
    mean = Mean(value, error, n - 1.0, n)
    clear = abs(abs(value) - math.log1p(TOLERANCE))
    would = [m for m in LOOKS if m > n and reach(mean, ALPHA * LOOKS[m] / family, m) <= clear]
    missing = Comparison(frozenset(), mean, family=family).set_ups_missing
    assert missing == (would[0] - n if would else math.inf)


def test_all_looks_together_take_no_more_than_the_error_rate() -> None:
    assert list(LOOKS)[:4] == [3, 5, 8, 12] and sum(LOOKS.values()) <= 1.0


def test_between_two_looks_nothing_is_decided() -> None:
    """Else each set-up would be a look."""
    group = group_of("v")
    apart = {"base": 1.0, CONTROL: 1.0, "v": 0.1}
    blocks = [block_of(group, {**apart, "v": 0.1 * (1 + n % 3 / 100)}, n) for n in range(3)]
    assert "v" in open_in(group, blocks[:2]) and "v" not in open_in(group, blocks)


def test_the_next_of_several_needs_counts() -> None:
    """A headline that is nearly decided is not behind one that has years to go until it is narrow."""
    mean = Mean(0.3, 0.05, 3.0, 4)
    both = Comparison(frozenset(), mean, width=0.001, family=1)
    assert both.set_ups_missing == Comparison(frozenset(), mean, family=1).set_ups_missing < 10


def test_one_set_up_lacks_one() -> None:
    group = group_of("v")
    (one,) = comparisons(group, [block_of(group, {"base": 1.0, CONTROL: 1.0, "v": 0.1}, 0)])
    assert one.set_ups_missing == 1 and need(comparisons(group, [])) == 0.0


def test_a_further_set_up_costs_what_its_variants_took_and_what_is_beside_the_timing() -> None:
    group = group_of("long", "short")
    seconds = {"base": 1.0, CONTROL: 1.0, "long": 10.0, "short": 0.5}
    first = block_of(group, seconds, 0, cost_s=100.0)  # it started the processes
    later = block_of(group, seconds, 1, cost_s=2 * 12.5 * 1.2)
    assert seconds_of_next([first], group.cases) == pytest.approx(25.0)
    assert seconds_of_next([first, later], ("base", CONTROL, "short")) == pytest.approx(5.0 * 1.2)


@pytest.mark.parametrize("ratio", [1.0, 1 / (1.0 + TOLERANCE)])
def test_leaving_out_what_is_decided_calls_no_more_wrong_than_its_error_rate(ratio: float) -> None:
    """Each set-up is a look. Worst is a ratio just at the edge: no "slower" nor "faster" of it is right."""
    variants = {f"v{number}": ratio for number in range(5)}
    group = group_of(*variants)
    wrong, runs = 0, 150
    for seed in range(runs):
        world = World(variants, 0.05, seed)
        blocks = world.spend([group], 70.0).blocks[group.name]
        of_each = measured(group.cases, group.baseline, blocks)
        verdicts = {m.effect.verdict for name, m in of_each.items() if m.effect and name in variants}
        wrong += bool(verdicts & ({"slower", "faster", "same"} - ({"same"} if ratio == 1.0 else set())))
    assert wrong <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)


def test_a_question_of_loaders_asks_whether_the_next_more_workers_pay() -> None:
    from bench.benchmarks.test_loader_workers import QUESTION, WORKERS

    assert isinstance(QUESTION, Question)
    loading, _, threads = QUESTION.groups()
    asked = {one for one, _ in loading.also}
    assert {f"workers_{count}" for count in WORKERS[2:]} <= asked
    assert loading.plan.least_blocks >= 5 > threads.plan.least_blocks
    assert CONTROL in loading.cases and CONTROL not in threads.cases
