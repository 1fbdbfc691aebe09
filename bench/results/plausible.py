"""Whether what a file tells can be: set-ups of one variant and of one block, as they are measured here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bench.records.calls import Calls
from bench.records.run import SetUp

LONGEST_TIME_S = 1e7  # of a round, a set-up; four months
SHORTEST_TIME_S = 1e-12


class DamagedError(Exception):
    """What a file says cannot be."""


def ensure(holds: bool, why: str) -> None:
    """Raise DamagedError with these words where it does not hold."""
    if not holds:
        raise DamagedError(why)


def check_time(what: str, seconds: float) -> None:
    """Raise DamagedError for a time that nothing takes."""
    ensure(SHORTEST_TIME_S <= seconds <= LONGEST_TIME_S, f"{what} is {seconds:g}")


def check_estimates(document: Any) -> None:
    """Every Estimate of a document, wherever it stands: its ends in order, its confidence one.

    Raises DamagedError.
    """
    if isinstance(document, list):
        for part in document:
            check_estimates(part)
    elif isinstance(document, dict):
        if {"low", "high", "confidence"} <= document.keys():
            _check_estimate(*(document[name] for name in ("low", "high", "confidence")))
        for part in document.values():
            check_estimates(part)


def _check_estimate(low: Any, high: Any, confidence: Any) -> None:
    if all(isinstance(each, (int, float)) for each in (low, high, confidence)):  # else its type is refused
        ensure(low <= high, f"an interval from {low:g} to {high:g}")
        ensure(0.0 < confidence <= 1.0, f"a confidence of {confidence:g}")


def check_set_ups(name: str, set_ups: Sequence[SetUp]) -> None:
    """One variant: set-ups of it alone, all alike, with times that can be. Raises DamagedError."""
    ensure(bool(set_ups), f"{name} has no set-up")
    ensure(all(s.case == name for s in set_ups), f"{name} holds set-ups of another case")
    ensure(len({s.block for s in set_ups}) == len(set_ups), f"{name} has a block twice")
    ensure(len({s.images for s in set_ups}) == 1, f"images of {name} vary")
    ensure(set_ups[0].images > 0, f"images of {name} is {set_ups[0].images}")
    ensure(all(s.rounds for s in set_ups), f"{name} has a set-up without rounds")
    facts = {tuple(sorted(r.facts)) for s in set_ups for r in s.rounds}
    ensure(len(facts) == 1, f"rounds of {name} tell unlike facts")
    for set_up in set_ups:
        check_time(f"first_call_s of {name}", set_up.first_call_s)
        if set_up.calls is not None:
            _check_calls(name, set_up.calls)
        for timed in (*set_up.warm_up, *set_up.rounds):
            check_time(f"seconds of {name}", timed.seconds)
            ensure(timed.iterations > 0, f"iterations of {name} is {timed.iterations}")


def _check_calls(name: str, calls: Calls) -> None:
    """Calls by their times, which ascend, and how many took each."""
    ensure(0 < len(calls.ns) == len(calls.counts), f"calls of {name} and their counts are not as many")
    ensure(all(a < b for a, b in pairwise(calls.ns)), f"calls of {name} are not in order of time")
    ensure(min(calls.counts) > 0, f"a count of the calls of {name} is {min(calls.counts)}")
    for ns in (calls.ns[0], calls.ns[-1]):
        check_time(f"a call of {name}", ns / 1e9)


def check_interleaved(group: str, set_ups: Sequence[SetUp]) -> None:
    """The set-ups of a group: as many rounds each as the others of its block. Raises DamagedError."""
    lengths: dict[int, set[int]] = {}
    for set_up in set_ups:
        lengths.setdefault(set_up.block, set()).add(len(set_up.rounds))
    torn = [block for block, rounds in lengths.items() if len(rounds) > 1]
    ensure(not torn, f"rounds of {group} were not interleaved in block {torn[:1]}")
