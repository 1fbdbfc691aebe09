"""What an interval must reach where hardly a round was calm: a table of docs/measuring.md.

``python docs/studies/hardly_calm.py FOLDER`` makes such hours of recorded rounds (``docs/studies/at_rest.py``
tells their format): cycles in which the variants lay, in the mean, less than so far above rest are taken out.
The calm value stays known. A second table is of an hour in which hardly a round was calm on its own
(2026-11-27, 07:44 to 07:53 UTC), held against calm hours of the same class of machine (2026-11-24). Rules are
how far beyond its standard error an interval reaches for what no number of set-ups tells.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from at_rest import VARIANTS, Recording, calm_values, load, pairs, weighed

from bench.stats.estimates import Floats, Mean
from bench.stats.rest import LEAST_ROUNDS, AtRest, tail_mean

ABOVE = (0.06, 0.1, 0.2)  # rest, at the least, that the rounds lie which are left
SET_UPS, DRAWS = (4, 8), 200
HOUR = Path(__file__).parent / "recordings" / "hardly-calm.jsonl"
CALM = {  # of calm hours: ratios of time
    ("second_head/step", "both", "digits"): 1.115,
    ("hybridize/step", "hybridized", "imperative"): 1 / 1.120,
    ("hybridize/step", "static", "imperative"): 1 / 1.159,
    ("hybridize/step", "whole_graph", "imperative"): 1 / 1.197,
}
LEAST_MS, LEAST_SET_UPS = 10.0, 12  # rounds that pay little for their ends; set-ups with rounds enough


def disagreement(both: AtRest) -> float:
    """How far it lies from the quickest 5, 10 and 20 % of all rounds together."""
    return both.disagreement


def of_typical(times: float) -> Callable[[AtRest], float]:
    """So many times as far as it lies from the typical ratio, or the disagreement."""
    return lambda both: max(both.disagreement, times * abs(both.typical().value - weighed(both).value))


RULES: dict[str, Callable[[AtRest], float]] = {
    "disagreement alone": disagreement,
    "as far as the typical ratio": of_typical(1.0),
    "1.5 times as far": of_typical(1.5),
    "as far as the medians lie above rest (used)": lambda both: both.bias,
}


def without_calm(recording: Recording, above: float) -> Recording:
    """The recording without the cycles that were calmer."""
    names = [name for name in ("A", *VARIANTS) if name in recording.set_ups[0]]
    rest = {name: tail_mean(np.concatenate([s[name] for s in recording.set_ups]), 0.05) for name in names}
    left: list[dict[str, Floats]] = []
    for set_up in recording.set_ups:
        restless = np.mean([np.log(set_up[name] / rest[name]) for name in names], axis=0) > above
        if restless.sum() >= LEAST_ROUNDS / 2:
            left.append({name: set_up[name][restless] for name in names})
    return recording._replace(set_ups=left)


class Cell(NamedTuple):
    """What one rule made of draws that were hardly calm."""

    held: float  # the share of intervals that hold the calm value
    width: float  # the median half of one, as a logarithm


def judged(recording: Recording, variant: str, truth: float, count: int) -> tuple[float, dict[str, Cell]]:
    """The share of draws of so many set-ups that are hardly calm, and by rule what is made of these."""
    rng = np.random.default_rng(5)
    hardly: list[AtRest] = []
    for _ in range(DRAWS):
        at = rng.choice(len(recording.set_ups), count, replace=False)
        both = pairs([recording.set_ups[number] for number in at], variant)
        hardly += [] if both.calm else [both]
    cells = {}
    for rule, bias in RULES.items() if hardly else ():
        means = [(weighed(both), bias(both)) for both in hardly]
        intervals = [Mean(m.value, m.error, m.freedom, m.n, reach).interval() for m, reach in means]
        holds = [each.low <= truth <= each.high for each in intervals]
        cells[rule] = Cell(float(np.mean(holds)), float(np.median([e.high - e.low for e in intervals])) / 2)
    return len(hardly) / DRAWS, cells


def row(recordings: list[Recording], above: float, variants: Sequence[str], count: int) -> Iterator[str]:
    """How often draws were hardly calm, then what each rule made of them, over the recordings."""
    truths, shares = calm_values(recordings), list[float]()
    cells: dict[str, list[Cell]] = {rule: [] for rule in RULES}
    for recording in recordings:
        left = without_calm(recording, above)
        if recording.length_ms < LEAST_MS or len(left.set_ups) < LEAST_SET_UPS:
            continue
        for variant in sorted(set(variants) & set(left.set_ups[0])):
            share, made = judged(left, variant, truths[recording.length_ms, variant], count)
            shares.append(share)
            for rule, cell in made.items():
                cells[rule].append(cell)
    yield f"{np.mean(shares):.0%}"
    for each in cells.values():
        yield f"{np.mean([c.held for c in each]):.0%} / {100 * np.mean([c.width for c in each]):.1f}"


def table(recordings: list[Recording]) -> Iterator[str]:
    """Markdown: what is left in rows, rules in columns, over all recordings of a length that is used."""
    yield "| rounds above rest | | set-ups | hardly calm | " + " | ".join(RULES) + " |"
    yield "|" + "---|" * (4 + len(RULES))
    for above in ABOVE:
        for what, variants in {"both heads": ("B",), "same and operator": ("A2", "W")}.items():
            for count in SET_UPS:
                cells = " | ".join(row(recordings, above, variants, count))
                yield f"| {above:.0%} and more | {what} | {count} | {cells} |"


def of_the_hour() -> Iterator[str]:
    """Markdown: the ratios that were read in that hour, and which rules' intervals hold the calm ones."""
    blocks = [json.loads(line) for line in HOUR.read_text(encoding="utf-8").splitlines()]
    yield "| | calm | read | set-ups | " + " | ".join(RULES) + " |"
    yield "|" + "---|" * (4 + len(RULES))
    for (group, variant, baseline), calm in CALM.items():
        mine = [block["us"] for block in blocks if block["group"] == group]
        set_ups = [{"A": np.array(us[baseline]) / 1e6, "V": np.array(us[variant]) / 1e6} for us in mine]
        read = math.exp(weighed(pairs(set_ups, "V")).value)
        for count in SET_UPS:
            _, cells = judged(Recording("", 0.0, set_ups), "V", math.log(calm), count)
            each = " | ".join(f"{cell.held:.0%} / {100 * cell.width:.1f}" for cell in cells.values())
            yield f"| {variant} over {baseline} | {calm:.3f} | {read:.3f} | {count} | {each} |"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("\n".join([*table(load(Path(sys.argv[1]))), "", *of_the_hour()]))
