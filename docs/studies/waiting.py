"""Whether waiting for calm would pay: the tables of docs/measuring.md, *Waiting out spells*.

``python docs/studies/waiting.py FOLDER`` reads recorded rounds (``docs/studies/at_rest.py`` tells their
format). A set-up that waits takes the first half of its cycles as they come, and each of the others after a
calm round; what is passed over stands for the probes, a round of either variant, that it would make. What is
calm it learns from the first halves of all set-ups that are drawn. It is held against set-ups that take as
many cycles, and more, as they come.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from at_rest import BASE, Recording, calm_values, load, pairs

from bench.stats.estimates import Floats
from bench.stats.rest import CALM_ROUND, REST, tail_mean

LENGTH_MS, VARIANT = 6.0, "B"  # the only recorded rounds of which a set-up has enough; both heads
CYCLES, MORE, SET_UPS, DRAWS = 20, (30, 50), (6, 12), 200

MOST_PROBES = 4  # a cycle that waits, in the mean

SetUps = list[dict[str, Floats]]
Taken = Callable[
    [SetUps, np.random.Generator], tuple[SetUps, float]
]  # and what a set-up passed over, in cycles


def first(count: int) -> Taken:
    """So many cycles as they come."""
    return lambda set_ups, _: ([{n: s[n][:count] for n in (BASE, VARIANT)} for s in set_ups], 0.0)


def waiting(set_ups: SetUps, rng: np.random.Generator) -> tuple[SetUps, float]:
    """Half of the cycles as they come, the others after a calm round of a variant drawn for each."""
    names, half = (BASE, VARIANT), CYCLES // 2
    rest = {n: np.quantile(np.concatenate([s[n][:half] for s in set_ups]), REST) for n in names}
    taken, passed = [], 0
    for each in set_ups:
        kept, left = list(range(half)), MOST_PROBES * half
        for number in range(half, len(each[BASE])):
            if len(kept) == CYCLES:
                break
            probe = names[rng.integers(len(names))]
            calm = each[probe][number - 1] <= (1.0 + CALM_ROUND) * rest[probe]
            if calm or left == 0:
                kept.append(number)
            else:
                left -= 1
        passed += MOST_PROBES * half - left
        taken.append({n: each[n][kept] for n in names})
    return taken, passed / len(set_ups)


def after_calm(recording: Recording) -> str:
    """The shares of calm rounds, and of calm rounds after a calm one of one head."""
    names = [name for name in ("A2", VARIANT) if name in recording.set_ups[0]]
    rest = {n: tail_mean(np.concatenate([s[n] for s in recording.set_ups]), REST) for n in (BASE, *names)}
    calm = {n: [s[n] <= (1.0 + CALM_ROUND) * rest[n] for s in recording.set_ups] for n in rest}
    before = np.concatenate([each[:-1] for each in calm[BASE]])
    usual = ", ".join(f"{np.concatenate(calm[n]).mean():.0%}" for n in names)
    after = ", ".join(f"{np.concatenate([c[1:] for c in calm[n]])[before].mean():.0%}" for n in names)
    return f"| {recording.condition} | {recording.length_ms:g} ms | {usual} | {after} |"


def drawn(recording: Recording, taken: Taken, count: int, truth: float) -> str:
    """Error, coverage and width over draws of so many set-ups, and what a set-up costs in cycles."""
    rng = np.random.default_rng(3)
    errors, holds, widths, passed = [], [], [], []
    for _ in range(DRAWS):
        at = rng.choice(len(recording.set_ups), count, replace=False)
        set_ups, over = taken([recording.set_ups[number] for number in at], rng)
        interval = pairs(set_ups, VARIANT).mean().interval()
        errors.append((interval.value - truth) ** 2)
        holds.append(interval.low <= truth <= interval.high)
        widths.append((interval.high - interval.low) / 2)
        passed.append(over)
    cycles = len(set_ups[0][BASE]) + np.mean(passed) / 2  # a probe is half a cycle of two
    error, width = 100 * math.sqrt(np.mean(errors)), 100 * np.median(widths)
    return f"{cycles:.0f}: {error:.1f} / {np.mean(holds):.0%} / {width:.1f}"


def tables(recordings: list[Recording]) -> Iterator[str]:
    """Markdown: how spells last, then what waiting makes of the error, the coverage and the half-width."""
    yield "| condition | rounds of | calm: one head, both heads | after a calm round of one head |"
    yield "|---|---|---|---|"
    yield from map(after_calm, recordings)
    ways: dict[str, Taken] = {f"{n} as they come": first(n) for n in (CYCLES, *MORE)}
    ways[f"{CYCLES}, half after a calm one"] = waiting
    truth = calm_values(recordings)[LENGTH_MS, VARIANT]
    yield from ("", "| condition | set-ups | " + " | ".join(ways) + " |", "|" + "---|" * (2 + len(ways)))
    for recording in recordings:
        if recording.length_ms == LENGTH_MS:
            for count in SET_UPS:
                cells = " | ".join(drawn(recording, taken, count, truth) for taken in ways.values())
                yield f"| {recording.condition} | {count} | {cells} |"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("\n".join(tables(load(Path(sys.argv[1])))))
