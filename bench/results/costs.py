"""Seconds that set-ups took in earlier runs on a machine, so that a later run tells what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import ForeignError, content, json_object, replace_whole

LARGEST_FILE = 1 << 20  # bytes; a run adds some 2,000
LONGEST_S = 86_400.0  # that a set-up takes: what is longer steers nothing
EXPECTED = "expected what runs have kept of their set-ups' costs"
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)]
Costs = dict[str, dict[str, Seconds]]  # by what was asked and where, then by group: seconds a set-up
NOT_OF_COST = ("budget", "seed", "groups")  # settings of a run that change no set-up
REFERENCE = Path(__file__).with_name("reference.costs")  # kept by a default and a quick run on one machine


def asked_in_words(machine: str, settings: Mapping[str, str]) -> str:
    """All that a set-up's cost hangs on: the machine's class, and how the questions were asked."""
    parts = [f"{name}={value}" for name, value in sorted(settings.items()) if name not in NOT_OF_COST]
    return "; ".join((machine, *parts))


def read_costs(file: Path, asked: str) -> dict[str, float]:
    """By group; empty where nothing is known, since a run does well without."""
    return _all(file).get(asked, {})


def costs_elsewhere(settings: Mapping[str, str], file: Path = REFERENCE) -> tuple[str, dict[str, float]]:
    """What set-ups asked for in this way took on the machine that the file is of, and its processor.

    Empty where the questions were not asked in this way there.
    """
    alike = asked_in_words("", settings).partition("; ")[2]
    for asked, cost_s in _all(file).items():
        machine, _, how = asked.partition("; ")
        if how == alike:
            return machine.partition(" | ")[0], dict(cost_s)
    return "", {}


def keep_costs(file: Path, asked: str, cost_s: Mapping[str, float]) -> None:
    """Add what this run took to the file; groups that it did not measure stay as they were.

    Where it cannot be written nothing is said: the run is finished, and the next does well without.
    """
    costs = _all(file)
    costs[asked] = {**costs.get(asked, {}), **cost_s}
    with suppress(OSError):
        replace_whole(file, lambda beside: beside.write(msgspec.json.encode(costs)))


def costs_in(file: Path) -> Costs:
    """All that a file holds. Raises UserError for what is missing, no file, damaged or no time."""
    raw = content(file, LARGEST_FILE, EXPECTED)
    try:
        return msgspec.convert(json_object(raw), Costs)
    except (ForeignError, msgspec.MsgspecError) as error:
        raise UserError(f"{file} holds no costs ({visible(str(error))}); {EXPECTED}") from None


def _all(file: Path) -> Costs:
    try:
        return costs_in(file)
    except UserError:
        return {}
