"""Named scenarios on made-up machines, whose truth is known: how often intervals hold it, and what is called.

``python -m tests.scenarios [RUNS]`` prints the table of docs/measuring.md (``nox -s coverage``, 2,000 runs a
scenario); tests/test_scenarios.py holds 300 runs to wider bounds. Seeds were fixed before anybody looked.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.stats.rest import AtRest
from bench.stats.sequential import at_look
from bench.stats.verdict import ALPHA
from tests.made_up import Hour, at_rest_pairs

CALM = Hour("calm", calm=0.9, spell=0.0, sensitivity=0.0)
RESTLESS = Hour("restless", calm=0.2, spell=0.35, sensitivity=0.5)
BURSTY = Hour("bursty", calm=0.35, spell=0.3, sensitivity=0.4)
NEVER_CALM = Hour("never calm", calm=0.0, spell=0.5, sensitivity=0.8)
HOURS = (CALM, RESTLESS, BURSTY)
RUNS = 2000
FREE_ROUNDS_LEAST = 0.89  # where half of the calm rounds hold occasional work, rest is known less well
TOLERANCE = 0.02  # at which a verdict is made, in one look at 5 %


@dataclass(frozen=True)
class Scenario:
    """A made-up hour and code in it; ``truth`` is the log ratio at rest."""

    name: str
    hour: Hour
    truth: float
    seed: int
    made: dict[str, Any] = field(default_factory=dict)  # for at_rest_pairs, beside hour and effect
    layouts: float = 0.0  # by which the truth differs from the effect
    least: float = 0.92  # of intervals that hold it
    occasional: bool = False  # whether it is to be called slower for what happens now and then


@dataclass(frozen=True)
class Outcome:
    """Shares of runs, and the estimates' error."""

    held: float
    half_width: float  # median
    bias: float  # of the median estimate
    slower: float  # called so at rest
    now_and_then: float  # called slower for that
    faster: float


def _scenarios() -> tuple[Scenario, ...]:
    made = []
    for number, hour in enumerate(HOURS):
        seed = 100 * (number + 1)
        made += [
            Scenario(f"{hour.name}: the same code", hour, 0.0, seed),
            Scenario(f"{hour.name}: 4.5 % slower", hour, math.log(1.045), seed + 1),
            Scenario(f"{hour.name}: 12 % slower", hour, math.log(1.12), seed + 2),
            Scenario(
                f"{hour.name}: half of one side's layouts 1.5 % slower",
                hour,
                0.0,
                seed + 3,
                {"slow_layouts": 0.015},
                layouts=0.0075,
            ),
        ]
        for step, (words, settings) in enumerate(OCCASIONAL.items()):
            made.append(
                Scenario(
                    f"{hour.name}: {words}",
                    hour,
                    0.0,
                    seed + 10 + step,
                    settings,
                    least=FREE_ROUNDS_LEAST,
                    occasional=True,
                )
            )
    never = {"truth": math.log(1.12), "seed": 401}
    return (*made, Scenario("never calm: 12 % slower", NEVER_CALM, **never))


OCCASIONAL: dict[str, dict[str, Any]] = {
    "one step of 20 done twice": {"period": 20},
    "one step of 50 done twice": {"period": 50},
    "one step of 20 at random": {"at_random": True},
}
SCENARIOS = _scenarios()


def outcome(scenario: Scenario, runs: int = RUNS) -> Outcome:
    """So many runs of a scenario, of 20 set-ups of 40 rounds each."""
    rng = np.random.default_rng(scenario.seed)
    truth = scenario.truth + scenario.layouts
    held, widths, values, called = [], [], [], []
    for _ in range(runs):
        both = AtRest(at_rest_pairs(rng, scenario.hour, effect=scenario.truth, **scenario.made))
        interval = both.mean().interval()
        decision = at_look(both, ALPHA, TOLERANCE)
        held.append(interval.low <= truth <= interval.high)
        widths.append((interval.high - interval.low) / 2)
        values.append(interval.value)
        called.append(decision.cause if decision.verdict == "slower" else decision.verdict)
    return Outcome(
        held=float(np.mean(held)),
        half_width=float(np.median(widths)),
        bias=float(np.median(values)) - truth,
        slower=called.count("at rest") / runs,
        now_and_then=called.count("now and then") / runs,
        faster=called.count("faster") / runs,
    )


def table(runs: int) -> list[str]:
    """Markdown, a row a scenario."""
    lines = [
        "| scenario | intervals that hold it | half-width | off by (median) | slower at rest | now and then "
        "| faster |",
        "|---|---|---|---|---|---|---|",
    ]
    for scenario in SCENARIOS:
        came = outcome(scenario, runs)
        numbers = (came.held, came.half_width, came.bias, came.slower, came.now_and_then, came.faster)
        digits = (".1%", ".2%", "+.2%", ".1%", ".1%", ".1%")
        shown = " | ".join(f"{number:{form}}" for number, form in zip(numbers, digits, strict=True))
        lines.append(f"| {scenario.name} | {shown} |")
    return lines


if __name__ == "__main__":
    print("\n".join(table(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)))
