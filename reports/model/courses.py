"""A series of values as one line of characters, for a cell of a table."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

BLOCKS, ASCII = "▁▂▃▄▅▆▇", "_.-~=+#"  # an odd number, so that no edge is in the middle
WIDEST = 24  # characters of a drawing where no width is known; more values than that share them
LEAST = 12  # and where there is hardly any room
LEAST_RANGE = 0.04  # of the drawing, relative: noise of less looks flat


@dataclass(frozen=True)
class Course:
    """Positive values, the oldest first, and the places from which on their level is another."""

    values: tuple[float, ...]
    new_levels: tuple[int, ...] = ()


def drawing(course: Course, ascii_only: bool = False, widest: int = WIDEST) -> str:
    """One character a value, or a few values where there are many; ``|`` where the level changed.

    No longer than ``widest``, marks included, unless there are more levels than that has place for.
    """
    symbols = ASCII if ascii_only else BLOCKS
    starts = set(course.new_levels)
    logs = [math.log(value) for value in course.values]
    share = 1
    while len(cuts := _cuts(len(logs), starts, share)) - 1 + len(starts) > widest and share < len(logs):
        share += 1
    levels = [median(logs[low:high]) for low, high in pairwise(cuts)]
    middle = (max(levels) + min(levels)) / 2
    reach = max(max(levels) - min(levels), LEAST_RANGE)
    drawn = ""
    for low, level in zip(cuts, levels, strict=False):
        height = (level - middle) / reach + 0.5
        drawn += ("|" if low in starts else "") + symbols[min(len(symbols) - 1, int(height * len(symbols)))]
    return drawn


def _cuts(count: int, starts: Collection[int], share: int) -> list[int]:
    """Where the characters of a drawing begin, and its end: each level anew, ``share`` values a character."""
    return sorted({0, count, *starts, *range(0, count, share)})
