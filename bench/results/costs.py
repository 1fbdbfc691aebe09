"""Seconds that set-ups took in earlier runs on a machine, so that a later run tells what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.results.journal import write_atomically

Costs = dict[str, dict[str, float]]  # by what was asked and where, then by group: seconds a set-up
NOT_OF_COST = ("budget", "seed", "groups")  # settings of a run that change no set-up


def asked_in_words(machine: str, settings: Mapping[str, str]) -> str:
    """All that a set-up's cost hangs on: the machine's class, and how the questions were asked."""
    parts = [f"{name}={value}" for name, value in sorted(settings.items()) if name not in NOT_OF_COST]
    return "; ".join((machine, *parts))


def read_costs(file: Path, asked: str) -> dict[str, float]:
    """By group; empty where nothing is known, since a run does well without."""
    return _all(file).get(asked, {})


def keep_costs(file: Path, asked: str, cost_s: Mapping[str, float]) -> None:
    """Add what this run took to the file; groups that it did not measure stay as they were."""
    costs = _all(file)
    costs[asked] = {**costs.get(asked, {}), **cost_s}
    write_atomically(file, msgspec.json.encode(costs))


def _all(file: Path) -> Costs:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Costs)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
