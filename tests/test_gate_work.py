"""The work of two revisions counted beside their times: what is told, and what a failed count costs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.gate import work as under_test
from bench.gate.sides import Side
from bench.harness.pool import WorkerFailedError
from bench.questions.gate import GATE
from bench.records.regression import Comparison, Regression
from bench.records.run import Estimate, Work
from reports.pages.regression import regression_page, to_decide

WORK = Work(
    operators={"FullyConnected": 8},
    pushes=20,
    calls={"invoke": 3},
    synchronisations={},
    copies={},
    graphs_traced=1,
    graphs_retraced=0,
    parameters=10,
    parameter_bytes=40,
    gradient_bytes=40,
    optimizer_bytes=80,
    flop=100,
)


class PlayedPool:
    """Counts that are given, by side; a side without any fails."""

    def __init__(self, counts: dict[str, Work]) -> None:
        self.counts, self.ended = counts, False

    def workers_for(self, environment: dict[str, str], count: int) -> list[Any]:
        (side,) = environment.values()
        return [self] if side in self.counts and self._choose(side) else [_Failing()]

    def _choose(self, side: str) -> bool:
        self.side = side
        return True

    def ask(self, do: str, **arguments: Any) -> Any:
        assert do == "count" and arguments["workload"].startswith(under_test.COUNTABLE)
        return asdict(self.counts[self.side])

    def end(self) -> None:
        self.ended = True


class _Failing:
    def ask(self, do: str, **arguments: Any) -> Any:
        raise WorkerFailedError("crashed: signal SIGSEGV", ["no such operator"])


def sides() -> tuple[Side, Side]:
    declared = {benchmark.name: benchmark for benchmark in GATE}
    return tuple(Side(name, Path(), "python", declared) for name in ("base", "head"))  # type: ignore[return-value]


def test_a_new_synchronisation_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    after = replace(WORK, synchronisations={"waitall": 1}, waited_at={"waitall": ["mtl_core/step.py:9"]})
    pool = PlayedPool({"base": WORK, "head": after})
    monkeypatch.setattr(under_test, "SidePool", lambda both: pool)
    changed, uncounted = under_test.work_changes(["step", "loader"], sides())
    assert (uncounted, pool.ended) == ([], True)
    (change,) = changed
    assert (change.steps, change.counter, change.places) == (
        ["step"],
        "synchronisations",
        ["mtl_core/step.py:9"],
    )


def test_a_side_that_cannot_be_counted_costs_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = PlayedPool({"base": WORK})
    monkeypatch.setattr(under_test, "SidePool", lambda both: pool)
    assert under_test.work_changes(["step"], sides()) == (
        [],
        ["work was not counted: crashed: signal SIGSEGV: no such operator"],
    )
    assert pool.ended


def test_nothing_is_started_where_nothing_can_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "SidePool", lambda both: pytest.fail("started"))
    assert under_test.work_changes(["loader", "epoch"], sides()) == ([], [])


def compared(**fields: Any) -> Comparison:
    effect = Estimate(value=1.01, low=0.99, high=1.03, confidence=0.95, n=9)
    start = {"benchmark": "step", "asks": "one step", "effect": effect, "verdict": "undecided"}
    return Comparison(**{**start, "tolerance": 0.02, "seconds": 60.0, "detectable": 0.04, **fields})


def regression(*comparisons: Comparison) -> Regression:
    return Regression(
        base="main (0123456789ab)",
        head="working tree",
        budget_s=60.0,
        confidence=0.95,
        comparisons=list(comparisons),
        against="main",
    )


def test_what_would_decide_is_a_command_to_paste() -> None:
    found = regression(
        compared(times_the_budget=2.6),
        compared(benchmark="forward", times_the_budget=1.0),
        compared(benchmark="loader", times_the_budget=None),
        compared(benchmark="epoch", verdict="same"),
    )
    assert to_decide(found) == ["To decide: python -m bench regress step forward --base main --budget 160s"]
    assert to_decide(regression(compared(verdict="same"))) == []


def test_what_is_slower_now_and_then_is_told_from_what_is_slower_at_rest() -> None:
    more = Estimate(value=0.041, low=0.026, high=0.056, confidence=0.99, n=20)
    page = regression_page(regression(compared(verdict="slower", cause="now and then", now_and_then=more)))
    (said, *_) = page.answers[0].sentences
    assert said == (
        "step: one step takes 1.010x the time (0.990 to 1.030) at rest, and 4.1 % (2.6 to 5.6 %) on top of "
        "it now and then: slower now and then."
    )
    at_rest = regression_page(regression(compared(verdict="slower", cause="at rest", now_and_then=more)))
    assert at_rest.answers[0].sentences[0].endswith("slower, by more than 2 %.")
