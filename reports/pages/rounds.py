"""Every round of a run in order of time, few enough to draw: drift and bursts stay to be seen.

Thinning keeps the quickest and the slowest round of every stretch, so that no burst is lost; what is
shown in order of size keeps evenly spaced ranks with both ends.
"""

from __future__ import annotations

from itertools import pairwise

from bench.records.run import Block, Measured
from reports.model.charts import Rounds, Told
from reports.model.page import Fold
from reports.model.units import scaled

MOST_IN_TIME, MOST_BY_SIZE = 400, 120  # rounds drawn of a variant


def fold(part: str, known: dict[str, Measured], blocks: list[Block]) -> Fold | None:
    """The rounds of one part of a question; nothing where a file has none."""
    series = tuple(told(variant, blocks) for variant in known)
    series = tuple(one for one in series if one.count)
    if not series:
        return None
    total = sum(one.count for one in series)
    quickest = min(one.by_size_s[0] for one in series)
    slowest = max(one.by_size_s[-1] for one in series)
    drawn = sum(len(one.times_s) for one in series)
    less = f" {drawn:,} are drawn: the quickest and slowest of each stretch." if drawn < total else ""
    said = (
        f"{total:,} rounds of {len(series)} variants over {len(blocks)} set-ups in order of time; "
        f"an iteration took {scaled(quickest, 's')} to {scaled(slowest, 's')}.{less}"
    )
    chart = Rounds(
        title=f"Every round of {part}",
        said=said,
        series=series,
        set_ups=tuple(tuple(known[one.name].times_s) for one in series),
    )
    return Fold(title=f"Every round of {part}: {total:,} rounds in order of time", charts=(chart,))


def told(variant: str, blocks: list[Block]) -> Told:
    """One variant's rounds, thinned."""
    all_rounds = [
        (number, block.index, found.iteration_s)
        for block in blocks
        if variant in block.set_ups
        for number, found in enumerate(block.set_ups[variant].rounds)
    ]
    times = [seconds for _, _, seconds in all_rounds]
    kept = in_time(times)
    return Told(
        name=variant,
        order=tuple(place + 1 for place in kept),
        times_s=tuple(times[place] for place in kept),
        set_ups=tuple(all_rounds[place][1] + 1 for place in kept),
        by_size_s=tuple(by_size(times)),
        count=len(times),
    )


def in_time(times: list[float], most: int = MOST_IN_TIME) -> list[int]:
    """Places of the rounds to draw: all, or the least and the greatest of each of ``most / 2`` stretches."""
    if len(times) <= most:
        return list(range(len(times)))
    stretches = most // 2
    edges = [len(times) * n // stretches for n in range(stretches + 1)]
    places: set[int] = set()
    for first, last in pairwise(edges):
        stretch = range(first, last)
        places |= {min(stretch, key=times.__getitem__), max(stretch, key=times.__getitem__)}
    return sorted(places)


def by_size(times: list[float], most: int = MOST_BY_SIZE) -> list[float]:
    """The values in order of size; evenly spaced ranks, both ends among them, where there are many."""
    ordered = sorted(times)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(n * (len(ordered) - 1) / (most - 1))] for n in range(most)]
