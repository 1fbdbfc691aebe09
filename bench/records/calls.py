"""How long single calls took: counts by time, so that a set-up keeps thousands of them in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

DIGITS = 3  # of a time that are kept: within 0.5 % of it


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The timed calls of one set-up, each synchronised: how many took how many nanoseconds.

    Times are rounded to three digits; ``ns`` ascends, and ``counts`` stands beside it.
    """

    ns: list[int]
    counts: list[int]

    @property
    def total(self) -> int:
        """How many calls there were."""
        return sum(self.counts)


def rounded(ns: int) -> int:
    """To the digits that are kept: 241,637 becomes 242,000."""
    scale: int = 10 ** max(0, len(str(ns)) - DIGITS)
    return (ns + scale // 2) // scale * scale


def tallied(times_ns: Iterable[int]) -> Counter[int]:
    """How many calls took how long, by nanoseconds of three digits."""
    return Counter(map(rounded, times_ns))


def calls_of(tally: Counter[int]) -> Calls | None:
    """The record of a tally; None where no call was timed by itself."""
    if not tally:
        return None
    ns = sorted(tally)
    return Calls(ns=ns, counts=[tally[time] for time in ns])
