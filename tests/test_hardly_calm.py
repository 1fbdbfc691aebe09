"""Where few rounds were calm: nothing is decided, and no mean says more than its ratios do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.comparison.runs import compare
from bench.records.run import Block, Case, Round, Run, SetUp
from bench.stats.measured import measured
from bench.stats.rest import AtRest
from bench.stats.sequential import at_look
from tests.made_up import Hour, at_rest_pairs
from tests.scenarios import BURSTY, NEVER_CALM, RESTLESS

ERROR_RATE, TOLERANCE, SECONDS = 0.05, 0.02, 1e-3


@pytest.mark.parametrize("times", [0.5, 1.0, 1.12, 1.8])
def test_nothing_is_called_where_hardly_a_round_was_calm(times: float) -> None:
    """Neither at rest nor now and then, however far the two sides lie apart."""
    rng, made = np.random.default_rng(11), []
    while len(made) < 40:
        effects = AtRest(at_rest_pairs(rng, NEVER_CALM, effect=math.log(times)))
        if not effects.calm:
            made.append(at_look(effects, ERROR_RATE, TOLERANCE))
    assert {decision.verdict for decision in made} == {"undecided"}
    assert all(decision.few_calm for decision in made)


def test_what_comes_now_and_then_is_told_by_the_interval_that_judges_it() -> None:
    """Wider than one of 95 %: its share of the error rate is a fifth."""
    decision = at_look(AtRest(at_rest_pairs(np.random.default_rng(3), BURSTY)), ERROR_RATE, TOLERANCE)
    assert decision.now_and_then is not None and decision.excess is not None
    assert decision.excess.confidence == pytest.approx(1.0 - 0.2 * ERROR_RATE)
    assert decision.excess.low < decision.now_and_then.interval().low


def run_in(hour: Hour, seed: int, effect: float, rounds: int = 40, name: str = "a.json") -> Run:
    """A run of two variants, 12 set-ups of so many rounds."""
    pairs = at_rest_pairs(np.random.default_rng(seed), hour, effect=effect, set_ups=12, rounds=rounds)
    cases = {
        name: Case(question="hybridize", part="step", variant=name, workload="w", settings={})
        for name in ("imperative", "a")
    }

    def set_up(name: str, times: np.ndarray) -> SetUp:  # type: ignore[type-arg]
        rounds = [Round(seconds=10 * SECONDS * float(each), iterations=10) for each in times]
        return SetUp(
            case=cases[name].name,
            images=128,
            set_up_s=0.1,
            first_call_s=0.01,
            warm_up=[],
            rounds=rounds,
            steady=True,
        )

    blocks = [
        Block(
            group="hybridize/step",
            invocation=index,
            index=index,
            seconds=1.0,
            set_ups={"imperative": set_up("imperative", pair.baselines[0]), "a": set_up("a", pair.variant)},
        )
        for index, pair in enumerate(pairs)
    ]
    known = measured(cases, "imperative", blocks)
    return Run(
        name=name,
        machine=None,
        ceilings=None,
        blocks={"hybridize/step": blocks},
        measured={"hybridize/step": known},
    )


@pytest.mark.parametrize("hour", [BURSTY, RESTLESS, NEVER_CALM], ids=lambda hour: hour.name)
def test_the_mean_over_a_question_is_at_rest_where_its_ratios_are(hour: Hour) -> None:
    """Set-ups that were not calm count as little in it as they do in a ratio, and it is no narrower."""
    truth, held = math.log(1.12), 0
    for seed in range(40):
        run = run_in(hour, seed, truth)
        mean = compare([run, run]).means[0].means["A"]
        single = run.measured["hybridize/step"]["a"].effect
        assert single is not None
        assert (mean.low, mean.high) == pytest.approx((single.estimate.low, single.estimate.high))
        held += mean.low <= math.exp(truth) <= mean.high
    assert held >= 33


def test_what_is_read_by_unlike_rules_is_not_compared() -> None:
    """An earlier file of few rounds is read by their medians, which are no times at rest."""
    earlier, now = run_in(RESTLESS, 0, 0.1, rounds=16, name="earlier.json"), run_in(RESTLESS, 1, 0.1)
    compared = compare([earlier, now])
    assert compared.benchmarks == []
    said = "the rule of its rounds is 'medians' in earlier.json and 'at rest' in a.json"
    assert [line for line in compared.warnings if said in line] == compared.warnings[:2]
