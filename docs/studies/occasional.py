"""Whether what is the same at rest should go on while it looks slower now and then: what it finds, and costs.

    python docs/studies/occasional.py

Made-up comparisons of four hours (``tests/scenarios.py``), looked at after 10, 15, 22 and 33 units, decided
by the rule as it is and by one that stops at every "same". Prints a table of Markdown: of 150 each, how many
are called slower at rest, slower now and then, same and undecided, and the units taken in the mean.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from bench.stats import sequential
from bench.stats.rest import AtRest
from bench.stats.verdict import ALPHA, TOLERANCE
from tests.made_up import at_rest_pairs
from tests.scenarios import BURSTY, CALM, NEVER_CALM, RESTLESS

RUNS, COUNTS = 150, (10, 15, 22, 33)
LOOKS = tuple(sequential.Look(n, n / COUNTS[-1]) for n in COUNTS)
CODE: dict[str, dict[str, Any]] = {
    "identical": {},
    "one step of 20 twice as long": {"period": 20},
    "the same at random": {"at_random": True},
    "4.5 % at rest": {"effect": 0.045},
}


def decided(pairs: AtRest, stop_at_same: bool) -> tuple[str, int]:
    """What a comparison is called, and after how many units."""
    for number, look in enumerate(LOOKS, 1):
        if stop_at_same:
            rate = sequential.levels(LOOKS[:number], ALPHA)[-1]
            made = sequential.at_look(pairs.part(0, look.n), rate, TOLERANCE)
        else:
            made = sequential.decide(sequential.Stream(pairs, LOOKS[:number], TOLERANCE), ALPHA)
        if made.verdict != "undecided" or look is LOOKS[-1]:
            return (f"slower {made.cause}" if made.verdict == "slower" else made.verdict), look.n
    raise AssertionError("the last look returns")


def main() -> None:
    """The table."""
    columns = ("slower at rest", "slower now and then", "same", "undecided")
    print("| hour | code | rule | " + " | ".join(columns) + " | units |\n|" + "---|" * (len(columns) + 4))
    for hour in (CALM, BURSTY, RESTLESS, NEVER_CALM):
        for what, made in CODE.items():
            rng = np.random.default_rng(5)
            runs = [
                AtRest(at_rest_pairs(rng, hour, **{"effect": 0.0, "set_ups": COUNTS[-1], **made}))
                for _ in range(RUNS)
            ]
            for stop_at_same, rule in ((True, 'stops at "same"'), (False, "goes on")):
                ends = [decided(each, stop_at_same) for each in runs]
                called = Counter(end for end, _ in ends)
                counts = " | ".join(str(called[column]) for column in columns)
                units = np.mean([taken for _, taken in ends])
                print(f"| {hour.name} | {what} | {rule} | {counts} | {units:.1f} |")


if __name__ == "__main__":
    main()
