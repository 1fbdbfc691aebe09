"""Many values, few enough to draw: drift and bursts stay to be seen.

In order of time the least and the greatest of every stretch are kept, so that no burst is lost; in order of
size evenly spaced ranks with both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

MOST_IN_TIME, MOST_BY_SIZE = 400, 120  # values drawn of a series


def in_time(values: Sequence[float], most: int = MOST_IN_TIME) -> list[int]:
    """Places of the values to draw: all, or the least and the greatest of each of ``most / 2`` stretches."""
    if len(values) <= most:
        return list(range(len(values)))
    stretches = most // 2
    edges = [len(values) * n // stretches for n in range(stretches + 1)]
    places: set[int] = set()
    for first, last in pairwise(edges):
        stretch = range(first, last)
        places |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return sorted(places)


def by_size(values: Sequence[float], most: int = MOST_BY_SIZE) -> list[float]:
    """The values in order of size; evenly spaced ranks, both ends among them, where there are many."""
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(n * (len(ordered) - 1) / (most - 1))] for n in range(most)]
