"""The harness with workers that are played: what is interleaved, what is left out, what is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.pool import WorkerFailedError
from bench.harness.rounds import COMMON_WITHIN, ROUND_S, Harness, iterations_for, timed_round
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Variant
from bench.records.run import CONTROL

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


def test_a_resumed_run_numbers_its_set_ups_on() -> None:
    group = question("slow").groups()[0]
    first = harness(PlayedPool())
    done = [first.measure(group), first.measure(group)]
    resumed = harness(PlayedPool())
    resumed.go_on_after(done)
    block = resumed.measure(group)
    assert (block.index, block.invocation) == (2, 1)
    assert {s.block for s in block.set_ups.values()} == {2}


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
